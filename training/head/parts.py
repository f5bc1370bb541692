"""Parts of ICT-FaceKit's mesh that its submeshes do not name: the tongue, the eyeballs' outer side, rims of holes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

TONGUE_POINTS = ((0.0, -0.183, 0.02), (0.0, -0.266, 0.06))  # on the mean head's tongue, and on the floor beneath


@dataclass(frozen=True)
class KitMesh:
    """The mesh of the morphable head, whatever pose it takes.

    Attributes:
        neutral: (V, 3) float32, mean head with closed mouth.
        triangles: (T, 3) int64; triangle_submesh: (T,) number in submesh_names.
        polygons, polygon_uv, uv: quads and triangles (-1 pads) with texture coordinates.
        submesh_names, submesh_vertices: names and (start, end) vertex ranges.
        landmarks: (68,) vertices in Multi-PIE order.
    """

    neutral: np.ndarray
    triangles: np.ndarray
    triangle_submesh: np.ndarray
    polygons: np.ndarray
    polygon_submesh: np.ndarray
    polygon_uv: np.ndarray
    uv: np.ndarray
    submesh_names: tuple[str, ...]
    submesh_vertices: np.ndarray
    landmarks: np.ndarray

    def submesh(self, *names: str) -> np.ndarray:
        """Triangles (T, 3) of the named submeshes."""
        numbers = [self.submesh_names.index(name) for name in names]
        return self.triangles[np.isin(self.triangle_submesh, numbers)]


def tongue_vertices(face_kit: KitMesh) -> np.ndarray:
    """Vertices of the texture islands of the gum-and-tongue sheet that lie nearest to TONGUE_POINTS."""
    chosen = face_kit.polygon_submesh == face_kit.submesh_names.index("gums_tongue")
    corners, texture = face_kit.polygons[chosen], face_kit.polygon_uv[chosen]
    quads = texture[(texture >= 0).all(1)]
    edges = np.concatenate([quads[:, [a, (a + 1) % 4]] for a in range(4)])
    size = len(face_kit.uv)
    _, island = connected_components(coo_matrix((np.ones(len(edges)), edges.T), shape=(size, size)), directed=False)
    present = corners >= 0
    vertex, owner = corners[present], island[texture[present]]
    nearest = cKDTree(face_kit.neutral[vertex]).query(TONGUE_POINTS)[1]
    return np.unique(vertex[np.isin(owner, owner[nearest])])


def tongue_triangles(face_kit: KitMesh, tongue: np.ndarray) -> np.ndarray:
    """Triangles (T, 3) of the gum-and-tongue sheet between vertices of the tongue."""
    sheet = face_kit.submesh("gums_tongue")
    return sheet[np.isin(sheet, tongue).all(1)]


def outer_shell(face_kit: KitMesh, submesh: str) -> np.ndarray:
    """(V,) whether a vertex belongs to an eyeball's outer shell, which comes first in the submesh."""
    start = face_kit.submesh_vertices[face_kit.submesh_names.index(submesh), 0]
    triangles = face_kit.submesh(submesh)
    outer = np.zeros(len(face_kit.neutral), bool)
    outer[start] = True
    while True:
        touched = outer[triangles].any(1)
        if outer[triangles[touched]].all():
            return outer
        outer[triangles[touched]] = True


def eye_rim(face_kit: KitMesh, side: float) -> np.ndarray:
    """Vertices around the hole behind the lids of one eye; side: 1 for the subject's left, -1 for the right."""
    middle = np.concatenate([face_kit.landmarks[36:48]])
    centre = face_kit.neutral[middle[side * face_kit.neutral[middle, 0] > 0]].mean(0)
    loops = boundary_loops(face_kit.submesh("face"))
    return min(loops, key=lambda loop: float(np.linalg.norm(face_kit.neutral[loop].mean(0) - centre)))


def boundary_loops(triangles: np.ndarray) -> list[np.ndarray]:
    """Vertex loops around the holes of a manifold mesh (T, 3), each in the direction of its triangles' edges."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    present = {tuple(edge) for edge in edges.tolist()}
    following = {a: b for a, b in present if (b, a) not in present}
    loops = []
    while following:
        start, vertex = following.popitem()
        loop = [start]
        while vertex != start:
            loop.append(vertex)
            vertex = following.pop(vertex)
        loops.append(np.array(loop))
    return loops
