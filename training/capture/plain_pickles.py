"""Pickles that hold arrays, lists and dictionaries, read without running anything in them.

FLAME's files and the paper's cached speech features are pickles, some with arrays of chumpy and sparse matrices of
SciPy. What they ask for is replaced by stand-ins that only keep numbers; anything else is refused.
"""

from __future__ import annotations

import math
import pickle
from io import BytesIO
from pathlib import Path

import numpy as np

from engine.shared.errors import EngineError
from engine.shared.hostile_files import UNREADABLE, open_regular

LARGEST_PICKLE = 1 << 30
_NPY = b"\x93NUMPY"


class _Foreign(ValueError):
    """A pickle asks for something that is no number."""


class _Kind:
    """Stands for a NumPy dtype: numbers, or objects."""

    def __init__(self, *given: object) -> None:
        self.name = given[0]
        self.order = "="

    def __setstate__(self, state: tuple) -> None:
        self.order = state[1] if state[1] in ("<", ">", "|") else "="

    def dtype(self) -> np.dtype:
        name = self.name.decode() if isinstance(self.name, bytes) else str(self.name)
        kind = np.dtype(name)
        if kind.kind not in "fiub":
            raise _Foreign(f"an array has type {name[:20]}")
        return np.dtype(self.order + kind.str[1:]) if self.order in "<>" else kind


class _Array:
    """Stands for a NumPy array until its content is known."""

    value: object = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, fortran, content = state
        if isinstance(content, list):  # an array of objects: what it holds, by itself when it is one
            self.value = content[0] if shape == () and len(content) == 1 else content
            return
        if isinstance(content, str):
            content = content.encode("latin-1")
        dtype = kind.dtype()
        if dtype.itemsize * math.prod(shape) != len(content):
            raise ValueError("an array is cut short")
        self.value = np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C").copy()


class _Record:
    """Stands for an object of another package: what it remembers of itself, by name."""

    def __init__(self, *given: object) -> None:
        self.state: object = {}

    def __setstate__(self, state: object) -> None:
        self.state = state[0] if isinstance(state, tuple) and state and isinstance(state[0], dict) else state


def _new(kind: object, *given: object) -> object:
    return kind() if isinstance(kind, type) else None


def _encoded(text: str, _: str = "latin1") -> bytes:
    return text.encode("latin-1")


def _array(*given: object) -> _Array:
    return _Array()


def _from_buffer(content: bytes, kind: _Kind, shape: tuple, order: str) -> _Array:
    array = _Array()
    array.__setstate__((1, shape, kind, order == "F", bytes(content)))
    return array


def _number(kind: _Kind, content: bytes | str = b"") -> object:
    data = content.encode("latin-1") if isinstance(content, str) else content
    return np.frombuffer(data, kind.dtype())[0]


_KNOWN: dict[tuple[str, str], object] = {
    ("_codecs", "encode"): _encoded,
    ("numpy", "dtype"): _Kind,
    ("numpy", "ndarray"): _Array,
    ("copy_reg", "_reconstructor"): _new,
    ("copyreg", "_reconstructor"): _new,
    ("copyreg", "__newobj__"): _new,
    ("collections", "OrderedDict"): dict,
    ("__builtin__", "object"): object,
    ("builtins", "object"): object,
    ("__builtin__", "dict"): dict,
    ("builtins", "dict"): dict,
}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _KNOWN[_module, "_reconstruct"] = _array
    _KNOWN[_module, "scalar"] = _number
for _module in ("numpy.core.numeric", "numpy._core.numeric"):
    _KNOWN[_module, "_frombuffer"] = _from_buffer
_RECORDS = {"Ch", "Select", "csc_matrix", "csr_matrix", "coo_matrix"}
_PACKAGES = ("chumpy", "scipy")


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        if name in _RECORDS and module.split(".")[0] in _PACKAGES:
            return _Record
        raise _Foreign(f"it asks for {module}.{name}"[:120])

    def persistent_load(self, given: object) -> object:
        raise _Foreign("it asks for another file")


def read_pickle(path: Path) -> object:
    """Arrays, numbers, texts, lists and dictionaries of a pickle, or of a pickled .npy file.

    An array of chumpy becomes its numbers, a sparse matrix a dictionary of its parts. Raises EngineError when the file
    is missing or damaged, or asks for anything else; nothing of it is run then either.
    """
    try:
        with open_regular(path, LARGEST_PICKLE) as file:
            data = file.read()
        if data.startswith(_NPY):
            data = data[data.index(b"\n") + 1 :]
        return _plain(_Reader(BytesIO(data), encoding="latin1").load(), 0)
    except FileNotFoundError as error:
        raise EngineError(f"There is no file {path}; choose the one that its authors publish.") from error
    except _Foreign as error:
        raise EngineError(
            f"{path} holds more than numbers ({error}), which could run code, so it was not read; get the file from "
            "its authors."
        ) from error
    except (pickle.UnpicklingError, AssertionError, *UNREADABLE) as error:
        raise EngineError(f"{path} is damaged or no pickle; get the file from its authors again.") from error


def _plain(value: object, depth: int) -> object:
    if depth > 32:
        raise ValueError("it is nested too deeply")
    if isinstance(value, _Array):
        return _plain(value.value, depth + 1)
    if isinstance(value, _Record):
        state = value.state
        if isinstance(state, dict) and "x" in state:  # chumpy: the numbers alone
            return _plain(state["x"], depth + 1)
        return _plain(state, depth + 1)
    if isinstance(value, dict):
        return {str(_plain(key, depth + 1)): _plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, depth + 1) for inner in value]
    if value is None or isinstance(value, np.ndarray | np.generic | int | float | str | bytes):
        return value
    raise _Foreign(f"it holds a {type(value).__name__}")
