"""Eyelids that close: what a head's own blink leaves open, and where it would pass through the eyeball.

ICT-FaceKit's blink is one displacement for every head. On most heads it leaves a slit, and where a head's eyes are
large the lids end inside them. `Lids.completion` is what has to be added for a given head, per unit of blink.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.sparse import coo_matrix, csr_matrix
from scipy.spatial import cKDTree

from ..shared.units import UNITS_PER_MILLIMETRE

RINGS = 14  # edge loops around the lid opening, from the hidden rim outwards; the skin beyond them stays
CREST = 2  # the loop from which upper and lower lid are told apart
MARGIN_RINGS = range(1, 6)  # the loops that may be the last to hide the eye
OUTER_RING = 3  # from here outwards a lid's front is seen
REACH = 11.0 * UNITS_PER_MILLIMETRE  # from the lids' edge; what lies farther away stays
OVERLAP = 0.35 * UNITS_PER_MILLIMETRE  # by which a full blink hides the slit
MOST_MOVED = 6.0 * UNITS_PER_MILLIMETRE
UPPER_SHARE = 0.7  # of the missing way that the upper lid goes
CLEARANCE = 0.25 * UNITS_PER_MILLIMETRE
TESTED_WEIGHTS = (0.25, 0.5, 0.75, 1.0)
GAZE_REACH = np.radians(28.0)  # the cornea's bulge is wherever the gaze may turn it
PROFILE_ANGLES = np.radians(np.arange(0.0, 95.0, 5.0))
COLUMNS = 80  # upright lines across an eye, at which lids are compared
SMOOTHINGS = 6


@dataclass(frozen=True)
class Lids:
    """The lids of one eye on a mesh; all numbers of vertices are those of the mesh.

    skin: (L,) vertices of the RINGS loops; ring: (L,) their loops; upper: (L,) bool.
    crest: (L,) rows of `skin`, the vertex of the loop CREST that each goes with; fall: (L,) how much of its way.
    mean_of_neighbours: (L, L) sparse. ball: (E,) vertices of the eyeball's outer side.
    """

    skin: np.ndarray
    ring: np.ndarray
    upper: np.ndarray
    crest: np.ndarray
    fall: np.ndarray
    mean_of_neighbours: csr_matrix
    ball: np.ndarray

    @classmethod
    def around(cls, rim: np.ndarray, polygons: np.ndarray, vertices: np.ndarray, ball: np.ndarray) -> Lids:
        """The lids around one hole of a mesh.

        rim: (R,) vertices of the hole's edge, hidden behind the lids. polygons: (P, 4) of the skin, -1 pads triangles.
        vertices: (V, 3) of the mean head, its mouth closed or not. ball: (E,) vertices of the eyeball's outer side.
        """
        edges = np.concatenate([polygons[:, [a, (a + 1) % 4]] for a in range(4)] + [polygons[:, [2, 0]]])
        edges = edges[(edges >= 0).all(1)]
        ring = _loops(rim, edges, len(vertices))
        skin = np.flatnonzero(ring >= 0)
        places, ring = vertices[skin], ring[skin]
        on_crest = np.flatnonzero(ring == CREST)
        upper_crest = _upper_arc(places[on_crest])
        nearest = cKDTree(places[on_crest]).query(places)[1]
        distance = np.linalg.norm(places - places[on_crest[nearest]], axis=1)
        share = np.clip(1.0 - distance / REACH, 0.0, 1.0)
        row = np.full(len(vertices), -1)
        row[skin] = np.arange(len(skin))
        inner = row[edges]
        inner = inner[(inner >= 0).all(1)]
        inner = np.concatenate([inner, inner[:, ::-1]])
        joined = coo_matrix((np.ones(len(inner)), inner.T), shape=(len(skin), len(skin))).tocsr()
        joined.data[:] = 1.0
        mean = csr_matrix(joined.multiply(1.0 / np.maximum(joined.sum(1), 1.0)))
        fall = np.where(ring == 0, 0.5, share * share * (3.0 - 2.0 * share))
        return cls(skin, ring, upper_crest[nearest], on_crest[nearest], fall, mean, ball)

    def completion(self, vertices: np.ndarray, blink: np.ndarray) -> np.ndarray:
        """What to add to a head's blink: (L, 3) displacement of `skin` per unit of weight.

        vertices: (V, 3) of the head with open eyes. blink: (V, 3) the displacement that every head has.
        """
        rest, way = vertices[self.skin].astype(np.float64), blink[self.skin].astype(np.float64)
        eye = Eyeball.fitted(vertices[self.ball].astype(np.float64))
        added = np.zeros_like(rest)
        for _ in range(2):  # what is pushed out of the eye may open a slit again
            added += self._closing(rest + way + added)
            added += self._lifting(rest, way + added, eye)
        added += self._closing(rest + way + added)
        return added.astype(np.float32)

    def _closing(self, closed: np.ndarray) -> np.ndarray:
        """Displacement (L, 3) that brings the lids of a full blink (L, 3) together."""
        upper, lower = (self._edges(closed, lid) for lid in (True, False))
        ends = np.array([places[0, [0, -1]] for places in (*upper, *lower)])
        columns = np.linspace(ends[:, 0].max(), ends[:, 1].min(), COLUMNS)
        bottom = np.min([np.interp(columns, *places) for places in upper], 0)
        top = np.max([np.interp(columns, *places) for places in lower], 0)
        missing = np.clip(bottom - top + OVERLAP, -MOST_MOVED, MOST_MOVED)
        missing = np.maximum(missing, uniform_filter1d(missing, 5, mode="nearest"))
        way = np.interp(closed[self.crest, 0], columns, missing) * self.fall
        moved = np.zeros_like(closed)
        moved[:, 1] = np.where(self.upper, -UPPER_SHARE * way, (1.0 - UPPER_SHARE) * way)
        return moved

    def _edges(self, closed: np.ndarray, upper: bool) -> list[np.ndarray]:
        """x and y (2, n), from right to left, of the loops that may be the edge of one lid."""
        found = []
        for ring in MARGIN_RINGS:
            places = closed[(self.ring == ring) & (self.upper == upper)]
            found.append(places[np.argsort(places[:, 0]), :2].T)
        return found

    def _lifting(self, rest: np.ndarray, way: np.ndarray, eye: Eyeball) -> np.ndarray:
        """Displacement (L, 3), away from the eye, that keeps the lids' front out of it on its whole way."""
        within = eye.depth(rest)
        push = np.zeros(len(rest))
        for weight in TESTED_WEIGHTS:
            depth = eye.depth(rest + weight * way) + CLEARANCE - (1.0 - weight) * np.maximum(within + CLEARANCE, 0.0)
            push = np.maximum(push, depth / weight)
        push *= (self.ring >= OUTER_RING) * self.fall**0.5
        for _ in range(SMOOTHINGS):
            push = np.maximum(push, self.mean_of_neighbours @ push)
        inner = (self.ring < OUTER_RING) & (self.ring > 0)
        push[inner] = np.maximum(push[inner], push[self.crest[inner]])
        return np.clip(push, 0.0, MOST_MOVED)[:, None] * eye.outwards(rest + way)


@dataclass(frozen=True)
class Eyeball:
    """centre (3,) of the white's sphere; reach: how far the eye extends from there at PROFILE_ANGLES from its front."""

    centre: np.ndarray
    reach: np.ndarray

    @classmethod
    def fitted(cls, points: np.ndarray) -> Eyeball:
        """From points (E, 3) on the outer side, its gaze along z; with room for the cornea wherever it may look."""
        white = points[points[:, 2] < points[:, 2].min() + 0.75 * np.ptp(points[:, 2])]
        table = np.c_[2.0 * white, np.ones(len(white))]
        centre = np.linalg.lstsq(table, (white**2).sum(1), rcond=None)[0][:3]
        offset = points - centre
        radius = np.linalg.norm(offset, axis=1)
        angle = np.arccos(np.clip(offset[:, 2] / radius, -1.0, 1.0))
        profile = np.array([_largest(radius, np.abs(angle - at) < np.radians(4.0)) for at in PROFILE_ANGLES])
        turned = np.maximum(PROFILE_ANGLES - GAZE_REACH, 0.0)
        swept = np.maximum(profile, np.interp(turned, PROFILE_ANGLES, profile))
        return cls(centre, swept)

    def depth(self, points: np.ndarray) -> np.ndarray:
        """How far points (L, 3) are inside the eye; negative outside."""
        offset = points - self.centre
        distance = np.linalg.norm(offset, axis=1)
        angle = np.arccos(np.clip(offset[:, 2] / distance, -1.0, 1.0))
        return np.interp(angle, PROFILE_ANGLES, self.reach, right=0.0) - distance

    def outwards(self, points: np.ndarray) -> np.ndarray:
        """Unit vectors (L, 3) away from the centre."""
        offset = points - self.centre
        return offset / np.linalg.norm(offset, axis=1, keepdims=True)


def _largest(values: np.ndarray, chosen: np.ndarray) -> float:
    return float(values[chosen].max()) if chosen.any() else float(np.median(values))


def _loops(rim: np.ndarray, edges: np.ndarray, count: int) -> np.ndarray:
    """(count,) how many edges each vertex is from the rim, -1 beyond RINGS."""
    joined = coo_matrix((np.ones(len(edges)), edges.T), shape=(count, count)).tocsr()
    ring = np.full(count, -1)
    ring[rim] = 0
    for number in range(1, RINGS + 1):
        near = (joined @ (ring >= 0) + joined.T @ (ring >= 0)) > 0
        ring[near & (ring < 0)] = number
    return ring


def _upper_arc(loop: np.ndarray) -> np.ndarray:
    """(N,) bool, which points (N, 3) of a loop lie above the line through its ends to the left and to the right."""
    first, last = loop[loop[:, 0].argmin()], loop[loop[:, 0].argmax()]
    share = (loop[:, 0] - first[0]) / (last[0] - first[0])
    return loop[:, 1] >= first[1] + share * (last[1] - first[1])
