"""Finer triangles where a coarse mesh changes colour: around lips and eyes, where viewports without shaders look torn.

The surface stays where it is. Weights of regions are interpolated; iris and pupil are circles around the gaze, so they
come from directions on the eyeball. NumPy only: any thread may call it.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ...engine.shared.regions import EYE_REGIONS, IRIS_ANGLE, PUPIL_ANGLE
from .appearance import Regions

FINEST = 0.0015  # metres: meshes whose edges are shorter are fine enough
LEAST_FACES = 2000  # of a head; of less nothing is expected
MOST_LEVELS = 2  # how often an edge at a border is halved


def refined(vertices: np.ndarray, faces: np.ndarray, regions: Regions) -> tuple[np.ndarray, np.ndarray, Regions]:
    """Vertices (V, 3), triangles (F, 3) and regions, with finer borders. A mesh that is fine comes back as it is."""
    if len(faces) < LEAST_FACES or (length := _edge_length(vertices, faces)) < FINEST:
        return vertices, faces, regions
    for _ in range(min(math.ceil(math.log2(length / FINEST)), MOST_LEVELS)):
        pairs, faces = _halved(faces, _at_border(faces, regions), len(vertices))
        vertices, regions = _with_middles(vertices, pairs), _regions_with_middles(regions, pairs)
    return vertices, faces, _with_round_irises(regions)


def _edge_length(vertices: np.ndarray, faces: np.ndarray) -> float:
    return float(np.median(np.linalg.norm(vertices[faces[:, 0]] - vertices[faces[:, 1]], axis=1)))


def _at_border(faces: np.ndarray, regions: Regions) -> np.ndarray:
    """Which triangles (F,) are of more than one region or on an eye."""
    strongest = regions.weights.argmax(1)[faces]  # (F, 3)
    eyes = [index for index, name in enumerate(regions.names) if name in EYE_REGIONS]
    return (strongest != strongest[:, :1]).any(1) | np.isin(strongest, eyes).any(1)


def _halved(faces: np.ndarray, chosen: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Halve all edges of the chosen triangles (F,); neighbours are divided along with them.

    Gives the ends (M, 2) of the halved edges, whose middles become vertices number `count` and following, and the
    triangles.
    """
    ends = np.stack([faces, np.roll(faces, -1, 1)], -1).astype(np.int64)  # (F, 3, 2): from corner k to the next
    keys = ends.min(-1) << 32 | ends.max(-1)
    halved = np.unique(keys[chosen])
    place = np.minimum(np.searchsorted(halved, keys), max(len(halved) - 1, 0))
    marked = halved[place] == keys if len(halved) else np.zeros(keys.shape, bool)  # (F, 3)
    middles = count + place
    pairs = np.stack([halved >> 32, halved & 0xFFFFFFFF], 1)
    parts = [faces[~marked.any(1)]]
    for number in (1, 2, 3):
        rows = np.flatnonzero(marked.sum(1) == number)
        # Turn the triangle until its halved edges come first.
        wanted = np.array([True] * number + [False] * (3 - number))
        for turn in range(1 if number == 3 else 3):
            order = np.roll(np.arange(3), -turn)
            same = rows[(marked[rows][:, order] == wanted).all(1)]
            parts += _divided(faces[same][:, order], middles[same][:, order], number)
    return pairs, np.concatenate(parts).astype(faces.dtype)


def _divided(corners: np.ndarray, middles: np.ndarray, number: int) -> list[np.ndarray]:
    """Triangles in place of those (F, 3) whose first `number` edges are halved at middles (F, 3)."""
    (a, b, c), (ab, bc, ca) = corners.T, middles.T
    made = {
        1: ((a, ab, c), (ab, b, c)),
        2: ((ab, b, bc), (a, ab, bc), (a, bc, c)),
        3: ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)),
    }
    return [np.stack(triangle, 1) for triangle in made[number]]


def _with_middles(values: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Values (V, ...) and those half way between pairs (M, 2)."""
    ends = values[pairs].astype(np.float32)
    middles = ends.mean(1)
    if values.dtype.kind == "u":
        middles = np.round(middles)
    return np.concatenate([values, middles.astype(values.dtype)])


def _regions_with_middles(regions: Regions, pairs: np.ndarray) -> Regions:
    count = len(regions.weights)
    rest = None if regions.rest is None else _with_middles(regions.rest, pairs)
    weights = _with_middles(regions.weights, pairs)
    if regions.eye_vertices is None:
        return replace(regions, weights=weights, rest=rest)
    directions = np.zeros((count, 3), np.float32)
    directions[regions.eye_vertices] = regions.eye_directions
    known = np.zeros(count, bool)
    known[regions.eye_vertices] = True
    both = known[pairs].all(1)
    middles = directions[pairs[both]].sum(1)
    middles /= np.maximum(np.linalg.norm(middles, axis=1, keepdims=True), 1e-9)
    eye_vertices = np.concatenate([regions.eye_vertices, count + np.flatnonzero(both)]).astype(np.int32)
    eye_directions = np.concatenate([regions.eye_directions, middles]).astype(np.float32)
    return Regions(regions.names, weights, rest, eye_vertices, eye_directions)


def _with_round_irises(regions: Regions) -> Regions:
    """Weights of the parts of an eye by the angle from the gaze, where that is known."""
    columns = [regions.names.index(name) for name in EYE_REGIONS if name in regions.names]
    if regions.eye_vertices is None or len(columns) != len(EYE_REGIONS):
        return regions
    forward = regions.eye_directions[:, 2] / np.maximum(np.linalg.norm(regions.eye_directions, axis=1), 1e-9)
    angle = np.degrees(np.arccos(np.clip(forward, -1.0, 1.0)))  # (E,)
    part = np.where(angle < PUPIL_ANGLE, "pupil", np.where(angle < IRIS_ANGLE, "iris", "sclera"))
    weights = regions.weights.copy()
    whole = weights[np.ix_(regions.eye_vertices, columns)].sum(1, dtype=np.int32)
    for name, column in zip(EYE_REGIONS, columns, strict=True):
        weights[regions.eye_vertices, column] = np.where(part == name, np.minimum(whole, 255), 0)
    return replace(regions, weights=weights)
