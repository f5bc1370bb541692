"""Polygons of a mesh: quads and triangles in one table (P, 4), where -1 ends a triangle."""

from __future__ import annotations

import numpy as np


def triangulated(polygons: np.ndarray) -> np.ndarray:
    """Triangles (T, 3) of polygons (P, 4): of each polygon the first three corners, then the other halves of quads."""
    quads = polygons[polygons[:, 3] >= 0]
    return np.concatenate([polygons[:, :3], quads[:, [0, 2, 3]]])


def triangle_normals(corners: np.ndarray) -> np.ndarray:
    """Unit normals (T, 3) of triangles with corners (T, 3, 3), counter-clockwise seen from outside; zero where flat."""
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Unit normals (V, 3) of vertices (V, 3): of their triangles (T, 3), weighted by area.

    They point outwards where triangles are counter-clockwise seen from outside; zero where all triangles are flat.
    """
    corners = vertices[triangles]
    of_triangles = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(vertices)
    for column in triangles.T:
        np.add.at(normals, column, of_triangles)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
