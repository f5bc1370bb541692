"""Triangle meshes written in pieces of a few milliseconds, so that Blender's window never waits for a whole one.

A worker thread finds the edges, which `Mesh.update(calc_edges=True)` would do in one piece; attributes are written
whole, which costs next to nothing; polygon offsets, which Blender sets one by one in any case, are set a share at a
time where there are many.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np

from .result import resolve

OFFSETS_AT_ONCE = 120_000  # set in one call, a few milliseconds
OFFSETS_PER_PIECE = 4000  # set one by one, where there are more


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


def mesh_pieces(name: str, triangles: Triangles) -> Iterator[int]:
    """Make one smooth-shaded mesh, a piece of work per item; the items are its session_uid.

    Until the last piece the mesh is not fit to be drawn, so no object must use it. Raises ResultLost when it disappears
    on the way.
    """
    count = len(triangles.faces)
    mesh = bpy.data.meshes.new(name)
    uid = mesh.session_uid
    mesh.vertices.add(len(triangles.vertices))
    mesh.edges.add(len(triangles.edges))
    mesh.loops.add(3 * count)
    mesh.polygons.add(count)
    mesh.attributes["position"].data.foreach_set("vector", triangles.vertices.ravel())
    mesh.attributes[".edge_verts"].data.foreach_set("value", triangles.edges.ravel())
    mesh.attributes[".corner_vert"].data.foreach_set("value", triangles.faces.ravel())
    corner_edges = mesh.attributes.get(".corner_edge") or mesh.attributes.new(".corner_edge", "INT", "CORNER")
    corner_edges.data.foreach_set("value", triangles.face_edges.ravel())
    yield uid
    if count <= OFFSETS_AT_ONCE:
        starts = np.arange(0, 3 * count, 3, dtype=np.int32)
        resolve(bpy.data.meshes, uid).polygons.foreach_set("loop_start", starts)
        yield uid
    else:
        for start in range(0, count, OFFSETS_PER_PIECE):
            polygons = resolve(bpy.data.meshes, uid).polygons
            for index in range(start, min(start + OFFSETS_PER_PIECE, count)):
                polygons[index].loop_start = 3 * index
            yield uid
    resolve(bpy.data.meshes, uid).update()
    yield uid
