"""Frames that follow one another, made alike: what did not change comes in the same place with the same value.

Marching cubes numbers its vertices anew in every frame, and no value comes twice. Most vertices lie on the same edge of
the grid as in the frame before, though, and hardly move. Here these keep their number and, while that is less than can
be seen, their values. A compressed .blend then holds them once (`unattended/long_compression`). NumPy only: any thread
may call it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...look.appearance import COLOR_ATTRIBUTE, EYE_ATTRIBUTE, REST_ATTRIBUTE, SKIN_ATTRIBUTE, TISSUE_ATTRIBUTE, Look
from .quads import corners_of, leading_corner
from .usd_frame import PLACE_STEP, REST_STEP, FrameMesh

LEAST_VERTICES = 2000  # meshes of fewer are left as they are
# How far off each part of a value may be before it is written again.
TOLERANCES = {REST_ATTRIBUTE: 7e-5, COLOR_ATTRIBUTE: 0.01, SKIN_ATTRIBUTE: 0.02, TISSUE_ATTRIBUTE: 0.02}
TOLERANCES |= {EYE_ATTRIBUTE: 0.005}
PLACE_TOLERANCE = 1.15e-5  # metres along each axis
LEAST_IN_LAYER = 10  # vertices that lie in a layer of the grid, else it is none
ON_GRID = 2e-3  # of a cell
CELLS_APART = 4.0  # how many vertices that are not on the grid are told apart along an edge of it
_HALF_KEY = 1 << 9

Values = dict[str, np.ndarray]


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

    def followed(self, frame: FrameMesh) -> FrameMesh:
        """The same surface, to a hundredth of a millimetre, with as much as possible of the frame before."""
        sizes = np.diff(frame.starts, append=len(frame.corners))
        if len(frame.vertices) < LEAST_VERTICES or not np.isin(sizes, (3, 4)).all():
            return frame
        numbers = self._vertices.of(self._keys(frame.vertices))
        was = np.argsort(numbers)
        values = self._hold({"": frame.vertices[was]} | {name: v[was] for name, v in frame.look.values.items()})
        vertices = values.pop("")
        numbered = replace(frame, vertices=frame.vertices[was], corners=numbers[frame.corners])
        numbered = numbered.of_quads()
        sizes = np.diff(numbered.starts, append=len(numbered.corners))
        quads, quad_slots = self._polygons(self._quads, numbered, np.flatnonzero(sizes == 4), 4)
        triangles, slots = self._polygons(self._triangles, numbered, np.flatnonzero(sizes == 3), 3)
        return FrameMesh(vertices, *corners_of(quads, triangles), Look(values, np.concatenate([quad_slots, slots])))

    def edges(self, edges: np.ndarray, corner_edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Edges (E, 2) and the edge of every corner (C,), with the numbers that edges had before."""
        numbers = self._edges.of(_mixed_rows(edges))
        placed = np.empty_like(edges)
        placed[numbers] = edges
        return placed, numbers[corner_edges].astype(np.int32)

    def _polygons(
        self, places: Places, frame: FrameMesh, chosen: np.ndarray, size: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Corners (P, size) of the chosen polygons, and their slots."""
        corners = frame.corners[frame.starts[chosen, None] + np.arange(size)]
        corners = np.take_along_axis(corners, (leading_corner(corners)[:, None] + np.arange(size)) % size, 1)
        placed, slots = np.empty_like(corners), np.empty(len(chosen), np.int32)
        if len(chosen):
            where = places.of(_mixed_rows(corners))
            placed[where], slots[where] = corners, frame.look.slots[chosen]
        return placed, slots

    def _hold(self, values: Values) -> Values:
        """Values by name, those of places under "": rounded, or as they were where that is near enough."""
        made = {}
        for name, now in values.items():
            step = {"": PLACE_STEP, REST_ATTRIBUTE: REST_STEP}.get(name)
            made[name] = (np.round(now / step) * step if step else now).astype(np.float32)
        groups = (("",), (REST_ATTRIBUTE,), (COLOR_ATTRIBUTE, SKIN_ATTRIBUTE, TISSUE_ATTRIBUTE), (EYE_ATTRIBUTE,))
        for group in groups:
            names = [name for name in group if name in values and name in self._held]
            if not names:
                continue
            count = min(len(values[names[0]]), len(self._held[names[0]]))
            same = np.ones(count, bool)
            for name in names:
                apart = np.abs(values[name][:count] - self._held[name][:count])
                same &= (apart <= TOLERANCES.get(name, PLACE_TOLERANCE)).all(1)
            for name in names:
                made[name][:count][same] = self._held[name][:count][same]
        self._held = made
        return dict(made)

    def _keys(self, vertices: np.ndarray) -> np.ndarray:
        """What tells vertices apart (V,): the edge of the grid that each lies on."""
        if self._grid is None:
            self._grid = _grid_of(vertices)
        origin, cell = self._grid
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
        layers = values[counts >= LEAST_IN_LAYER]
        if len(layers) > 2 and (step := float(np.median(np.diff(layers)))) > 0:
            cell[axis], origin[axis] = np.polyfit(np.round((layers - layers[0]) / step), layers, 1)
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
