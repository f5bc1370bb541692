"""What Blender's exporter leaves to be put right in a binary glTF file. No bpy in here."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from ...engine.shared.files import replaced

_HEADER, _CHUNK = struct.Struct("<4s2I"), struct.Struct("<I4s")


def read_json(path: Path) -> dict:
    """The JSON of a .glb file. Raises ValueError for another file."""
    return _parts(path)[0]


def set_rest_weights(path: Path, rest: dict[str, dict[str, float]]) -> None:
    """Give meshes the weights of their rest pose, which the exporter takes from the frame that it stands at.

    rest: value of every shape key, by its name, by the mesh's name.
    """
    content, binary = _parts(path)
    for mesh in content.get("meshes", []):
        values, names = rest.get(mesh.get("name", "")), mesh.get("extras", {}).get("targetNames", [])
        if values is not None and names:
            mesh["weights"] = [values.get(name, 0.0) for name in names]
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    body = _CHUNK.pack(len(text), b"JSON") + text + binary
    with replaced(path) as part:
        part.write_bytes(_HEADER.pack(b"glTF", 2, _HEADER.size + len(body)) + body)


def _parts(path: Path) -> tuple[dict, bytes]:
    """The JSON, and the chunks after it."""
    data = path.read_bytes()
    magic, _, _ = _HEADER.unpack_from(data)
    length, kind = _CHUNK.unpack_from(data, _HEADER.size)
    if magic != b"glTF" or kind != b"JSON":
        raise ValueError("no binary glTF file")
    start = _HEADER.size + _CHUNK.size
    return json.loads(data[start : start + length]), data[start + length :]
