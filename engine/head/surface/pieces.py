"""Connected pieces of a closed triangle mesh."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

SIDE_TOLERANCE = 1e-5
Array = np.ndarray | tuple[float, ...]


def pieces(vertex_count: int, faces: np.ndarray) -> tuple[int, np.ndarray]:
    """How many connected pieces faces (F, 3) make, and the piece (V,) of each vertex.

    Every vertex points to one of its neighbours that comes before it, and so on up to one that points to none. That
    leaves few vertices and edges for a search.
    """
    corners = [np.ascontiguousarray(column) for column in faces.T]
    lowest = np.minimum.reduce(corners)
    first = np.arange(vertex_count, dtype=faces.dtype)
    for corner in corners:  # of the faces that share a vertex one wins, which is as good
        first[corner] = np.minimum(first[corner], lowest)
    while not np.array_equal(further := first[first], first):
        first = further
    number = (np.cumsum(first == np.arange(vertex_count)) - 1)[first]  # (V,)
    ends = np.stack([number[corner] for corner in corners])  # (3, F)
    ends = ends[:, (ends[0] != ends[1]) | (ends[1] != ends[2])]
    edges = np.concatenate([ends[:2], ends[1:]], 1)
    size = int(number.max()) + 1
    graph = coo_matrix((np.ones(edges.shape[1], bool), edges), shape=(size, size))
    count, label = connected_components(graph, directed=False)
    return count, label[number]


def piece_volumes(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The piece (V,) of each vertex of a mesh (V, 3), (F, 3), and the pieces' volumes (P,) in cubed model units.

    A hollow, such as the air behind closed lips, has a negative volume.
    """
    count, piece = pieces(len(vertices), faces)
    return piece, np.bincount(piece[faces[:, 0]], _face_volumes(vertices, faces), minlength=count)


def _face_volumes(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Volumes (F,) between the faces (F, 3) of a mesh and the mean of its vertices (V, 3)."""
    corners = np.asarray(vertices, np.float64)[faces] - np.mean(vertices, 0)
    return np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6


def without_small_pieces(
    vertices: np.ndarray, faces: np.ndarray, smallest: float, box: tuple[Array, Array], *others: np.ndarray
) -> tuple[np.ndarray, ...]:
    """A mesh (V, 3), (F, 3) and other arrays (V, ...) without what is not part of its body, the piece of most faces.

    That is solid pieces of less volume than `smallest`, and what the sides of `box` cut: its corners (3,), (3,).
    """
    count, piece = pieces(len(vertices), faces)
    if count == 1:
        return vertices, faces, *others
    of_face = piece[faces[:, 0]]
    body = np.bincount(of_face).argmax()
    beside = of_face != body
    volumes = np.bincount(of_face[beside], _face_volumes(vertices, faces[beside]), minlength=count)
    low, high = (np.asarray(corner) for corner in box)
    at_side = ((vertices < low + SIDE_TOLERANCE) | (vertices > high - SIDE_TOLERANCE)).any(1)
    dropped = (volumes > 0) & (volumes < smallest)
    dropped[piece[at_side]] = True
    dropped[body] = False
    if not dropped.any():
        return vertices, faces, *others
    kept = ~dropped[piece]
    number = np.cumsum(kept, dtype=np.int32) - 1
    return vertices[kept], number[faces[kept[faces[:, 0]]]], *(other[kept] for other in others)
