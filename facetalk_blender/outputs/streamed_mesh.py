"""Triangle meshes written in pieces of about a millisecond, so that Blender's window never waits for a whole one.

Three things make that possible: a worker thread finds the edges, which `Mesh.update(calc_edges=True)` would do in one
piece; attributes are written whole, which costs next to nothing; and polygon offsets, which Blender sets one by one,
come with the copy of a mesh that has almost as many triangles, so that few are left to set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np

from .result import resolve

OFFSETS_PER_PIECE = 4000
BASE_SHARE = 0.95  # of the triangles of the first mesh; later ones have about as many


@dataclass(frozen=True)
class Triangles:
    """Geometry ready to write.

    vertices: (V, 3) float32 metres; faces: (F, 3) int32.
    edges: (E, 2) int32 vertices of every edge; face_edges: (F, 3) int32 edge from a corner to the next.
    """

    vertices: np.ndarray
    faces: np.ndarray
    edges: np.ndarray
    face_edges: np.ndarray


def with_edges(vertices: np.ndarray, faces: np.ndarray) -> Triangles:
    """Find the edges of (F, 3) int32 faces. NumPy only, so any thread may call it."""
    ends = np.roll(faces, -1, axis=1)
    # Both vertices in one number; half-edges of the same edge get the same one.
    keys = np.minimum(faces, ends).astype(np.int64) << 32 | np.maximum(faces, ends)
    unique, inverse = np.unique(keys, return_inverse=True)
    edges = np.stack([unique >> 32, unique & 0xFFFFFFFF], 1).astype(np.int32)
    return Triangles(
        np.ascontiguousarray(vertices, np.float32),
        np.ascontiguousarray(faces, np.int32),
        edges,
        inverse.reshape(faces.shape).astype(np.int32),
    )


class StreamedMeshes:
    """Makes meshes of a similar number of triangles, one after the other."""

    def __init__(self) -> None:
        self._base: int | None = None  # session_uid of the mesh whose offsets are shared
        self._base_count = 0

    def pieces(self, name: str, triangles: Triangles) -> Iterator[int]:
        """Make one smooth-shaded mesh, a piece of work per item; the items are its session_uid.

        Until the last piece the mesh is not fit to be drawn, so no object must use it. Raises ResultLost when a mesh
        disappears on the way.
        """
        count = len(triangles.faces)
        if self._base is None or self._base_count > count:
            self.discard()
            yield from self._make_base(f"{name} Offsets", int(BASE_SHARE * count))
        mesh = resolve(bpy.data.meshes, self._base).copy()
        mesh.name = name
        uid = mesh.session_uid
        mesh.vertices.add(len(triangles.vertices))
        mesh.edges.add(len(triangles.edges))
        yield uid
        yield from _add_polygons(uid, self._base_count, count)
        mesh = resolve(bpy.data.meshes, uid)
        mesh.attributes["position"].data.foreach_set("vector", triangles.vertices.ravel())
        mesh.attributes[".edge_verts"].data.foreach_set("value", triangles.edges.ravel())
        mesh.attributes[".corner_vert"].data.foreach_set("value", triangles.faces.ravel())
        corner_edges = mesh.attributes.get(".corner_edge") or mesh.attributes.new(".corner_edge", "INT", "CORNER")
        corner_edges.data.foreach_set("value", triangles.face_edges.ravel())
        mesh.update()
        yield uid

    def discard(self) -> None:
        """Remove what was made only to be copied."""
        for mesh in bpy.data.meshes:
            if mesh.session_uid == self._base:
                bpy.data.meshes.remove(mesh)
                break
        self._base = None

    def _make_base(self, name: str, count: int) -> Iterator[int]:
        mesh = bpy.data.meshes.new(name)
        self._base, self._base_count = mesh.session_uid, count
        yield from _add_polygons(self._base, 0, count)


def _add_polygons(uid: int, present: int, count: int) -> Iterator[int]:
    """Add triangles to those present until there are `count`; they have offsets, and no vertices yet."""
    mesh = resolve(bpy.data.meshes, uid)
    mesh.loops.add(3 * (count - present))
    mesh.polygons.add(count - present)
    for start in range(present, count, OFFSETS_PER_PIECE):
        polygons = resolve(bpy.data.meshes, uid).polygons
        for index in range(start, min(start + OFFSETS_PER_PIECE, count)):
            polygons[index].loop_start = 3 * index
        yield uid
