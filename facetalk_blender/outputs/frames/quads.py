"""Triangles joined to quads, which show the same surface: half the polygons, two thirds of the corners and edges.

Blender divides a quad along the diagonal from its first corner; that is where the two triangles met. NumPy only: any
thread may call it.
"""

from __future__ import annotations

import numpy as np

LEAST_COSINE = 0.7  # between the normals of two triangles: flatter pairs are divided along no other diagonal
LEAST_FACES = 2000  # fewer are left alone
ROUNDS = 8  # of choosing partners; few triangles find one later


def joined(vertices: np.ndarray, faces: np.ndarray, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Polygons (P, 4) int32 of vertices (V, 3) and triangles (F, 3), quads first, and their slots (P,).

    slots: (F,) of the triangles; only those of the same slot are joined. A triangle that finds no partner has -1 as its
    last corner.
    """
    if len(faces) < LEAST_FACES:
        return faces, slots
    first, second, lengths = _candidates(vertices, faces, slots)
    partner = _partners(first // 3, second // 3, lengths, len(faces))
    chosen = partner[first // 3] == second // 3
    first, second = first[chosen], second[chosen]
    corners = faces.ravel()
    following, opposite = _next(first), _next(_next(first))
    quads = np.stack([corners[first], corners[_next(_next(second))], corners[following], corners[opposite]], 1)
    left = np.flatnonzero(partner < 0)
    triangles = np.concatenate([faces[left], np.full((len(left), 1), -1)], 1)
    return np.concatenate([quads, triangles]).astype(np.int32), np.concatenate([slots[first // 3], slots[left]])


def _next(corner: np.ndarray) -> np.ndarray:
    """The next corner of the same triangle."""
    return corner + 1 - 3 * (corner % 3 == 2)


def _candidates(vertices: np.ndarray, faces: np.ndarray, slots: np.ndarray) -> tuple[np.ndarray, ...]:
    """Pairs of corners at which an edge begins that two triangles share and a quad may lose, and its length.

    A pair may come twice only where more than two triangles meet at an edge.
    """
    corners, ends = faces.ravel(), np.roll(faces, -1, 1).ravel()
    keys = np.minimum(corners, ends).astype(np.int64) << 32 | np.maximum(corners, ends)
    order = np.argsort(keys)
    same = np.flatnonzero(keys[order[1:]] == keys[order[:-1]])
    first, second = order[same], order[same + 1]
    points = vertices[faces]
    normals = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    cosines = np.einsum("ij,ij->i", normals[first // 3], normals[second // 3])
    fits = (cosines > LEAST_COSINE) & (slots[first // 3] == slots[second // 3]) & (corners[first] == ends[second])
    first, second = first[fits], second[fits]
    return first, second, np.linalg.norm(vertices[corners[first]] - vertices[ends[first]], axis=1)


def _partners(first: np.ndarray, second: np.ndarray, lengths: np.ndarray, count: int) -> np.ndarray:
    """The triangle that each of `count` is joined with, -1 for none: (count,).

    The longest edges go first, which are diagonals; each round joins the pairs that are the best of both.
    """
    partner = np.full(count, -1)
    for _ in range(ROUNDS):
        order = np.argsort(lengths)
        best = np.full(count, -1)
        best[first[order]] = order  # of several, the last one counts
        other = np.full(count, -1)
        other[second[order]] = order
        best = np.where(_length(lengths, other) > _length(lengths, best), other, best)
        pairs = np.arange(len(first))
        chosen = (best[first] == pairs) & (best[second] == pairs)
        partner[first[chosen]], partner[second[chosen]] = second[chosen], first[chosen]
        open_ = (partner[first] < 0) & (partner[second] < 0)
        first, second, lengths = first[open_], second[open_], lengths[open_]
        if not len(first):
            break
    return partner


def _length(lengths: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Lengths of pairs, -1 where there is none."""
    return np.append(lengths, -1.0)[pairs]
