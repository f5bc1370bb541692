"""Triangles joined to quads, which show the same surface: half the polygons, two thirds of the corners and edges.

Blender divides a quad along the diagonal from its first corner; that is where the two triangles met. NumPy only: any
thread may call it.
"""

from __future__ import annotations

import numpy as np

LEAST_COSINE = 0.7  # between the normals of two triangles: flatter pairs are divided along no other diagonal
LEAST_FACES = 2000  # fewer are left alone
ROUNDS = 8  # of choosing partners; few triangles find one later


def joined(vertices: np.ndarray, faces: np.ndarray, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Quads (Q, 4) int32 of vertices (V, 3) and triangles (F, 3), triangles that found no partner, and all their slots.

    slots: (F,) of the triangles; only those of the same slot are joined.
    """
    if len(faces) < LEAST_FACES:
        return np.empty((0, 4), np.int32), faces, slots
    corners = faces.ravel()
    first, second = _of_neighbours(vertices, faces, slots)
    left = np.ones(len(faces), bool)
    left[first // 3] = left[second // 3] = False
    left = np.flatnonzero(left)
    more = _of_all(vertices, faces[left], slots[left])
    first, second = (np.concatenate([a, 3 * left[b // 3] + b % 3]) for a, b in zip((first, second), more, strict=True))
    quads = np.stack([corners[first], corners[_before(second)], corners[_next(first)], corners[_before(first)]], 1)
    left = np.ones(len(faces), bool)
    left[first // 3] = left[second // 3] = False
    return quads.astype(np.int32), faces[left], np.concatenate([slots[first // 3], slots[left]])


def corners_of(quads: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners (C,) and starts (P,) int32, as `mesh_building.corners_of` has them: of quads first, then of triangles."""
    corners = np.concatenate([quads.ravel(), triangles.ravel()]).astype(np.int32)
    ends = 4 * len(quads)
    return corners, np.concatenate([np.arange(0, ends, 4), np.arange(ends, len(corners), 3)]).astype(np.int32)


def leading_corner(polygons: np.ndarray) -> np.ndarray:
    """The corner (P,) with which polygons (P, 4) or (P, 3) best begin: the first vertex, of a quad on its diagonal.

    A quad's first and third corner are on the diagonal along which it is divided, so one of the two must come first.
    """
    return 2 * (polygons[:, 0] > polygons[:, 2]) if polygons.shape[1] == 4 else polygons.argmin(1)


def halves(quads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two triangles (Q, 3) into which Blender divides each of quads (Q, 4)."""
    return quads[:, :3], quads[:, [0, 2, 3]]


def still_fit(
    vertices: np.ndarray, faces: np.ndarray, slots: np.ndarray, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """Which pairs (Q,) of triangles, that have been joined before, may be joined where the vertices are now."""
    return _fits(vertices, faces, slots, 3 * first, 3 * second)


def _next(corner: np.ndarray) -> np.ndarray:
    """The next corner of the same triangle."""
    return corner + 1 - 3 * (corner % 3 == 2)


def _before(corner: np.ndarray) -> np.ndarray:
    """The corner before of the same triangle."""
    return corner - 1 + 3 * (corner % 3 == 0)


def _of_neighbours(vertices: np.ndarray, faces: np.ndarray, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of corners (Q,), at which the edge begins that two triangles lose, of triangles one after another.

    Marching cubes gives those of a cell together: it costs no search, and the next frame's come out alike.
    """
    ends = np.roll(faces, -1, 1)
    first, second = np.full(len(faces) - 1, -1), np.zeros(len(faces) - 1, np.int64)
    for k in range(3):
        for m in range(3):
            shared = (faces[:-1, k] == ends[1:, m]) & (ends[:-1, k] == faces[1:, m])
            first[shared], second[shared] = k, m
    pairs = np.flatnonzero(first >= 0)
    first, second = 3 * pairs + first[pairs], 3 * (pairs + 1) + second[pairs]
    fits = _fits(vertices, faces, slots, first, second)
    pairs, first, second = pairs[fits], first[fits], second[fits]
    # Of pairs that overlap, every other one.
    begins = np.diff(pairs, prepend=-2) > 1
    within = np.arange(len(pairs)) - np.flatnonzero(begins)[np.cumsum(begins) - 1]
    chosen = within % 2 == 0
    return first[chosen], second[chosen]


def _of_all(vertices: np.ndarray, faces: np.ndarray, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same of any triangles that share an edge."""
    first, second, lengths = _candidates(vertices, faces, slots)
    partner = _partners(first // 3, second // 3, lengths, len(faces))
    chosen = partner[first // 3] == second // 3
    return first[chosen], second[chosen]


def _fits(
    vertices: np.ndarray, faces: np.ndarray, slots: np.ndarray, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """Which pairs of triangles, by their corners, may become quads."""
    normals = []
    for corner in (first, second):
        a, b, c = vertices[faces[corner // 3]].transpose(1, 0, 2)
        normal = np.cross(b - a, c - a)
        normals.append(normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20))
    flat = np.einsum("ij,ij->i", *normals) > LEAST_COSINE
    return flat & (slots[first // 3] == slots[second // 3])


def _candidates(vertices: np.ndarray, faces: np.ndarray, slots: np.ndarray) -> tuple[np.ndarray, ...]:
    """Pairs of corners at which an edge begins that two triangles share and a quad may lose, and its length.

    A pair may come twice only where more than two triangles meet at an edge.
    """
    corners, ends = faces.ravel(), np.roll(faces, -1, 1).ravel()
    keys = np.minimum(corners, ends).astype(np.int64) << 32 | np.maximum(corners, ends)
    order = np.argsort(keys)
    same = np.flatnonzero(keys[order[1:]] == keys[order[:-1]])
    first, second = order[same], order[same + 1]
    fits = _fits(vertices, faces, slots, first, second) & (corners[first] == ends[second])
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
