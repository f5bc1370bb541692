"""Connected pieces of a closed triangle mesh."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

SIDE_TOLERANCE = 1e-5
Array = np.ndarray | tuple[float, ...]


def piece_volumes(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The piece (V,) of each vertex of a mesh (V, 3), (F, 3), and the pieces' volumes (P,) in cubed model units.

    A hollow, such as the air behind closed lips, has a negative volume.
    """
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(edges), bool), edges.T), shape=(len(vertices), len(vertices)))
    count, piece = connected_components(graph, directed=False)
    corners = np.asarray(vertices, np.float64)[faces] - np.mean(vertices, 0)
    volume = np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    return piece, np.bincount(piece[faces[:, 0]], volume, minlength=count)


def without_small_pieces(
    vertices: np.ndarray, faces: np.ndarray, canonical: np.ndarray, smallest: float, box: tuple[Array, Array]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A mesh and its canonical points (V, 3) without what is not part of its largest piece's body.

    That is solid pieces of less volume than `smallest`, and what the sides of `box` cut: its corners (3,), (3,).
    """
    piece, volumes = piece_volumes(vertices, faces)
    low, high = (np.asarray(corner) for corner in box)
    at_side = ((vertices < low + SIDE_TOLERANCE) | (vertices > high - SIDE_TOLERANCE)).any(1)
    dropped = (volumes > 0) & (volumes < smallest)
    dropped[piece[at_side]] = True
    dropped[volumes.argmax()] = False
    if not dropped.any():
        return vertices, faces, canonical
    kept = ~dropped[piece]
    number = np.cumsum(kept, dtype=np.int32) - 1
    return vertices[kept], number[faces[kept[faces[:, 0]]]], canonical[kept]
