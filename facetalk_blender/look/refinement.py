"""Triangles that follow the borders of colours, where viewports without shaders look torn: around lips and eyes.

A coarse mesh gets finer there, and any mesh is cut along the borders. The surface stays where it is.
Weights of regions are interpolated; iris and pupil are circles around the gaze, so they come from directions on the
eyeball. NumPy only: any thread may call it.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ...engine.shared.regions import EYE_REGIONS, IRIS_ANGLE, PUPIL_ANGLE
from .appearance import Regions

# Metres. A mesh whose edges are no longer than FINE_ENOUGH, as at 128 points a side, is only cut along borders; what is
# coarser is halved until edges at borders are shorter than FINEST.
FINE_ENOUGH, FINEST = 0.0025, 0.0015
LEAST_FACES = 2000  # of a head; of less nothing is expected
MOST_LEVELS = 2  # how often an edge at a border is halved
OUTLINED = (EYE_REGIONS, ("lips",), ("teeth",))  # whose borders a mesh of any fineness is cut along
BORDER_WIDTH = 0.8  # degrees around the gaze, over which the colours of iris and pupil blend in a mesh that is cut
RING_WIDTH = 3.0  # and in one that is not: no less than the distance of the rings of vertices of a template's eye


def refined(
    vertices: np.ndarray, faces: np.ndarray, regions: Regions
) -> tuple[np.ndarray, np.ndarray, Regions, np.ndarray]:
    """Vertices (V, 3), triangles (F, 3) and regions, with finer borders and round irises.

    The last array (N, 2) tells between which two earlier vertices each of the last N lies.
    """
    ends = [np.empty((0, 2), np.int64)]
    if len(faces) < LEAST_FACES:
        return vertices, faces, regions, ends[0]
    length = _edge_length(vertices, faces)
    levels = math.ceil(math.log2(length / FINEST)) if length > FINE_ENOUGH else 0
    for _ in range(min(levels, MOST_LEVELS)):
        edges = np.unique(_edges(faces)[0][_at_border(faces, regions)])
        pairs, faces = _cut(faces, edges, len(vertices))
        ends.append(pairs)
        middles = np.full(len(pairs), 0.5, np.float32)
        vertices, regions = _with_points(vertices, pairs, middles), _regions_with_points(regions, pairs, middles)
    for names in OUTLINED:
        columns = np.isin(regions.names, names)
        level = regions.weights @ np.where(columns, 1, -1).astype(np.float32)  # (V,): greater than 0 in these regions
        vertices, faces, regions, pairs = _outlined(vertices, faces, regions, level)
        ends.append(pairs)
    if regions.eye_vertices is not None:
        for angle in (PUPIL_ANGLE, IRIS_ANGLE):
            for side in (-0.5, 0.5):
                circle = math.radians(angle + side * BORDER_WIDTH)
                vertices, faces, regions, pairs = _with_circle(vertices, faces, regions, circle)
                ends.append(pairs)
        regions = with_round_irises(regions, BORDER_WIDTH)
    return vertices, faces, regions, np.concatenate(ends)


def _edge_length(vertices: np.ndarray, faces: np.ndarray) -> float:
    return float(np.median(np.linalg.norm(vertices[faces[:, 0]] - vertices[faces[:, 1]], axis=1)))


def _at_border(faces: np.ndarray, regions: Regions) -> np.ndarray:
    """Which triangles (F,) are of more than one region or on an eye."""
    strongest = regions.weights.argmax(1)[faces]  # (F, 3)
    eyes = [index for index, name in enumerate(regions.names) if name in EYE_REGIONS]
    return (strongest != strongest[:, :1]).any(1) | np.isin(strongest, eyes).any(1)


def _edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A number for the edge from every corner to the next (F, 3), the same for both its triangles; its ends
    (F, 3, 2)."""
    ends = np.stack([faces, np.roll(faces, -1, 1)], -1).astype(np.int64)
    return ends.min(-1) << 32 | ends.max(-1), ends


def _cut(faces: np.ndarray, edges: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Divide all triangles at edges (M,), given by their sorted numbers.

    Gives the ends (M, 2) of the edges, on which vertices number `count` and following lie, and the triangles.
    """
    keys, _ = _edges(faces)
    place = np.minimum(np.searchsorted(edges, keys), max(len(edges) - 1, 0))
    marked = edges[place] == keys if len(edges) else np.zeros(keys.shape, bool)  # (F, 3)
    points = count + place
    pairs = np.stack([edges >> 32, edges & 0xFFFFFFFF], 1)
    parts = [faces[~marked.any(1)]]
    for number in (1, 2, 3):
        rows = np.flatnonzero(marked.sum(1) == number)
        # Turn the triangle until its cut edges come first.
        wanted = np.array([True] * number + [False] * (3 - number))
        for turn in range(1 if number == 3 else 3):
            order = np.roll(np.arange(3), -turn)
            same = rows[(marked[rows][:, order] == wanted).all(1)]
            parts += _divided(faces[same][:, order], points[same][:, order], number)
    return pairs, np.concatenate(parts).astype(faces.dtype)


def _divided(corners: np.ndarray, points: np.ndarray, number: int) -> list[np.ndarray]:
    """Triangles in place of those (F, 3) whose first `number` edges are cut at points (F, 3)."""
    (a, b, c), (ab, bc, ca) = corners.T, points.T
    made = {
        1: ((a, ab, c), (ab, b, c)),
        2: ((ab, b, bc), (a, ab, bc), (a, bc, c)),
        3: ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)),
    }
    return [np.stack(triangle, 1) for triangle in made[number]]


def _with_points(values: np.ndarray, pairs: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Values (V, ...), and those at shares (M,) of the way between pairs (M, 2)."""
    first, second = values[pairs].astype(np.float32).swapaxes(0, 1)
    points = first + shares.reshape(-1, *[1] * (values.ndim - 1)) * (second - first)
    if values.dtype.kind == "u":
        points = np.round(points)
    return np.concatenate([values, points.astype(values.dtype)])


def _regions_with_points(regions: Regions, pairs: np.ndarray, shares: np.ndarray) -> Regions:
    count = len(regions.weights)
    rest = None if regions.rest is None else _with_points(regions.rest, pairs, shares)
    weights = _with_points(regions.weights, pairs, shares)
    if regions.eye_vertices is None:
        return replace(regions, weights=weights, rest=rest)
    known, directions = _directions(regions)
    both = known[pairs].all(1)
    points = _with_points(directions, pairs[both], shares[both])[count:]
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    eye_vertices = np.concatenate([regions.eye_vertices, count + np.flatnonzero(both)]).astype(np.int32)
    eye_directions = np.concatenate([regions.eye_directions, points]).astype(np.float32)
    return Regions(regions.names, weights, rest, eye_vertices, eye_directions)


def _directions(regions: Regions) -> tuple[np.ndarray, np.ndarray]:
    """Which vertices (V,) lie on an eye, and the directions (V, 3) there."""
    known = np.zeros(len(regions.weights), bool)
    known[regions.eye_vertices] = True
    directions = np.zeros((len(known), 3), np.float32)
    lengths = np.linalg.norm(regions.eye_directions, axis=1, keepdims=True)
    directions[regions.eye_vertices] = regions.eye_directions / np.maximum(lengths, 1e-9)
    return known, directions


def _outlined(
    vertices: np.ndarray, faces: np.ndarray, regions: Regions, level: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Regions, np.ndarray]:
    """Triangles cut where a level (V,) is 0, so that none lies on both sides; between which vertices new ones lie.

    A level that is not known is NaN: there nothing is cut.
    """
    inside, outside = level > 0, level <= 0
    mixed = inside[faces].any(1) & outside[faces].any(1)
    keys, ends = _edges(faces[mixed])
    edges = np.unique(keys[inside[ends].any(-1) & outside[ends].any(-1)])
    pairs, cut = _cut(faces[mixed], edges, len(vertices))
    first, second = np.abs(level[pairs]).T
    shares = (first / (first + second)).astype(np.float32)
    faces = np.concatenate([faces[~mixed], cut])
    return _with_points(vertices, pairs, shares), faces, _regions_with_points(regions, pairs, shares), pairs


def _with_circle(
    vertices: np.ndarray, faces: np.ndarray, regions: Regions, angle: float
) -> tuple[np.ndarray, np.ndarray, Regions, np.ndarray]:
    """Triangles cut along the circle at an angle (radians) from the gaze; between which vertices new ones lie."""
    known, directions = _directions(regions)
    level = np.where(known, angle - np.arccos(np.clip(directions[:, 2], -1.0, 1.0)), np.nan)
    vertices, faces, regions, pairs = _outlined(vertices, faces, regions, level)
    # Exactly on the circle: the colours blend from one of the two to the other.
    points = regions.eye_directions[len(regions.eye_directions) - len(pairs) :]
    points[:, :2] *= math.sin(angle) / np.maximum(np.linalg.norm(points[:, :2], axis=1, keepdims=True), 1e-9)
    points[:, 2] = math.cos(angle)
    return vertices, faces, regions, pairs


def with_round_irises(regions: Regions, width: float) -> Regions:
    """Weights of the parts of an eye by the angle from the gaze; they blend over a width in degrees.

    Viewports interpolate colours between vertices: only where these lie closer than the width is a border a circle.
    """
    if regions.eye_vertices is None:
        return regions
    columns = [regions.names.index(name) for name in EYE_REGIONS if name in regions.names]
    if len(columns) != len(EYE_REGIONS):
        return regions
    angle = np.degrees(np.arccos(np.clip(regions.eye_directions[:, 2], -1.0, 1.0)))  # (E,)
    pupil, both = (np.clip(0.5 + (limit - angle) / width, 0.0, 1.0) for limit in (PUPIL_ANGLE, IRIS_ANGLE))
    shares = {"pupil": pupil, "iris": both - pupil, "sclera": 1.0 - both}
    weights = regions.weights.copy()
    whole = weights[np.ix_(regions.eye_vertices, columns)].sum(1, dtype=np.int32)
    for name, column in zip(EYE_REGIONS, columns, strict=True):
        weights[regions.eye_vertices, column] = np.round(shares[name] * np.minimum(whole, 255))
    return replace(regions, weights=weights)
