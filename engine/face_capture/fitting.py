"""Weights of a head that moves as tracked face points do.

A tracker's own scores understate what lips do, rounding above all, so they only lead where the points say nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..shared.arkit import ARKIT_NAMES
from ..shared.errors import EngineError
from ..shared.weights import WEIGHT_NAMES
from .correspondence import STABLE, TEMPLATE_STABLE, FacePoint

LEAST_SEEN = 0.5  # share of the frames
REST_SHARE = 0.15  # of the frames that were seen, those that move least, tell the face at rest
# Standard deviations that weigh the terms: of a point (model units, 0.8 mm), of its depth, of a score against the
# weight, and of a weight's change per frame at 25 frames a second.
POINT_ERROR, DEPTH_ERROR, SCORE_ERROR, CHANGE = 0.0032, 0.0128, 0.3, 0.08
# What is seen of speech first is whether lips touch, so their distance counts by itself, 0.12 mm.
LIP_PAIRS, MOUTH_CORNERS = ((13, 14), (82, 87), (312, 317)), (61, 291)
OPENING_ERROR = 0.0005
TOUCH_PERCENTILE, WIDEST_TOUCH = 10.0, 0.03  # of the frames; of the mouth's width
# Lids close within two or three frames, lips for one of 40 ms.
FASTER = {"eyeBlink": 0.6, "jawOpen": 0.6, "mouthClose": 1.0, "mouth": 0.25}
BY_SCORE_ERROR = 0.02  # of gaze and of what no point sees
ITERATIONS = 600
USUAL_RATE = 25.0
ACTIVE = ("jaw", "mouth", "brow", "eyeBlink", "eyeWide", "eyeSquint", "cheek", "nose")


@dataclass(frozen=True)
class PointModel:
    """How a head's points move, in model units.

    points: n face points. displacements: (n, 57, 3) per unit of weight. rest_opening: of the lips at rest.
    """

    points: Sequence[FacePoint]
    displacements: np.ndarray
    rest_opening: float = 0.0


@dataclass(frozen=True)
class FittedWeights:
    """Weights (F, 57) of F frames, and how far the head's points then are from the tracked ones, in model units (F,).

    seen: (F,) bool, where the face was found; elsewhere weights go on from the frames around.
    """

    weights: np.ndarray
    residual: np.ndarray
    seen: np.ndarray


def fit_weights(
    points: np.ndarray, scores: np.ndarray, numbers: Sequence[int], model: PointModel, rate: float = USUAL_RATE
) -> FittedWeights:
    """Weights of tracked points.

    points: (F, m, 3) in pixels, x right, y down, z away from the camera; NaN where the face was lost. scores: (F, 52)
    of ARKIT_NAMES. numbers: which of MediaPipe's 478 points the m are. rate: frames per second.

    Raises EngineError when the face was lost in most frames, or points that are needed were not tracked.
    """
    place = {number: column for column, number in enumerate(numbers)}
    missing = [point.number for point in model.points if point.number not in place]
    if missing or any(number not in place for number in STABLE):
        raise EngineError("The tracked points lack some that the fit needs; track all 478 of them.")
    seen = np.isfinite(points).all((1, 2)) & np.isfinite(scores).all(1)
    if seen.mean() < LEAST_SEEN:
        raise EngineError(
            f"The face was lost in {100 * (1 - seen.mean()):.0f} % of the pictures; film it from the front, well lit."
        )
    scores = np.where(seen[:, None], scores, 0.0)
    moved, opening = displacements_of(points, scores, seen, place, model.points)
    weights, off = _solved(moved[seen], opening[seen] - model.rest_opening, scores[seen], model, rate)
    frames, known = np.arange(len(points)), np.flatnonzero(seen)
    bridged = np.stack([np.interp(frames, known, column) for column in weights.T], 1)
    residual = np.full(len(points), np.nan)
    residual[seen] = off
    return FittedWeights(bridged.astype(np.float32), residual, seen)


def displacements_of(
    points: np.ndarray, scores: np.ndarray, seen: np.ndarray, place: dict[int, int], wanted: Sequence[FacePoint]
) -> tuple[np.ndarray, np.ndarray]:
    """How far the wanted points are from the face at rest, (F, n, 3), and the lips from touching, (F, pairs).

    Both in model units and axes, head motion taken out. Lips are taken to touch where they are nearest in the clip,
    unless that is far apart.
    """
    upright = np.nan_to_num(points) * (1.0, -1.0, -1.0)
    stable = [place[number] for number in STABLE]
    still = stabilised(upright, stable, seen)
    rest = still[resting(scores, seen)].mean(0)
    scale, rotation, _ = similarity(rest[stable], np.array(TEMPLATE_STABLE))
    columns = [place[point.number] for point in wanted]
    moved = scale * (still[:, columns] - rest[columns]) @ rotation.T
    upper, lower = ([place[pair[side]] for pair in LIP_PAIRS] for side in (0, 1))
    apart = scale * ((still[:, upper] - still[:, lower]) @ rotation.T)[..., 1]  # (F, pairs)
    corners = rest[place[MOUTH_CORNERS[0]]] - rest[place[MOUTH_CORNERS[1]]]
    widest = WIDEST_TOUCH * scale * float(np.linalg.norm(corners))
    touching = np.minimum(np.percentile(apart[seen], TOUCH_PERCENTILE, axis=0), widest)
    return moved, apart - touching


def stabilised(points: np.ndarray, stable: Sequence[int], seen: np.ndarray) -> np.ndarray:
    """Points (F, m, 3) with the motion of the whole head taken out, by those that no expression moves."""
    reference = points[np.flatnonzero(seen)[0]]
    for _ in range(2):
        still = points.copy()
        for frame in np.flatnonzero(seen):
            scale, rotation, shift = similarity(points[frame][stable], reference[stable])
            still[frame] = scale * points[frame] @ rotation.T + shift
        reference = np.median(still[seen], 0)
    return still


def resting(scores: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Numbers of the frames in which the face moves least, by its scores (F, 52)."""
    columns = [number for number, name in enumerate(ARKIT_NAMES) if name.startswith(ACTIVE)]
    activity = np.where(seen, scores[:, columns].sum(1), np.inf)
    return np.argsort(activity)[: max(int(REST_SHARE * seen.sum()), 1)]


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale, rotation (3, 3) and shift (3,) that bring source (P, 3) nearest to target (P, 3) (Umeyama 1991)."""
    middles = source.mean(0), target.mean(0)
    centred = source - middles[0], target - middles[1]
    left, values, right = np.linalg.svd(centred[1].T @ centred[0])
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = left @ np.diag(signs) @ right
    scale = float((values * signs).sum() / (centred[0] ** 2).sum())
    return scale, rotation, middles[1] - scale * rotation @ middles[0]


def _solved(
    moved: np.ndarray, opening: np.ndarray, scores: np.ndarray, model: PointModel, rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (F, 57) in 0..1 that explain displacements best, by an accelerated projected gradient (FISTA)."""
    trust = np.array([point.trust for point in model.points])
    precision = np.sqrt(trust)[:, None] / np.array([POINT_ERROR, POINT_ERROR, DEPTH_ERROR])  # (n, 3)
    design = (precision[:, None] * model.displacements).transpose(0, 2, 1).reshape(-1, len(WEIGHT_NAMES))
    target = (precision * moved).reshape(len(moved), -1)
    place = {point.number: row for row, point in enumerate(model.points)}
    parting = [model.displacements[place[u], :, 1] - model.displacements[place[v], :, 1] for u, v in LIP_PAIRS]
    design = np.concatenate([design, np.stack(parting) / OPENING_ERROR])
    target = np.concatenate([target, opening / OPENING_ERROR], 1)
    design[:, [number for number, name in enumerate(WEIGHT_NAMES) if name.startswith("eyeLook")]] = 0.0
    felt = (design**2).sum(0) > 1.0
    prior = 1 / np.where(felt, SCORE_ERROR, BY_SCORE_ERROR) ** 2  # (57,)
    wanted = np.zeros((len(moved), len(WEIGHT_NAMES)))
    wanted[:, : scores.shape[1]] = scores
    change = np.array([_change(name) for name in WEIGHT_NAMES]) * USUAL_RATE / rate
    tie = 1 / change**2
    square, product = design.T @ design, target @ design
    # Every weight has a step of its own, as some move the points a hundred times as far as others.
    own = square.diagonal() + prior + 2 * tie
    scaled = square / np.sqrt(np.outer(own, own))
    step = 1 / (own * (np.linalg.eigvalsh(scaled)[-1] + ((prior + 4 * tie) / own).max()))
    weights = ahead = np.clip(wanted, 0, 1)
    pace = 1.0
    for _ in range(ITERATIONS):
        gradient = ahead @ square - product + prior * (ahead - wanted) + tie * _laplacian(ahead)
        following = np.clip(ahead - step * gradient, 0.0, 1.0)
        next_pace = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        ahead = following + (pace - 1) / next_pace * (following - weights)
        weights, pace = following, next_pace
    explained = np.einsum("fw,nwc->fnc", weights, model.displacements)
    flat = np.linalg.norm((explained - moved)[..., :2], axis=2).mean(1)
    return weights, flat


def _change(name: str) -> float:
    """How much a weight usually changes from one frame to the next, at the usual rate."""
    return next((change for start, change in FASTER.items() if name.startswith(start)), CHANGE)


def _laplacian(values: np.ndarray) -> np.ndarray:
    """Gradient of half the squared changes from row to row."""
    steps = np.diff(values, axis=0)
    result = np.zeros_like(values)
    result[1:] += steps
    result[:-1] -= steps
    return result


def at_code_times(values: np.ndarray, times: np.ndarray, rate: float) -> np.ndarray:
    """Values (F, C) at times (F,) seconds, which need not be regular, at i / rate seconds: (N, C)."""
    count = max(int(times[-1] * rate) + 1, 1)
    wanted = np.arange(count) / rate
    return np.stack([np.interp(wanted, times, column) for column in values.T], 1)
