"""Meshes as binary USD files (.usdc), written with NumPy alone.

Blender reads USD, but pip's bpy has no Python module for it and Blender's exporter runs on the main thread, in one
call for all frames. The format is Pixar's crate file, version 0.8.0 (OpenUSD, pxr/usd/usd/crateFile.cpp and
integerCoding.cpp); whatever reads USD reads these files. No bpy: any thread may write and
read. What is read back is what was written here; other files are refused.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

VERSION = (0, 8, 0)
OLDER_VERSION = (0, 7, 0)  # of files that were written before, which differ in nothing used here
BOOTSTRAP = struct.Struct("<8s8Bq64x")
LEAST_COMPRESSED = 16  # shorter arrays of integers are stored as they are
LEAST_RUN = 12  # bytes; to shorten less gains nothing

# Numbers of types, crateDataTypes.h, and of specs, SdfSpecType.
INT, FLOAT, DOUBLE, TOKEN, VEC3F, VEC3H, REFERENCES = 3, 8, 9, 11, 24, 25, 35
TOKEN_VECTOR, SPECIFIER, VARIABILITY = 41, 42, 44
ATTRIBUTE_SPEC, PRIM_SPEC, ROOT_SPEC = 1, 6, 7
DEFINED, OVER = 0, 1  # SdfSpecifier
_ARRAY, _INLINED, _COMPRESSED = 1 << 63, 1 << 62, 1 << 61
_ARRAY_TYPES = {"int[]": INT, "float[]": FLOAT, "point3f[]": VEC3F, "float3[]": VEC3F, "color3f[]": VEC3F}
_ARRAY_TYPES |= {"point3h[]": VEC3H, "vector3h[]": VEC3H, "color3h[]": VEC3H}
_DTYPES = {INT: "<i4", FLOAT: "<f4", VEC3F: "<f4", VEC3H: "<f2"}
_END_OF_SET = 0xFFFFFFFF
_LENGTH_STEP = 16  # bytes between the lengths of arrays that lie one over the other


@dataclass(frozen=True)
class Attribute:
    """One attribute of a mesh.

    type_name: "token" for a str, else of an array: "int[]" for (N,) int32, "float[]" for (N,) float32, "point3f[]",
    "float3[]" or "color3f[]" for (N, 3) float32, "point3h[]", "vector3h[]" or "color3h[]" for (N, 3) float16,
    which Blender reads, unlike half3[]. interpolation: of a primvar, "vertex" or "uniform" (per polygon).
    An array that several attributes hold is stored once.
    """

    type_name: str
    value: np.ndarray | str
    interpolation: str = ""


def mesh_file(name: str, attributes: dict[str, Attribute], reference: tuple[str, str] | None = None) -> bytes:
    """A stage with one Mesh prim /name, metres, Z up.

    reference: a file, "./other.usdc", and the name of a prim in it; the mesh has its attributes too.
    """
    return _Writer().of_mesh(name, attributes, reference)


def counts_file(counts: range) -> bytes:
    """A file with a prim for each of some numbers, see `count_name`, whose `points` are so many, all at one place.

    Blender has no other way to learn how many vertices a mesh has. The arrays lie one over the other, so that all
    together take the room of one: the lengths of the later ones are read as coordinates, of less than 1e-38.
    """
    return _Writer().of_counts(counts)


def count_name(count: int) -> str:
    """Name of the prim that has so many points."""
    return f"n{count}"


def read_mesh_file(data: bytes) -> dict[str, Attribute]:
    """The attributes of the mesh in a file of `mesh_file`. Raises ValueError for anything else."""
    try:
        return _Reader(data).attributes()
    except (struct.error, IndexError, KeyError, UnicodeDecodeError) as error:
        raise ValueError("no frame written by FaceTalk") from error


class _Writer:
    """One file: values first, then the tables of what they are."""

    def __init__(self):
        self._content = bytearray(BOOTSTRAP.size)
        self._tokens = {"": 0}  # a property's name is stored negated, so number 0 must be none
        self._fields: dict[tuple[int, int], int] = {}  # (token, value) -> number
        self._sets: list[int] = []  # fields of every spec, each list ended by _END_OF_SET
        self._offsets: dict[int, int] = {}  # id of an array -> its value
        self._strings: list[int] = []  # tokens

    def of_mesh(self, name: str, attributes: dict[str, Attribute], reference: tuple[str, str] | None) -> bytes:
        root = {"defaultPrim": self._token(name), "upAxis": self._token("Z")}
        root |= {"metersPerUnit": self._double(1.0), "primChildren": self._token_list([name])}
        prim = {"specifier": self._inlined(SPECIFIER, DEFINED), "typeName": self._token("Mesh")}
        prim["properties"] = self._token_list(list(attributes))
        if reference:
            prim["references"] = self._reference(reference[0], len(attributes) + 2)
        specs = [(ROOT_SPEC, self._set(root)), (PRIM_SPEC, self._set(prim))]
        for attribute in attributes.values():
            fields = {"typeName": self._token(attribute.type_name)}
            if isinstance(attribute.value, str):
                fields |= {"variability": self._inlined(VARIABILITY, 1), "default": self._token(attribute.value)}
            else:
                fields["default"] = self._array(attribute)
            if attribute.interpolation:
                fields["interpolation"] = self._token(attribute.interpolation)
            specs.append((ATTRIBUTE_SPEC, self._set(fields)))
        elements = [0, self._number(name), *(-self._number(key) for key in attributes)]
        # What follows an element: a child alone, a sibling alone (0), nothing.
        jumps = [-1, -1] + [0] * (len(attributes) - 1) + [-2]
        if reference:  # its path follows, a sibling of the mesh
            jumps[1] = len(attributes) + 1
            elements, jumps = [*elements, self._number(reference[1])], [*jumps, -2]
        return self._complete(specs, elements, jumps)

    def of_counts(self, counts: range) -> bytes:
        names = [count_name(count) for count in counts]
        specs = [(ROOT_SPEC, self._set({"primChildren": self._token_list(names)}))]
        prim = {"specifier": self._inlined(SPECIFIER, OVER), "properties": self._token_list(["points"])}
        number, type_name = self._set(prim), self._token("point3f[]")
        self._content += bytes(-len(self._content) % 8)
        begin = len(self._content)
        self._content += bytes(_LENGTH_STEP * len(counts) + 12 * counts[-1])
        for position, count in enumerate(counts):
            struct.pack_into("<Q", self._content, begin + _LENGTH_STEP * position, count)
            value = _ARRAY | VEC3F << 48 | begin + _LENGTH_STEP * position
            specs += [(PRIM_SPEC, number), (ATTRIBUTE_SPEC, self._set({"typeName": type_name, "default": value}))]
        points = -self._number("points")
        elements = [0] + [element for name in names for element in (self._number(name), points)]
        jumps = [-1] + [2, -2] * (len(names) - 1) + [-1, -2]
        return self._complete(specs, elements, jumps)

    def _complete(self, specs: list[tuple[int, int]], elements: list[int], jumps: list[int]) -> bytes:
        numbers = list(range(len(elements)))
        names = "".join(f"{token}\0" for token in self._tokens).encode()
        values = np.array([value for _, value in self._fields], "<u8").tobytes()
        packed_names, packed_values = _stored(names), _stored(values)
        sections = {
            "TOKENS": struct.pack("<3Q", len(self._tokens), len(names), len(packed_names)) + packed_names,
            "STRINGS": struct.pack(f"<Q{len(self._strings)}I", len(self._strings), *self._strings),
            "FIELDS": _table([token for token, _ in self._fields])
            + struct.pack("<Q", len(packed_values))
            + packed_values,
            "FIELDSETS": _table(self._sets),
            "PATHS": struct.pack("<Q", len(elements)) + _table(numbers, elements, jumps),
            "SPECS": _table(numbers[: len(specs)], [fields for _, fields in specs], [kind for kind, _ in specs]),
        }
        contents = struct.pack("<Q", len(sections))
        for section, data in sections.items():
            contents += struct.pack("<16s2q", section.encode(), len(self._content), len(data))
            self._content += data
        BOOTSTRAP.pack_into(self._content, 0, b"PXR-USDC", *VERSION, 0, 0, 0, 0, 0, len(self._content))
        return bytes(self._content + contents)

    def _number(self, token: str) -> int:
        return self._tokens.setdefault(token, len(self._tokens))

    def _set(self, fields: dict[str, int]) -> int:
        """Where the fields begin among the sets."""
        start = len(self._sets)
        for name, value in fields.items():
            self._sets.append(self._fields.setdefault((self._number(name), value), len(self._fields)))
        self._sets.append(_END_OF_SET)
        return start

    def _inlined(self, kind: int, payload: int) -> int:
        return _INLINED | kind << 48 | payload

    def _token(self, text: str) -> int:
        return self._inlined(TOKEN, self._number(text))

    def _double(self, value: float) -> int:
        return self._inlined(DOUBLE, struct.unpack("<I", struct.pack("<f", value))[0])

    def _token_list(self, texts: list[str]) -> int:
        offset = len(self._content)
        numbers = [self._number(text) for text in texts]
        self._content += struct.pack(f"<Q{len(texts)}I", len(texts), *numbers)
        return TOKEN_VECTOR << 48 | offset

    def _reference(self, asset: str, path: int) -> int:
        """A list of one reference, to the path of that number in another file."""
        place = len(self._content)
        self._strings.append(self._number(asset))
        explicit, offset_and_scale, custom_data = 0b11, (0.0, 1.0), 0
        self._content += struct.pack(
            "<BQIIddQ", explicit, 1, len(self._strings) - 1, path, *offset_and_scale, custom_data
        )
        return REFERENCES << 48 | place

    def _array(self, attribute: Attribute) -> int:
        array, kind = attribute.value, _ARRAY_TYPES[attribute.type_name]
        if id(array) not in self._offsets:
            self._content += bytes(-len(self._content) % 8)  # readers map aligned arrays instead of copying them
            offset = len(self._content)
            compressed = kind == INT and len(array) >= LEAST_COMPRESSED
            data = _table(array) if compressed else struct.pack("<Q", len(array)) + array.tobytes()
            self._content += data
            self._offsets[id(array)] = _ARRAY | (_COMPRESSED if compressed else 0) | kind << 48 | offset
        return self._offsets[id(array)]


class _Reader:
    """One file, in memory. Whatever it claims, nothing outside of it is read and no more memory taken than it fills."""

    def __init__(self, data: bytes):
        self._data = data
        ident, *version, contents = BOOTSTRAP.unpack_from(data)
        if ident != b"PXR-USDC" or tuple(version[:3]) not in (VERSION, OLDER_VERSION):
            raise ValueError("no frame written by FaceTalk")
        (count,) = struct.unpack_from("<Q", data, contents)
        entries = struct.iter_unpack("<16s2q", self._part(contents + 8, 32 * count))
        self._sections = {name.rstrip(b"\0").decode(): (start, size) for name, start, size in entries}

    def attributes(self) -> dict[str, Attribute]:
        names = self._tokens()
        start, _ = self._sections["FIELDS"]
        (fields,), start = self._table(start, 1)
        (size,) = struct.unpack_from("<Q", self._data, start)
        values = np.frombuffer(_contained(self._part(start + 8, size), len(self._data)), "<u8")
        (sets,), _ = self._table(self._sections["FIELDSETS"][0], 1)
        (_, elements, _), _ = self._table(self._sections["PATHS"][0] + 8, 3)
        (paths, starts, kinds), _ = self._table(self._sections["SPECS"][0], 3)
        found = {}
        for element, first, kind in zip(elements[paths], starts, kinds, strict=True):
            if kind == ATTRIBUTE_SPEC:
                end = first + int(np.flatnonzero(sets[first:] == -1)[0])
                facts = {names[fields[number]]: int(values[number]) for number in sets[first:end]}
                found[names[-element]] = self._attribute(names, facts)
        return found

    def _attribute(self, names: list[str], facts: dict[str, int]) -> Attribute:
        type_name = names[facts["typeName"] & 0xFFFFFFFF]
        interpolation = names[facts["interpolation"] & 0xFFFFFFFF] if "interpolation" in facts else ""
        value = facts["default"]
        if type_name == "token":
            return Attribute(type_name, names[value & 0xFFFFFFFF], interpolation)
        kind, offset = _ARRAY_TYPES[type_name], value & (1 << 48) - 1
        if value & _COMPRESSED:
            return Attribute(type_name, self._table(offset, 1)[0][0], interpolation)
        (count,) = struct.unpack_from("<Q", self._data, offset)
        width, dtype = 3 if kind in (VEC3F, VEC3H) else 1, np.dtype(_DTYPES[kind])
        array = np.frombuffer(self._part(offset + 8, dtype.itemsize * width * count), dtype)
        return Attribute(type_name, array.reshape(-1, 3) if width == 3 else array, interpolation)

    def _tokens(self) -> list[str]:
        start, _ = self._sections["TOKENS"]
        _, _, size = struct.unpack_from("<3Q", self._data, start)
        return _contained(self._part(start + 24, size), len(self._data)).decode().split("\0")[:-1]

    def _table(self, start: int, columns: int) -> tuple[list[np.ndarray], int]:
        """The opposite of the function `_table`, and where it ends."""
        (count,) = struct.unpack_from("<Q", self._data, start)
        start, read = start + 8, []
        for _ in range(columns):
            (size,) = struct.unpack_from("<Q", self._data, start)
            read.append(expanded_integers(self._part(start + 8, size), count, len(self._data)))
            start += 8 + size
        return read, start

    def _part(self, start: int, size: int) -> bytes:
        if start < 0 or size < 0 or start + size > len(self._data):
            raise ValueError("the file is cut short")
        return self._data[start : start + size]


def _table(*columns) -> bytes:
    """Columns of 32-bit integers: their length, and each with its size."""
    packed = [compressed_integers(column) for column in columns]
    return struct.pack("<Q", len(columns[0])) + b"".join(struct.pack("<Q", len(data)) + data for data in packed)


def compressed_integers(values) -> bytes:
    """32-bit integers by their differences, each in 0, 1, 2 or 4 bytes, after two bits that say in how many."""
    values = np.asarray(values, np.int64).astype("<u4")
    steps = np.diff(values, prepend=values.dtype.type(0)).view("<i4")
    short = steps == steps.astype(np.int8)
    common = int(np.bincount(steps[short] + 128, minlength=256).argmax()) - 128
    kinds = np.where(short, 1, np.where(steps == steps.astype(np.int16), 2, 3)).astype(np.uint8)
    kinds[steps == common] = 0
    sizes = np.array([0, 1, 2, 4], np.uint8)[kinds]
    data = steps.view(np.uint8).reshape(-1, 4)[np.arange(4) < sizes[:, None]]
    fours = np.append(kinds, np.zeros(-len(kinds) % 4, np.uint8)).reshape(-1, 4)
    packed = (fours * np.array([1, 4, 16, 64], np.uint8)).sum(1, dtype=np.uint8)
    return _stored(struct.pack("<i", common) + packed.tobytes() + data.tobytes())


def expanded_integers(data: bytes, count: int, limit: int) -> np.ndarray:
    """The opposite of `compressed_integers`; (count,) int32. Raises ValueError when there are not as many.

    limit: how many bytes they may take before they are expanded.
    """
    data = _contained(data, limit)
    packed = np.frombuffer(data, np.uint8, offset=4)
    if count > 4 * len(packed):
        raise ValueError("too few integers")
    kinds = (packed[: -(-count // 4), None] >> np.array([0, 2, 4, 6], np.uint8) & 3).ravel()[:count]
    sizes = np.array([0, 1, 2, 4], np.uint8)[kinds]
    raw = np.zeros((count, 4), np.uint8)
    raw[np.arange(4) < sizes[:, None]] = packed[-(-count // 4) :]
    steps = np.full(count, struct.unpack_from("<i", data)[0], "<i4")
    for kind, width in ((1, 1), (2, 2), (3, 4)):
        steps[kinds == kind] = np.ascontiguousarray(raw[kinds == kind, :width]).view(f"<i{width}").ravel()
    return np.cumsum(steps.view("<u4"), dtype=np.uint32).view("<i4")


def _stored(data: bytes) -> bytes:
    """One LZ4 block, which is what the format wants around tables; the first byte: one block.

    Of all that repeats, runs of one byte alone are shortened: what says how many bytes an integer has is full of them.
    """
    values = np.frombuffer(data, np.uint8)
    edges = np.flatnonzero(np.diff(values, prepend=-1, append=-1))  # where runs begin, and the end
    lengths = np.diff(edges)
    # The last run must begin at least 12 bytes before the end, and the last 5 bytes be stored as they are.
    long = np.flatnonzero((lengths >= LEAST_RUN) & (edges[:-1] < len(data) - 12))
    packed, place = bytearray(1), 0
    for begin, length in zip(edges[long].tolist(), lengths[long].tolist(), strict=True):
        repeated = min(begin + length, len(data) - 5) - begin - 1
        packed += _sequence(data[place : begin + 1], repeated)
        place = begin + 1 + repeated
    return bytes(packed + _sequence(data[place:], 0))


def _sequence(literals: bytes, repeated: int) -> bytes:
    """Literals, of which the last one is repeated; how often, 0 at the end of a block alone."""
    more = max(repeated - 4, 0)
    packed = bytes([min(len(literals), 15) << 4 | min(more, 15)]) + _rest_of_length(len(literals)) + literals
    return packed + b"\1\0" + _rest_of_length(more) if repeated else packed


def _rest_of_length(length: int) -> bytes:
    """What LZ4 adds to the four bits of a length."""
    return b"\xff" * ((length - 15) // 255) + bytes([(length - 15) % 255]) if length >= 15 else b""


def _contained(data: bytes, limit: int) -> bytes:
    """What `_stored` has wrapped, at most `limit` bytes. Raises ValueError and IndexError for anything else."""
    if data[:1] != b"\0":
        raise ValueError("more than one block")
    found, place = bytearray(), 1
    while True:
        token = data[place]
        length, place = _length(data, place + 1, token >> 4)
        if place + length > len(data):
            raise ValueError("the block is cut short")
        found += data[place : place + length]
        place += length
        if place == len(data):
            break
        if data[place : place + 2] != b"\1\0":
            raise ValueError("more than runs of one byte")
        length, place = _length(data, place + 2, token & 15)
        if len(found) + length + 4 > limit:
            raise ValueError("more than the file can hold")
        found += found[-1:] * (length + 4)
    return bytes(found)


def _length(data: bytes, place: int, begun: int) -> tuple[int, int]:
    """A length from its four bits and what follows, and where that ends."""
    if begun == 15:
        while (more := data[place]) == 0xFF:
            begun, place = begun + 255, place + 1
        begun, place = begun + more, place + 1
    return begun, place
