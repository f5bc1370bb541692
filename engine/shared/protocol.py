"""Messages between Blender and the engine process.

One message on the wire:

    magic    4 bytes  b"FTK1", the protocol version
    length   uint32   little endian, bytes of the header
    header   JSON     {"kind", "request", "fields", "arrays": [{"name", "dtype", "shape"}, ...]}
    arrays   raw      little-endian bytes of each array, in the header's order

Standard library and NumPy only: both processes import this module.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

MAGIC = b"FTK1"
MAXIMUM_HEADER_BYTES = 1 << 20
MAXIMUM_ARRAY_BYTES = 1 << 32
MAXIMUM_DIMENSIONS = 8
DTYPES = ("<f4", "<f8", "<i4", "|u1")
FINAL_KINDS = ("done", "cancelled", "error")  # the last message of a request
ALIVE = "alive"  # the engine's sign of life, with the request number 0


class ProtocolError(Exception):
    """The bytes received are not a message of this protocol version."""


@dataclass
class Message:
    """One request, answer or event.

    kind: what the message says, e.g. "sample", "surface", "done".
    request: number of the request that it belongs to.
    fields: JSON values.
    arrays: NumPy arrays of float32, float64, int32 or uint8.
    """

    kind: str
    request: int
    fields: dict = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def write_message(stream: BinaryIO, message: Message) -> None:
    """Write one message and flush. Raises ProtocolError for an array type that the protocol does not carry."""
    for part in encoded(message):
        stream.write(part)
    stream.flush()


def encoded(message: Message) -> list[bytes | memoryview]:
    """A message as bytes, in parts. Raises ProtocolError for what the protocol does not carry.

    Arrays that lie in memory as they are sent are not copied: whoever sends minutes of sound waits for nothing. They
    must stay as they are until the parts are written.
    """
    arrays = {name: _little_endian(name, array) for name, array in message.arrays.items()}
    header = json.dumps(
        {
            "kind": message.kind,
            "request": message.request,
            "fields": message.fields,
            "arrays": [{"name": n, "dtype": a.dtype.str, "shape": list(a.shape)} for n, a in arrays.items()],
        }
    ).encode()
    if len(header) > MAXIMUM_HEADER_BYTES:
        raise ProtocolError(f"the message header has {len(header)} bytes")
    contents = (array.reshape(-1).view(np.uint8).data for array in arrays.values())
    return [MAGIC + struct.pack("<I", len(header)) + header, *contents]


def read_message(stream: BinaryIO) -> Message | None:
    """Read one message; None at the end of the stream. Raises ProtocolError for anything malformed."""
    start = stream.read(8)
    if not start:
        return None
    if start[:3] == MAGIC[:3] and start[:4] != MAGIC:
        raise ProtocolError("the engine and the extension are of different versions; restart Blender")
    if len(start) < 8 or start[:4] != MAGIC:
        raise ProtocolError("the stream does not start with a message of this protocol version")
    (length,) = struct.unpack("<I", start[4:])
    if length > MAXIMUM_HEADER_BYTES:
        raise ProtocolError(f"the message header claims {length} bytes")
    header = _parse_header(_read_exactly(stream, length))
    entries = [_check_array_entry(entry) for entry in header["arrays"]]
    sizes = [dtype.itemsize * math.prod(shape) for _, dtype, shape in entries]
    if sum(sizes) > MAXIMUM_ARRAY_BYTES:
        raise ProtocolError("the message is larger than the protocol carries")
    arrays = {}
    for (name, dtype, shape), size in zip(entries, sizes, strict=True):
        arrays[name] = np.frombuffer(_read_exactly(stream, size), dtype).reshape(shape)
    return Message(header["kind"], header["request"], header["fields"], arrays)


def _little_endian(name: str, array: np.ndarray) -> np.ndarray:
    array = np.asarray(array, order="C")
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    if array.dtype.str not in DTYPES:
        raise ProtocolError(f"array '{name}' has type {array.dtype}, which the protocol does not carry")
    return array


def _parse_header(data: bytes) -> dict:
    try:
        header = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("the message header is not JSON") from error
    types = {"kind": str, "request": int, "fields": dict, "arrays": list}
    if not isinstance(header, dict) or any(not isinstance(header.get(key), kind) for key, kind in types.items()):
        raise ProtocolError("the message header lacks kind, request, fields or arrays")
    return header


def _check_array_entry(entry: object) -> tuple[str, np.dtype, list[int]]:
    if not isinstance(entry, dict) or entry.get("dtype") not in DTYPES or not isinstance(entry.get("name"), str):
        raise ProtocolError("an array of the message has no name or an unknown type")
    shape = entry.get("shape")
    if not isinstance(shape, list) or len(shape) > MAXIMUM_DIMENSIONS or not all(map(_is_size, shape)):
        raise ProtocolError(f"array '{entry['name']}' has no valid shape")
    dtype = np.dtype(entry["dtype"])
    return entry["name"], dtype, shape


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAXIMUM_ARRAY_BYTES


def _read_exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise ProtocolError("the stream ended inside a message")
    return data
