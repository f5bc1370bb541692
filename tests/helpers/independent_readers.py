"""Readers of Alembic and binary glTF that share nothing with Blender: from the formats' descriptions, with NumPy."""

import json
import struct

import numpy as np

COMPONENTS = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
DATA = 1 << 63  # of an entry of an Ogawa group: data, else a group
DIGEST = 16  # bytes in front of every array of Alembic


def alembic_arrays(path, size):
    """All arrays (N,) float32 of `size` bytes in an Alembic file, in the order in which they lie in it."""
    data = path.read_bytes()
    assert data[:5] == b"Ogawa"
    assert data[5] == 0xFF, "the file was not closed"
    (root,) = struct.unpack_from("<Q", data, 8)
    found, groups = {}, [root]
    while groups:
        at = groups.pop()
        if not at:
            continue
        (count,) = struct.unpack_from("<Q", data, at)
        for child in struct.unpack_from(f"<{count}Q", data, at + 8):
            if not child & DATA:
                groups.append(child)
            elif place := child & ~DATA:
                (length,) = struct.unpack_from("<Q", data, place)
                if length == DIGEST + size:
                    found[place] = np.frombuffer(data, "<f4", size // 4, place + 8 + DIGEST)
    return [found[place] for place in sorted(found)]


class Gltf:
    """A binary glTF file."""

    def __init__(self, path):
        data = path.read_bytes()
        magic, version, length = struct.unpack_from("<4s2I", data)
        assert (magic, version, length) == (b"glTF", 2, len(data))
        (size,) = struct.unpack_from("<I", data, 12)
        self.content = json.loads(data[20 : 20 + size])
        self._binary = data[28 + size :]

    def accessor(self, index):
        """The values (N, width) of an accessor, sparse ones too."""
        entry = self.content["accessors"][index]
        width = WIDTHS[entry["type"]]
        values = np.zeros((entry["count"], width), COMPONENTS[entry["componentType"]])
        if "bufferView" in entry:
            values[:] = self._view(entry, entry["componentType"], entry["count"] * width).reshape(-1, width)
        if sparse := entry.get("sparse"):
            places = self._view(sparse["indices"], sparse["indices"]["componentType"], sparse["count"])
            given = self._view(sparse["values"], entry["componentType"], sparse["count"] * width)
            values[places] = given.reshape(-1, width)
        return values

    def _view(self, entry, component, count):
        view = self.content["bufferViews"][entry["bufferView"]]
        assert "byteStride" not in view
        start = view.get("byteOffset", 0) + entry.get("byteOffset", 0)
        return np.frombuffer(self._binary, COMPONENTS[component], count, start)

    def positions(self, mesh, seconds):
        """Corners (N, 3) of a mesh at a time of the animation, in the axes of glTF: y up."""
        (animation,) = self.content["animations"]
        node = next(number for number, node in enumerate(self.content["nodes"]) if node.get("mesh") == mesh)
        weights = self._weights(animation, node, seconds)
        parts = []
        for primitive in self.content["meshes"][mesh]["primitives"]:
            moved = self.accessor(primitive["attributes"]["POSITION"]).astype(float)
            for weight, target in zip(weights, primitive["targets"], strict=True):
                moved += weight * self.accessor(target["POSITION"])
            parts.append(moved)
        return np.concatenate(parts)

    def _weights(self, animation, node, seconds):
        for channel in animation["channels"]:
            if channel["target"] == {"node": node, "path": "weights"}:
                sampler = animation["samplers"][channel["sampler"]]
                times, values = self.accessor(sampler["input"])[:, 0], self.accessor(sampler["output"])
                table = values.reshape(len(times), -1)
                return [np.interp(seconds, times, column) for column in table.T]
        raise AssertionError("nothing is animated")
