"""The door for files that others may have made: what they claim is checked before memory or time is spent on it.

Everything here raises ValueError for a file that is not as it should be and OSError for one that cannot be read; the
callers, who know what the file was meant to be, put that into words. Weights have a door of their own,
`engine.hostile_weights`.
"""

from __future__ import annotations

import ast
import json
import math
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
    EOFError,
    SyntaxError,
    RuntimeError,
    MemoryError,
    RecursionError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)  # what reading a damaged file can raise


class TooLarge(ValueError):
    """A file is larger, or unpacks to more, than any of its kind."""


LARGEST_JSON, DEEPEST_JSON = 1 << 20, 64
LARGEST_ARRAYS = 1 << 28  # bytes of an .npz, unpacked
_HEADER_BYTES = 4096
_MAGIC = b"\x93NUMPY"


def open_regular(path: str | Path, largest: int) -> BinaryIO:
    """A regular file of at most `largest` bytes: no folder, no device, no pipe that would be waited for."""
    status = Path(path).stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no regular file")
    if status.st_size > largest:
        raise TooLarge(f"it has {status.st_size} bytes, more than {largest}")
    return Path(path).open("rb")


def read_json(path: str | Path, largest: int = LARGEST_JSON) -> object:
    """The value of a JSON file."""
    with open_regular(path, largest) as file:
        return parse_json(file.read(largest + 1).decode("utf-8"), largest)


def parse_json(text: str, largest: int = LARGEST_JSON) -> object:
    """The value of a JSON text of at most `largest` letters."""
    if len(text) > largest:
        raise ValueError(f"it has {len(text)} letters, more than {largest}")
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    _check_depth(value)
    return value


def read_npy(path: str | Path, largest: int) -> np.ndarray:
    """The array of numbers of an .npy file of at most `largest` bytes."""
    with open_regular(path, largest) as file:
        return _array(file.read(largest + 1))


def read_npz(path: str | Path, largest: int = LARGEST_ARRAYS) -> dict[str, np.ndarray]:
    """The arrays of numbers and of texts of an .npz file, together at most `largest` bytes when unpacked."""
    with open_regular(path, largest) as file, zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if len(entries) > 64 or sum(entry.file_size for entry in entries) > largest:
            raise TooLarge("it unpacks to more than it may")
        found = {}
        for entry in entries:
            with archive.open(entry) as part:
                found[entry.filename.removesuffix(".npy")] = _array(part.read(entry.file_size + 1), texts=True)
        return found


def number(values: Mapping, name: str, least: float, greatest: float) -> float:
    """A finite number of a mapping, in a range."""
    value = values[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= greatest:
        raise ValueError(f"{name} is {str(value)[:40]}, not {least:g} to {greatest:g}")
    return value


def _array(data: bytes, texts: bool = False) -> np.ndarray:
    """The array of the content of an .npy file. The header is read here, as NumPy's reader believes what it says."""
    if data[:6] != _MAGIC or data[6:7] not in (b"\x01", b"\x02", b"\x03"):
        raise ValueError("it is no .npy file")
    start, form = (10, "<H") if data[6] == 1 else (12, "<I")
    (length,) = struct.unpack_from(form, data, 8)
    if length > _HEADER_BYTES:
        raise ValueError("its header is too long")
    header = ast.literal_eval(data[start : start + length].decode("latin-1").strip())
    kind, shape, fortran = np.dtype(str(header["descr"])), header["shape"], header["fortran_order"]
    if kind.kind not in ("fiubU" if texts else "fiub"):
        raise ValueError("it holds no numbers")
    if not isinstance(shape, tuple) or len(shape) > 8 or any(type(size) is not int or size < 0 for size in shape):
        raise ValueError("it has no valid shape")
    content = memoryview(data)[start + length :]
    if kind.itemsize * math.prod(shape) != len(content):
        raise ValueError("its size is not that of its shape")
    array = np.frombuffer(content, kind) if len(content) else np.zeros(0, kind)
    return array.reshape(shape, order="F" if fortran is True else "C").copy()


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(DEEPEST_JSON):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ValueError("it is nested too deeply")
