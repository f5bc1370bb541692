"""Meshes from arrays, by the attribute path: an order of magnitude faster than per-element properties."""

from __future__ import annotations

import bpy
import numpy as np


def fill_mesh(mesh: bpy.types.Mesh, vertices: np.ndarray, polygons: np.ndarray) -> None:
    """Give an empty mesh its smooth-shaded geometry.

    vertices: (V, 3) float32 metres.
    polygons: (P, 3) int32, or (P, 4) int32 with -1 in the last column of a triangle.
    """
    corners, starts = corners_of(polygons)
    mesh.vertices.add(len(vertices))
    mesh.loops.add(corners.size)
    mesh.polygons.add(len(polygons))
    mesh.attributes["position"].data.foreach_set("vector", np.ascontiguousarray(vertices, np.float32).ravel())
    mesh.attributes[".corner_vert"].data.foreach_set("value", corners)
    mesh.polygons.foreach_set("loop_start", starts)
    mesh.update(calc_edges=True)


def corners_of(polygons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (C,) int32 of all corners, and the first corner (P,) int32 of every polygon, see `fill_mesh`."""
    sizes = (polygons >= 0).sum(1)  # (P,)
    return polygons[polygons >= 0].astype(np.int32), (np.cumsum(sizes) - sizes).astype(np.int32)
