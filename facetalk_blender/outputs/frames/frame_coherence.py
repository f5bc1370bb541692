"""Frames that follow one another, made alike: what did not change comes in the same place with the same value.

Marching cubes numbers its vertices anew in every frame, and no value comes twice. Most vertices lie on the same edge of
the grid as in the frame before, though, and hardly move. Here these keep their number and, while that is less than can
be seen, their values. A compressed .blend then holds them once (`unattended/long_compression`). NumPy only: any thread
may call it.
"""

from __future__ import annotations

import numpy as np

from ...look.appearance import COLOR_ATTRIBUTE, EYE_ATTRIBUTE, REST_ATTRIBUTE, SKIN_ATTRIBUTE, TISSUE_ATTRIBUTE, Look
from .quads import corners_of, halves, joined, leading_corner, still_fit
from .usd_frame import LOOK_STEPS, PLACE_STEP, FrameMesh

LEAST_VERTICES = 2000  # meshes of fewer are left as they are
# How far off each part of a value may be before it is written again.
TOLERANCES = {REST_ATTRIBUTE: 1.3e-4, COLOR_ATTRIBUTE: 0.01, SKIN_ATTRIBUTE: 0.02, TISSUE_ATTRIBUTE: 0.02}
TOLERANCES |= {EYE_ATTRIBUTE: 0.005}
PLACE_TOLERANCE = 1.95e-5  # metres
# What is written is a whole number of these: the last bytes of its parts are zeros, which take no room.
STEPS = LOOK_STEPS | {"": PLACE_STEP, REST_ATTRIBUTE: 2.0**-13, EYE_ATTRIBUTE: 2.0**-8}
LEAST_IN_LAYER = 10  # vertices that lie in a layer of the grid, else it is none
LEAST_SHARE_OF_LAYER = 0.3  # of those of the fullest; half-way between layers are the middles of edges that were cut
OFF_LAYER = 0.1  # of a cell: what is further off is no layer, though some vertices happen to lie there
ON_GRID = 2e-3  # of a cell
CELLS_APART = 4.0  # how many vertices that are not on the grid are told apart along an edge of it
_HALF_KEY = 1 << 9

Values = dict[str, np.ndarray]
Polygons = tuple[np.ndarray, np.ndarray, np.ndarray]  # quads (Q, 4), triangles (F, 3), slots (Q + F,)


class Places:
    """Numbers for things with keys: a thing has the number that it had the last time, as far as there are so many."""

    def __init__(self):
        self._keys = np.zeros(0, np.uint64)

    def of(self, keys: np.ndarray) -> np.ndarray:
        """Numbers (N,) of things with keys (N,) uint64, from 0 on."""
        before = self._keys[: len(keys)]
        numbers = np.full(len(keys), -1)
        if len(before):
            order = np.argsort(before)
            found = order[np.minimum(np.searchsorted(before, keys, sorter=order), len(before) - 1)]
            same = np.flatnonzero(before[found] == keys)
            owner = np.full(len(before), -1)
            owner[found[same]] = same
            same = same[owner[found[same]] == same]  # of several with one key, one
            numbers[same] = found[same]
        free = np.ones(len(keys), bool)
        free[numbers[numbers >= 0]] = False
        numbers[numbers < 0] = np.flatnonzero(free)
        self._keys = np.empty(len(keys), np.uint64)
        self._keys[numbers] = keys
        return numbers


class Coherence:
    """What is known of the frame before."""

    def __init__(self):
        self._grid: tuple[np.ndarray, np.ndarray] | None = None
        self._vertices, self._quads, self._triangles, self._edges = Places(), Places(), Places(), Places()
        self._held: Values = {}
        self._joined_before = np.empty((0, 4), np.int32)

    def followed(self, frame: FrameMesh) -> FrameMesh:
        """The same surface, to a hundredth of a millimetre, with as much as possible of the frame before."""
        sizes = np.diff(frame.starts, append=len(frame.corners))
        if len(frame.vertices) < LEAST_VERTICES or not np.isin(sizes, (3, 4)).all():
            return frame
        numbers = self._vertices.of(self._keys(frame))
        was = np.argsort(numbers)
        values = self._hold({"": frame.vertices[was]} | {name: v[was] for name, v in frame.look.values.items()})
        vertices = values.pop("")
        corners = numbers[frame.corners].astype(np.int32)
        if len(corners) != 3 * len(frame.starts):
            quads, triangles, slots = self._given_polygons(corners, frame)
        else:
            quads, triangles, slots = self._joined(frame.vertices[was], corners.reshape(-1, 3), frame.look.slots)
        quads, quad_slots = _placed(self._quads, quads, slots[: len(quads)])
        triangles, slots = _placed(self._triangles, triangles, slots[len(quad_slots) :])
        self._joined_before = quads
        slots = np.concatenate([quad_slots, slots])
        return FrameMesh(vertices, *corners_of(quads, triangles), Look(values, slots))

    def edges(self, edges: np.ndarray, corner_edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Edges (E, 2) and the edge of every corner (C,), with the numbers that edges had before.

        New ones have numbers in the order of the corners, so that those of a polygon have similar numbers.
        """
        order = np.argsort(np.unique(corner_edges, return_index=True)[1])
        numbers = np.empty(len(edges), np.int64)
        numbers[order] = self._edges.of(_mixed_rows(edges[order]))
        placed = np.empty_like(edges)
        placed[numbers] = edges
        return placed, numbers[corner_edges].astype(np.int32)

    def _joined(self, vertices: np.ndarray, faces: np.ndarray, slots: np.ndarray) -> Polygons:
        """Quads and triangles of triangles (F, 3): first the quads that there were before, then others."""
        first, second = _found(faces, *halves(self._joined_before))
        before = np.flatnonzero((first >= 0) & (second >= 0))
        before = before[still_fit(vertices, faces, slots, first[before], second[before])]
        left = np.ones(len(faces), bool)
        left[first[before]] = left[second[before]] = False
        quads, triangles, other_slots = joined(vertices, faces[left], slots[left])
        quads = np.concatenate([self._joined_before[before], quads])
        slots = np.concatenate([slots[first[before]], other_slots])
        # Of quads, a number that three divides: the first corners of triangles are then the same numbers every time.
        whole = len(quads) - len(quads) % 3
        more = np.stack(halves(quads[whole:]), 1).reshape(-1, 3)
        slots = np.concatenate([slots[:whole], np.repeat(slots[whole : len(quads)], 2), slots[len(quads) :]])
        return quads[:whole], np.concatenate([more, triangles]), slots

    def _given_polygons(self, corners: np.ndarray, frame: FrameMesh) -> Polygons:
        """The same of a frame that has quads already."""
        sizes = np.diff(frame.starts, append=len(corners))
        kinds = [np.flatnonzero(sizes == size) for size in (4, 3)]
        quads, triangles = (corners[frame.starts[c, None] + np.arange(n)] for c, n in zip(kinds, (4, 3), strict=True))
        return quads, triangles, frame.look.slots[np.concatenate(kinds)]

    def _hold(self, values: Values) -> Values:
        """Values by name, those of places under "": rounded, or as they were where that is near enough."""
        made = {}
        for name, now in values.items():
            step = STEPS.get(name)
            made[name] = (np.round(now / step) * step if step else now).astype(np.float32)
        groups = (("",), (REST_ATTRIBUTE,), (COLOR_ATTRIBUTE, SKIN_ATTRIBUTE, TISSUE_ATTRIBUTE), (EYE_ATTRIBUTE,))
        for group in groups:
            names = [name for name in group if name in values and name in self._held]
            if not names:
                continue
            count = min(len(values[names[0]]), len(self._held[names[0]]))
            same = np.ones(count, bool)
            for name in names:
                apart = values[name][:count] - self._held[name][:count]
                same &= _size(apart, name == "") <= TOLERANCES.get(name, PLACE_TOLERANCE)
            for name in names:
                made[name][:count][same] = self._held[name][:count][same]
        self._held = made
        return dict(made)

    def _keys(self, frame: FrameMesh) -> np.ndarray:
        """What tells vertices apart (V,): the edge of the grid that each lies on, or the vertices it lies between."""
        ends = np.empty((0, 2), np.int64) if frame.ends is None else frame.ends
        first = len(frame.vertices) - len(ends)
        if self._grid is None:
            self._grid = _grid_of(frame.vertices)
        keys = np.concatenate([_keys_on_grid(frame.vertices[:first], *self._grid), np.zeros(len(ends), np.uint64)])
        known = np.arange(len(keys)) < first
        while not known.all():
            now = first + np.flatnonzero(known[ends].all(1) & ~known[first:])
            keys[now] = _mixed_rows(np.sort(keys[ends[now - first]], 1))
            known[now] = True
        return keys


def _placed(places: Places, polygons: np.ndarray, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Polygons (P, n) of n corners and their slots, with the numbers that they had before."""
    turn = leading_corner(polygons)[:, None] + np.arange(polygons.shape[1])
    polygons = np.take_along_axis(polygons, turn % polygons.shape[1], 1)
    placed, placed_slots = np.empty_like(polygons), np.empty(len(polygons), np.int32)
    where = places.of(_mixed_rows(polygons))
    placed[where], placed_slots[where] = polygons, slots
    return placed, placed_slots


def _found(faces: np.ndarray, *wanted: np.ndarray) -> list[np.ndarray]:
    """For triangles (P, 3) in each of `wanted`, which of faces (F, 3) has the same corners in the same turn, or -1."""
    keys = _triangle_keys(faces)
    order = np.argsort(keys)
    found = []
    for triangles in wanted:
        asked = _triangle_keys(triangles)
        place = order[np.minimum(np.searchsorted(keys, asked, sorter=order), len(order) - 1)]
        found.append(np.where(keys[place] == asked, place, -1))
    return found


def _triangle_keys(triangles: np.ndarray) -> np.ndarray:
    turn = triangles.argmin(1)[:, None] + np.arange(3)
    return _mixed_rows(np.take_along_axis(triangles, turn % 3, 1))


def _size(vectors: np.ndarray, whole: bool) -> np.ndarray:
    """Lengths of vectors (V, n), or the greatest of their parts."""
    return np.linalg.norm(vectors, axis=1) if whole else np.abs(vectors).max(1)


def _keys_on_grid(vertices: np.ndarray, origin: np.ndarray, cell: np.ndarray) -> np.ndarray:
    place = (vertices - origin) / cell
    off = np.abs(place - np.round(place))  # (V, 3)
    along = np.arange(3) == off.argmax(1)[:, None]
    on_grid = (np.where(along, 0.0, off) < ON_GRID).all(1)
    whole = np.where(along, np.floor(place), np.round(place))
    whole[~on_grid] = np.round(CELLS_APART * place[~on_grid])
    kind = np.where(on_grid, along.argmax(1), 3)
    number = kind.astype(np.int64)
    for axis in range(3):
        number = 8 * _HALF_KEY * number + whole[:, axis].astype(np.int64) + 4 * _HALF_KEY
    return _mixed(number.astype(np.uint64))


def _grid_of(vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Origin and size of a cell (3,) of the grid whose edges most vertices lie on; where there is none, of any."""
    origin, cell = np.zeros(3), np.full(3, 0.002)
    for axis in range(3):
        values, counts = np.unique(vertices[:, axis].astype(np.float64), return_counts=True)
        layers = values[counts >= max(LEAST_IN_LAYER, LEAST_SHARE_OF_LAYER * counts.max())]
        if len(layers) > 2 and (step := float(np.median(np.diff(layers)))) > 0:
            numbers = np.round((layers - layers[0]) / step)
            fit = np.polyfit(numbers, layers, 1)
            on_fit = np.abs(np.polyval(fit, numbers) - layers) < OFF_LAYER * step
            cell[axis], origin[axis] = np.polyfit(numbers[on_fit], layers[on_fit], 1) if on_fit.sum() > 2 else fit
    return origin, cell


def _mixed(keys: np.ndarray) -> np.ndarray:
    """Keys (N,) uint64 that differ wherever they differed, in no order."""
    keys = (keys ^ keys >> np.uint64(31)) * np.uint64(0x7FB5D329728EA185)
    keys = (keys ^ keys >> np.uint64(27)) * np.uint64(0x81DADEF4BC2DD44D)
    return keys ^ keys >> np.uint64(33)


def _mixed_rows(rows: np.ndarray) -> np.ndarray:
    """One key (N,) for rows (N, n) of whole numbers."""
    key = np.zeros(len(rows), np.uint64)
    for column in rows.T:
        key = _mixed(key + column.astype(np.uint64))
    return key
