"""One frame of frame meshes as a USD file, which Blender's Mesh Sequence Cache and `frame_unpacking` show.

USD compresses whole numbers and nothing else. So places are whole numbers of steps, along x, y and z, and places at
rest are what is added to them; the order of vertices and polygons makes their differences small (`frame_order`).
Vertices of the same look, in steps that cannot be seen, share one entry of a palette (an indexed primvar). The number
of points, whose places Blender wants to read, comes from a file that frames of about as many vertices share. NumPy
only: any thread may call this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....engine.shared.files import replaced
from ....engine.shared.shapes import check_positions
from ...look.appearance import COLOR_ATTRIBUTE, EYE_ATTRIBUTE, REST_ATTRIBUTE, SKIN_ATTRIBUTE, TISSUE_ATTRIBUTE, Look
from .frame_order import in_blocks
from .quads import corners_of, joined
from .usd_crate import Attribute, count_name, counts_file, mesh_file, read_mesh_file

PRIM = "head"
NUMBER_DIGITS = 5
BYTES_PER_VERTEX = 15  # of a file, measured with the starter model
PLACE_STEP = 2.0**-16  # metres: places are at most 0.008 mm off along each axis
REST_STEP = 2.0**-14  # 0.031 mm, as half precision had
# Of linear colours and of weights; the model's own weights have steps of 1 / 255.
LOOK_STEPS = {COLOR_ATTRIBUTE: 2.0**-8, SKIN_ATTRIBUTE: 2.0**-7, TISSUE_ATTRIBUTE: 2.0**-7}
# Whole numbers of steps along x, y and z.
PACKED_PREFIX = "facetalk_packed_"
PLACE_ATTRIBUTES = tuple(f"{PACKED_PREFIX}place_{axis}" for axis in "xyz")
REST_ATTRIBUTES = tuple(f"{PACKED_PREFIX}rest_{axis}" for axis in "xyz")  # added to the place
PALETTES = ((COLOR_ATTRIBUTE, SKIN_ATTRIBUTE, TISSUE_ATTRIBUTE), (EYE_ATTRIBUTE,))  # what goes by the same indices
COUNTS_IN_FILE = 512
VALUE_ATTRIBUTES = (COLOR_ATTRIBUTE, SKIN_ATTRIBUTE, TISSUE_ATTRIBUTE, REST_ATTRIBUTE, EYE_ATTRIBUTE)
_FRAME_NAME = re.compile(r"\.?frame_(counts_)?\d+\.usdc(\.(\w+\.)?part)?")  # what `replaced` writes to included
_PRIMVAR = "primvars:"
_INDICES = ":indices"
_SLOTS = f"{_PRIMVAR}material_index"


@dataclass(frozen=True)
class FrameMesh:
    """One frame: vertices (V, 3) float32 metres, corners and starts as `mesh_building.corners_of` gives them, look.

    ends: (N, 2) between which two earlier vertices each of the last N lies, where that is known.
    """

    vertices: np.ndarray
    corners: np.ndarray
    starts: np.ndarray
    look: Look
    ends: np.ndarray | None = None

    def of_quads(self) -> FrameMesh:
        """The same surface of quads, and then the triangles that are left, see `quads.joined`; others stay as it is."""
        if len(self.corners) != 3 * len(self.starts) or not (np.diff(self.starts) == 3).all():
            return self
        faces = self.corners.reshape(-1, 3)
        quads, triangles, slots = joined(self.vertices, faces, self.look.slots)
        return FrameMesh(self.vertices, *corners_of(quads, triangles), Look(self.look.values, slots))


def frame_path(folder: Path, number: int) -> Path:
    """File of a frame; numbers count from 1."""
    return folder / f"frame_{number:0{NUMBER_DIGITS}d}.usdc"


def counts_path(folder: Path, count: int) -> Path:
    """File that frames of about `count` vertices share, see `usd_crate.counts_file`."""
    return folder / f"frame_counts_{count - count % COUNTS_IN_FILE:0{NUMBER_DIGITS}d}.usdc"


def is_frame_file(path: Path) -> bool:
    """Whether a file has the name of a frame's, or of what frames share, complete or not."""
    return _FRAME_NAME.fullmatch(path.name) is not None


def is_shared_file(path: Path) -> bool:
    """Whether a file has the name of what frames share."""
    return is_frame_file(path) and "counts" in path.name


def write_frame(path: Path, frame: FrameMesh) -> None:
    """Write a file that is complete as soon as it is there. Raises OSError and leaves nothing, ValueError."""
    content = content_of(frame)
    count = len(frame.vertices)
    shared = counts_path(path.parent, count)
    if not shared.is_file():
        first = count - count % COUNTS_IN_FILE
        _write_whole(shared, counts_file(range(first, first + COUNTS_IN_FILE)))
    _write_whole(path, content)


def copy_frame(source: Path, path: Path) -> None:
    """Write a file with the content of another, and what frames of its folder share. Raises OSError."""
    for shared in source.parent.glob("frame_counts_*.usdc"):
        if not (path.parent / shared.name).is_file():
            _write_whole(path.parent / shared.name, shared.read_bytes())
    _write_whole(path, source.read_bytes())


def _write_whole(path: Path, data: bytes) -> None:
    with replaced(path) as part:
        part.write_bytes(data)


def content_of(frame: FrameMesh) -> bytes:
    """What the file of a frame holds. Raises ValueError for positions that are not finite."""
    check_positions(frame.vertices)
    ordered = in_blocks(frame.vertices, frame.corners, frame.starts)
    order, slots = ordered.vertices, frame.look.slots[ordered.polygons]
    counts = np.diff(ordered.starts, append=len(ordered.corners))
    attributes = {
        "faceVertexCounts": Attribute("int[]", counts.astype("<i4")),
        "faceVertexIndices": Attribute("int[]", np.ascontiguousarray(ordered.corners, "<i4")),
        "subdivisionScheme": Attribute("token", "none"),
        _SLOTS: Attribute("int[]", np.ascontiguousarray(slots, "<i4"), "uniform"),
    }
    attributes |= _packed_places(frame, order)
    for names in PALETTES:
        present = [name for name in names if name in frame.look.values]
        attributes |= _with_palette({name: in_steps(name, frame.look.values[name][order, :3]) for name in present})
    count = len(order)
    return mesh_file(PRIM, attributes, (f"./{counts_path(Path(), count).name}", count_name(count)))


def in_steps(name: str, values: np.ndarray) -> np.ndarray:
    """Values of an attribute, rounded as they are stored."""
    step = LOOK_STEPS.get(name)
    return (np.round(values / step) * step if step else values).astype(np.float32)


def _with_palette(columns: dict[str, np.ndarray]) -> dict[str, Attribute]:
    """Attributes (V, 3) by name, as entries of one palette."""
    attributes, first = {}, 0
    palette, indices = _palette(np.concatenate(list(columns.values()), 1)) if columns else (None, None)
    for name in columns:
        kind = "color3h[]" if name == COLOR_ATTRIBUTE else "vector3h[]"
        entries = np.ascontiguousarray(palette[:, first : first + 3], "<f2")
        first += 3
        attributes[_PRIMVAR + name] = Attribute(kind, entries, "vertex")
        attributes[_PRIMVAR + name + _INDICES] = Attribute("int[]", indices)
    return attributes


def _packed_places(frame: FrameMesh, order: np.ndarray) -> dict[str, Attribute]:
    steps = np.round(frame.vertices[order] / PLACE_STEP)  # (V, 3)
    packed = dict(zip(PLACE_ATTRIBUTES, steps.T, strict=True))
    if REST_ATTRIBUTE in frame.look.values:
        added = np.round((frame.look.values[REST_ATTRIBUTE][order] - steps * PLACE_STEP) / REST_STEP)
        packed |= zip(REST_ATTRIBUTES, added.T, strict=True)
    return {_PRIMVAR + name: Attribute("int[]", column.astype("<i4"), "vertex") for name, column in packed.items()}


def read_frame(path: Path) -> FrameMesh:
    """A frame from its file. Raises OSError, and ValueError when it holds something else."""
    stored = read_mesh_file(path.read_bytes())
    try:
        corners, vertices = stored["faceVertexIndices"].value, _vertices(stored)
        counts, slots = stored["faceVertexCounts"].value, stored[_SLOTS].value
    except KeyError as error:
        raise ValueError("no frame written by FaceTalk") from error
    sound = len(counts) == len(slots) and counts.sum(dtype=np.int64) == len(corners) and (counts >= 3).all()
    if not sound or not ((corners >= 0) & (corners < len(vertices))).all():
        raise ValueError("polygons without vertices")
    values = {}
    for key, attribute in stored.items():
        name = key.removeprefix(_PRIMVAR)
        if name not in VALUE_ATTRIBUTES:
            continue
        array = attribute.value.astype("<f4")
        if key + _INDICES in stored:
            array = array[_checked(stored[key + _INDICES].value, len(array))]
        if len(array) != len(vertices):
            raise ValueError("an attribute of another mesh")
        values[name] = np.c_[array, np.ones(len(array), np.float32)] if name == COLOR_ATTRIBUTE else array
    if (rest := _unpacked(stored, REST_ATTRIBUTES, REST_STEP)) is not None:
        values[REST_ATTRIBUTE] = (vertices + rest).astype("<f4")
    starts = (np.cumsum(counts) - counts).astype(np.int32)
    return FrameMesh(vertices, corners, starts, Look(values, slots))


def _vertices(stored: dict[str, Attribute]) -> np.ndarray:
    """Places (V, 3), also of frames of an earlier version. Raises KeyError when there are none."""
    packed = _unpacked(stored, PLACE_ATTRIBUTES, PLACE_STEP)
    return stored["points"].value if packed is None else packed


def _unpacked(stored: dict[str, Attribute], names: tuple[str, ...], step: float) -> np.ndarray | None:
    """Vectors (V, 3) from whole numbers of steps; None when there are none."""
    if _PRIMVAR + names[0] not in stored:
        return None
    columns = [stored[_PRIMVAR + name].value for name in names]
    return (np.stack(columns, 1) * step).astype("<f4")  # raises ValueError for columns of several lengths


def _checked(indices: np.ndarray, count: int) -> np.ndarray:
    if len(indices) and not 0 <= indices.min() <= indices.max() < count:
        raise ValueError("an index beyond its palette")
    return indices


def _palette(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct ones of rows (V, n) float32, and which of them every row is, (V,) int32."""
    bits = np.ascontiguousarray(rows, "<f4").view("<u4").astype(np.uint64)
    # Sorting one number for each row is much faster than sorting rows.
    factors = np.random.default_rng(0).integers(1, 2**63, rows.shape[1], dtype=np.uint64)
    _, first, indices = np.unique((bits * factors).sum(1), return_index=True, return_inverse=True)
    order = np.argsort(first)  # in the order in which they come, so that indices of neighbours are alike
    number = np.empty(len(order), np.int32)
    number[order] = np.arange(len(order))
    palette, indices = rows[first[order]].astype("<f4"), number[indices.ravel()].astype("<i4")
    if not np.array_equal(palette[indices], rows):
        return rows.astype("<f4"), np.arange(len(rows), dtype="<i4")
    return palette, indices
