"""The door for weights and settings that others have made; see `engine.shared.hostile_files`.

Nothing in them is run, and nothing they claim costs memory before it was checked: unpacked sizes, types that a network
can have, and tensors that show the same numbers many times.
"""

from __future__ import annotations

import json
import math
import pickle
import struct
import zipfile
from pathlib import Path

import torch
import yaml
from safetensors.torch import load
from torch import Tensor

from .shared.hostile_files import DEEPEST_JSON, open_regular

LARGEST_WEIGHTS = 1 << 31  # bytes, also as float32
LARGEST_SETTINGS = 1 << 15
LARGEST_HEADER = 1 << 24
MOST_TENSORS = 100_000
TYPES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
DTYPES = (
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
)
_OPENING = (
    yaml.FlowSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.BlockMappingStartToken,
)
_CLOSING = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)


class ForeignObjects(ValueError):
    """A file asks for objects that are no plain values, which would run code."""


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file. Raises OSError, and ValueError for anything that no network has."""
    with open_regular(path, LARGEST_WEIGHTS) as file:
        data = file.read()
    (length,) = struct.unpack_from("<Q", data) if len(data) >= 8 else (LARGEST_HEADER + 1,)
    if length > min(LARGEST_HEADER, len(data)):
        raise ValueError("its header is cut short")
    header = json.loads(data[8 : 8 + length])
    if not isinstance(header, dict) or len(header) > MOST_TENSORS:
        raise ValueError("its header lists no tensors")
    entries = [entry for name, entry in header.items() if name != "__metadata__"]
    if any(not isinstance(entry, dict) or entry.get("dtype") not in TYPES for entry in entries):
        raise ValueError("a tensor has a type that no network has")
    if sum(4 * math.prod(map(int, entry["shape"])) for entry in entries) > LARGEST_WEIGHTS:
        raise ValueError("its tensors are larger than they may be")
    return load(data)


def read_torch(path: Path) -> object:
    """What a PyTorch checkpoint holds, on the CPU.

    Raises OSError, ForeignObjects for objects that would run code, and ValueError for anything that no network has.
    """
    with open_regular(path, LARGEST_WEIGHTS) as file:
        if zipfile.is_zipfile(file):
            _check_archive(file)
        file.seek(0)
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            marks = ("Unsupported global", "Unsupported class", "GLOBAL")
            foreign = any(mark in str(error) for mark in marks)
            raise (ForeignObjects if foreign else ValueError)("it holds no plain weights") from error
        except Exception as error:  # a damaged file can fail in any way
            raise ValueError(f"it cannot be read ({type(error).__name__})") from error
    _check_values(content)
    return content


def read_yaml(path: Path) -> object:
    """The value of a YAML file without references, which could unfold to any size.

    Raises OSError, ForeignObjects for objects that are no plain settings, and ValueError for what is no YAML.
    """
    with open_regular(path, LARGEST_SETTINGS) as file:
        text = file.read().decode("utf-8")
    try:
        _check_tokens(text)
        return yaml.safe_load(text)
    except yaml.constructor.ConstructorError as error:
        raise ForeignObjects(str(error.problem)) from error
    except (yaml.YAMLError, RecursionError, OverflowError, TypeError, AttributeError) as error:
        raise ValueError("it is not valid YAML") from error


def _check_tokens(text: str) -> None:
    """Raises ValueError at the first reference, or where values are nested so deeply that reading takes minutes."""
    depth = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if depth > DEEPEST_JSON or isinstance(token, yaml.AliasToken):
            raise ValueError("it is nested too deeply or has references")


def check_tensor(tensor: Tensor) -> None:
    """Raises ValueError for a tensor that no network has: sparse, quantised, without values, repeated, too large."""
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        raise ValueError("a tensor is not stored as plain numbers")
    if tensor.dtype not in DTYPES:
        raise ValueError(f"a tensor has type {tensor.dtype}")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ValueError("a tensor repeats its numbers")
    if 4 * tensor.numel() > LARGEST_WEIGHTS:
        raise ValueError("a tensor is larger than it may be")


def _check_archive(file) -> None:
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if len(entries) > MOST_TENSORS or sum(entry.file_size for entry in entries) > LARGEST_WEIGHTS:
            raise ValueError("it unpacks to more than it may")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("it is compressed, which checkpoints are not")


def _check_values(content: object) -> None:
    """Check the tensors of nested dictionaries and lists; each is looked at once, however often it is referred to."""
    seen: set[int] = set()
    left, total = [content], 0
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            left += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            left += value
        elif isinstance(value, Tensor):
            check_tensor(value)
            total += 4 * value.numel()
            if total > LARGEST_WEIGHTS:
                raise ValueError("its tensors are larger than they may be")
