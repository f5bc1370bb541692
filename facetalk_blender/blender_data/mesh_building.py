"""Meshes from arrays, by the attribute path: an order of magnitude faster than per-element properties.

Large ones are written in pieces of a few milliseconds, so that Blender's window never waits for a whole one. A worker
thread finds the edges, which `Mesh.update(calc_edges=True)` would do in one piece; attributes are written whole, which
costs next to nothing; polygon offsets, which Blender sets one by one in any case, are set a share at a time where there
are many.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import bpy
import numpy as np

from ...engine.shared.shapes import check_polygons, check_positions
from .datablocks import resolve

OFFSETS_AT_ONCE = 120_000  # set in one call, a few milliseconds
OFFSETS_PER_PIECE = 4000  # set one by one, where there are more


def fill_mesh(mesh: bpy.types.Mesh, vertices: np.ndarray, polygons: np.ndarray) -> None:
    """Give an empty mesh its smooth-shaded geometry.

    vertices: (V, 3) float32 metres.
    polygons: (P, 3) int32, or (P, 4) int32 with -1 in the last column of a triangle.

    Raises ValueError for arrays that make no mesh: Blender itself checks nothing and would crash.
    """
    check_positions(vertices)
    corners, starts = corners_of(polygons, len(vertices))
    mesh.vertices.add(len(vertices))
    mesh.loops.add(corners.size)
    mesh.polygons.add(len(polygons))
    mesh.attributes["position"].data.foreach_set("vector", np.ascontiguousarray(vertices, np.float32).ravel())
    mesh.attributes[".corner_vert"].data.foreach_set("value", corners)
    mesh.polygons.foreach_set("loop_start", starts)
    mesh.update(calc_edges=True)


def corners_of(polygons: np.ndarray, vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (C,) int32 of all corners, and the first corner (P,) int32 of every polygon, see `fill_mesh`.

    vertices: how many there are. Raises ValueError for a polygon that names others.
    """
    check_polygons(polygons, vertices)
    sizes = (polygons >= 0).sum(1)  # (P,)
    return polygons[polygons >= 0].astype(np.int32), (np.cumsum(sizes) - sizes).astype(np.int32)


@dataclass(frozen=True)
class Geometry:
    """What is ready to write.

    vertices: (V, 3) float32 metres; corners: (C,) int32 vertices; starts: (P,) int32 first corner of every polygon.
    edges: (E, 2) int32 vertices of every edge; corner_edges: (C,) int32 edge from a corner to the next.
    """

    vertices: np.ndarray
    corners: np.ndarray
    starts: np.ndarray
    edges: np.ndarray
    corner_edges: np.ndarray


def with_edges(vertices: np.ndarray, polygons: np.ndarray) -> Geometry:
    """Find the edges of polygons, see `fill_mesh`. NumPy only, so any thread may call it.

    Raises ValueError for arrays that make no mesh.
    """
    return with_edges_of_corners(vertices, *corners_of(polygons, len(vertices)))


def with_edges_of_corners(vertices: np.ndarray, corners: np.ndarray, starts: np.ndarray) -> Geometry:
    """The same of polygons with any number of corners, see `Geometry`. Raises ValueError for bad positions."""
    check_positions(vertices)
    following = np.arange(1, len(corners) + 1)
    following[np.append(starts[1:], len(corners)) - 1] = starts
    ends = corners[following]
    # Both vertices in one number; half-edges of the same edge get the same one.
    keys = np.minimum(corners, ends).astype(np.int64) << 32 | np.maximum(corners, ends)
    unique, inverse = np.unique(keys, return_inverse=True)
    edges = np.stack([unique >> 32, unique & 0xFFFFFFFF], 1).astype(np.int32)
    vertices = np.ascontiguousarray(vertices, np.float32)
    return Geometry(vertices, corners, starts, edges, inverse.ravel().astype(np.int32))


def mesh_pieces(name: str, geometry: Geometry) -> Generator[None, None, int]:
    """Make one smooth-shaded mesh, a piece of work per item; returns its session_uid.

    Until the last piece the mesh is not fit to be drawn, so no object must use it. Raises DataBlockLost when it
    disappears on the way.
    """
    count = len(geometry.starts)
    mesh = bpy.data.meshes.new(name)
    uid = mesh.session_uid
    mesh.vertices.add(len(geometry.vertices))
    mesh.edges.add(len(geometry.edges))
    mesh.loops.add(len(geometry.corners))
    mesh.polygons.add(count)
    mesh.attributes["position"].data.foreach_set("vector", geometry.vertices.ravel())
    mesh.attributes[".edge_verts"].data.foreach_set("value", geometry.edges.ravel())
    mesh.attributes[".corner_vert"].data.foreach_set("value", geometry.corners)
    corner_edges = mesh.attributes.get(".corner_edge") or mesh.attributes.new(".corner_edge", "INT", "CORNER")
    corner_edges.data.foreach_set("value", geometry.corner_edges)
    yield
    if count <= OFFSETS_AT_ONCE:
        resolve(bpy.data.meshes, uid).polygons.foreach_set("loop_start", geometry.starts)
        yield
    else:
        for first in range(0, count, OFFSETS_PER_PIECE):
            polygons = resolve(bpy.data.meshes, uid).polygons
            for index in range(first, min(first + OFFSETS_PER_PIECE, count)):
                polygons[index].loop_start = geometry.starts[index]
            yield
    resolve(bpy.data.meshes, uid).update()
    yield
    return uid
