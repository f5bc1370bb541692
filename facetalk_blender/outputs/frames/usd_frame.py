"""One frame of frame meshes as a USD file: what Blender's Mesh Sequence Cache shows is the mesh that was written.

Vertices of the same look share one entry of a palette (an indexed primvar), and what the shader reads is in half
precision, as it comes: a file takes a fifth of the mesh's size in memory. NumPy only: any thread may call this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....engine.shared.files import replaced
from ...look.appearance import COLOR_ATTRIBUTE, EYE_ATTRIBUTE, REST_ATTRIBUTE, SKIN_ATTRIBUTE, TISSUE_ATTRIBUTE, Look
from .usd_crate import Attribute, mesh_file, read_mesh_file

PRIM = "head"
NUMBER_DIGITS = 5
BYTES_PER_VERTEX = 30  # of a file, measured with the starter model
VALUE_ATTRIBUTES = (COLOR_ATTRIBUTE, SKIN_ATTRIBUTE, TISSUE_ATTRIBUTE, REST_ATTRIBUTE, EYE_ATTRIBUTE)
_FRAME_NAME = re.compile(r"\.?frame_\d+\.usdc(\.(\w+\.)?part)?")  # what `replaced` writes to included
_PRIMVAR = "primvars:"
_INDICES = ":indices"
_SLOTS = f"{_PRIMVAR}material_index"


@dataclass(frozen=True)
class FrameMesh:
    """One frame: vertices (V, 3) float32 metres, corners and starts as `mesh_building.corners_of` gives them, look."""

    vertices: np.ndarray
    corners: np.ndarray
    starts: np.ndarray
    look: Look


def frame_path(folder: Path, number: int) -> Path:
    """File of a frame; numbers count from 1."""
    return folder / f"frame_{number:0{NUMBER_DIGITS}d}.usdc"


def is_frame_file(path: Path) -> bool:
    """Whether a file has the name of a frame's, complete or not."""
    return _FRAME_NAME.fullmatch(path.name) is not None


def write_frame(path: Path, frame: FrameMesh) -> None:
    """Write a file that is complete as soon as it is there. Raises OSError and leaves nothing."""
    write_whole(path, content_of(frame))


def write_whole(path: Path, data: bytes) -> None:
    """The same with a content that is known."""
    with replaced(path) as part:
        part.write_bytes(data)


def content_of(frame: FrameMesh) -> bytes:
    """What the file of a frame holds."""
    attributes = {
        "points": Attribute("point3f[]", np.ascontiguousarray(frame.vertices, "<f4")),
        "faceVertexCounts": Attribute("int[]", np.diff(frame.starts, append=len(frame.corners)).astype("<i4")),
        "faceVertexIndices": Attribute("int[]", np.ascontiguousarray(frame.corners, "<i4")),
        "subdivisionScheme": Attribute("token", "none"),
        _SLOTS: Attribute("int[]", np.ascontiguousarray(frame.look.slots, "<i4"), "uniform"),
    }
    columns = {name: array[:, :3] for name, array in frame.look.values.items() if name != REST_ATTRIBUTE}
    palette, indices = _palette(np.concatenate(list(columns.values()), 1))
    first = 0
    for name, array in columns.items():
        kind, dtype = ("color3f[]", "<f4") if name == COLOR_ATTRIBUTE else ("vector3h[]", "<f2")
        entries = np.ascontiguousarray(palette[:, first : first + array.shape[1]], dtype)
        first += array.shape[1]
        attributes[_PRIMVAR + name] = Attribute(kind, entries, "vertex")
        attributes[_PRIMVAR + name + _INDICES] = Attribute("int[]", indices)
    if REST_ATTRIBUTE in frame.look.values:
        rest = np.ascontiguousarray(frame.look.values[REST_ATTRIBUTE], "<f2")
        attributes[_PRIMVAR + REST_ATTRIBUTE] = Attribute("point3h[]", rest, "vertex")
    return mesh_file(PRIM, attributes)


def read_frame(path: Path) -> FrameMesh:
    """A frame from its file. Raises OSError, and ValueError when it holds something else."""
    stored = read_mesh_file(path.read_bytes())
    try:
        vertices, corners = stored["points"].value, stored["faceVertexIndices"].value
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
    starts = (np.cumsum(counts) - counts).astype(np.int32)
    return FrameMesh(vertices, corners, starts, Look(values, slots))


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
    palette, indices = rows[first].astype("<f4"), indices.ravel().astype("<i4")
    if not np.array_equal(palette[indices], rows):
        return rows.astype("<f4"), np.arange(len(rows), dtype="<i4")
    return palette, indices
