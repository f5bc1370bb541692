"""The starter's face as a linear model: its neutral shape, how people differ, and the 52 ARKit shapes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..head.head import NeuralHead
from ..head.polygons import triangulated, vertex_normals
from ..head.template import LIP_NEIGHBOURS, Template

FACE_REGIONS = ("skin", "lips", "brows")
LEAST_HEIGHT, LEAST_DEPTH = -0.42, 0.0  # model units: the face without neck, ears and scalp
IDENTITY_MODES = 60
SKIN_POINTS, LIP_POINTS = 200, 100  # more of the lids' rims would be followed onto the other lid
INWARDS = 3  # points of a lip curve behind the place where the lips meet
CURVE_STEP = 2  # of its points one in so many, about 1 mm apart


@dataclass(frozen=True)
class TemplateFace:
    """Points of the face in model units, in the neutral pose; the lip curves' points come last.

    neutral: (P, 3). modes: (M, P, 3), per standard deviation. shapes: (P, 52, 3), per unit of weight.
    normals: (P, 3) outwards. lips: (P,) bool. upper, lower: slices of the mid-line curves.
    tracked: (T,) numbers of points spread over face and lips, and of all points of the curves.
    """

    neutral: np.ndarray
    modes: np.ndarray
    shapes: np.ndarray
    normals: np.ndarray
    lips: np.ndarray
    upper: slice
    lower: slice
    tracked: np.ndarray

    @classmethod
    def of(cls, head: NeuralHead) -> TemplateFace:
        """The face of a head with a template, such as the starter's. Raises EngineError when there is none."""
        template, names = head.fixed_topology(), head.regions.names
        displacements = template.displacements().cpu().numpy()  # (V, 53, 3)
        canonical = template.vertices.cpu().numpy()
        region = template.regions.argmax(1)
        wanted = np.isin(region, [names.index(name) for name in FACE_REGIONS])
        chosen = wanted & (canonical[:, 1] > LEAST_HEIGHT) & (canonical[:, 2] > LEAST_DEPTH)
        scale = template.mode_scale[:IDENTITY_MODES, None, None].cpu().numpy()
        modes = template.modes[:IDENTITY_MODES].cpu().numpy() * scale  # (M, V, 3)
        neutral = canonical + displacements[:, -1]
        normals = vertex_normals(neutral, triangulated(template.polygons))
        upper, lower = _lip_curves(template, canonical, displacements[:, -1])
        curves, count = np.concatenate([upper, lower]), int(chosen.sum())
        tree = cKDTree(canonical)

        def with_curves(values: np.ndarray) -> np.ndarray:
            return np.concatenate([values[chosen], _carried(tree, curves, values)])

        lips = np.r_[region[chosen] == names.index("lips"), np.ones(len(curves), bool)]
        return cls(
            neutral=np.r_[neutral[chosen], curves + _carried(tree, curves, displacements[:, -1])],
            modes=with_curves(modes.transpose(1, 0, 2)).transpose(1, 0, 2),
            shapes=with_curves(displacements[:, :-1]),
            normals=with_curves(normals),
            lips=lips,
            upper=slice(count, count + len(upper)),
            lower=slice(count + len(upper), len(lips)),
            tracked=_tracked(neutral[chosen], lips[:count], len(curves)),
        )


def _lip_curves(template: Template, canonical: np.ndarray, to_neutral: np.ndarray) -> list[np.ndarray]:
    """The upper and the lower curve (n, 3) in canonical space, as far inwards as the lips meet in the neutral pose."""
    curves = [template.lip_upper.cpu().numpy(), template.lip_lower.cpu().numpy()]
    tree = cKDTree(canonical)
    closed = [curve + _carried(tree, curve, to_neutral) for curve in curves]
    meeting = [cKDTree(other).query(curve)[0].argmin() for curve, other in zip(closed, reversed(closed), strict=True)]
    return [curve[: last + INWARDS : CURVE_STEP] for curve, last in zip(curves, meeting, strict=True)]


def _tracked(neutral: np.ndarray, lips: np.ndarray, curve_points: int) -> np.ndarray:
    """Numbers (T,) of points (P, 3) spread over skin and lips, and of the curves' points behind them."""
    spread = [_spread(neutral, np.flatnonzero(~lips), SKIN_POINTS), _spread(neutral, np.flatnonzero(lips), LIP_POINTS)]
    return np.concatenate([*spread, np.arange(len(neutral), len(neutral) + curve_points)])


def _carried(tree: cKDTree, points: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values (P, ...) at points (P, 3) from those (V, ...) of the nearest vertices."""
    distances, nearest = tree.query(points, k=LIP_NEIGHBOURS)
    weights = 1 / np.maximum(distances, 1e-6)
    weights /= weights.sum(1, keepdims=True)
    return np.einsum("pk,pk...->p...", weights, values[nearest]).astype(np.float32)


def _spread(places: np.ndarray, among: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the numbers `among`, whose places lie as far from each other as can be."""
    chosen, distance = [among[0]], np.full(len(among), np.inf)
    while len(chosen) < min(count, len(among)):
        distance = np.minimum(distance, np.linalg.norm(places[among] - places[chosen[-1]], axis=1))
        chosen.append(among[distance.argmax()])
    return np.array(chosen)
