"""Weights of a head that moves as tracked face points do.

A tracker's own scores tell the kind of a movement well and its size badly: of the lips' opening above all. Both are
weighed against each other, each with its usual error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..shared.arkit import ARKIT_NAMES
from ..shared.errors import EngineError
from ..shared.units import CODE_RATE
from ..shared.weights import WEIGHT_NAMES
from .correspondence import LIP_PAIRS, MOUTH_CORNERS, STABLE, TEMPLATE_STABLE, FacePoint
from .evidence import Evidence, PointModel

LEAST_SEEN = 0.5  # share of the frames
REST_SHARE = 0.15  # of the frames that were seen, those that move least, tell the face at rest
TOUCH_PERCENTILE, WIDEST_TOUCH = 10.0, 0.03  # of the frames; of the mouth's width
CLOSED_MM = 1.0  # of a voice's take
TOUCH_SECONDS, NEARLY_TOUCHING = 0.06, 0.012  # how far voice and picture may differ: 60 ms, 3 mm
# How far a score may be from the weight: of what speech uses, of what it hardly does, of gaze and what no point sees.
SCORE_ERROR, RARE_ERROR, BY_SCORE_ERROR = 0.1, 0.03, 0.02
RARE = (
    "noseSneer", "cheekPuff", "mouthFrown", "mouthDimple", "mouthLeft", "mouthRight", "mouthRoll",
    "jawLeft", "jawRight", "jawForward",
)  # fmt: skip
# Standard deviation of a weight's change per frame at 25 frames a second. Lids close within two or three frames, lips
# for one of 40 ms.
USUAL_RATE, CHANGE = 25.0, 0.08
FASTER = {"eyeBlink": 0.6, "jawOpen": 0.6, "mouthClose": 1.0, "mouth": 0.25}
ITERATIONS = 600
ACTIVE = ("jaw", "mouth", "brow", "eyeBlink", "eyeWide", "eyeSquint", "cheek", "nose")


@dataclass(frozen=True)
class FittedWeights:
    """Weights (F, 57) of F frames, and how far the head's points then are from the tracked ones, in model units (F,).

    seen: (F,) bool, where the face was found; elsewhere weights go on from the frames around.
    """

    weights: np.ndarray
    residual: np.ndarray
    seen: np.ndarray


def fit_weights(
    points: np.ndarray,
    scores: np.ndarray,
    numbers: Sequence[int],
    model: PointModel,
    rate: float = USUAL_RATE,
    touching: np.ndarray | None = None,
) -> FittedWeights:
    """Weights of tracked points.

    points: (F, m, 3) in pixels, x right, y down, z away from the camera; NaN where the face was lost. scores: (F, 52)
    of ARKIT_NAMES. numbers: which of MediaPipe's 478 points the m are. rate: frames per second. touching: (F,) bool,
    where the voice says that the lips touch, which short closures of a slow camera need.

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
    scores = without_rest(np.where(seen[:, None], scores, 0.0), seen)
    moved, opening = displacements_of(points, scores, seen, place, model.points)
    if touching is not None:
        opening = with_closures(opening, touching & seen, rate)
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


def touching_lips(opening_mm: np.ndarray, times: np.ndarray) -> np.ndarray:
    """At which of the pictures' times (F,), in seconds, the lips touch by a voice's take, (F,) bool.

    opening_mm: (N,) of the take at 24 Hz.
    """
    closed = np.flatnonzero(opening_mm <= CLOSED_MM) / CODE_RATE
    return np.isin(np.arange(len(times)), [int(np.abs(times - second).argmin()) for second in closed])


def with_closures(opening: np.ndarray, touching: np.ndarray, rate: float) -> np.ndarray:
    """The lips' opening (F, pairs), brought to touch once in every run of frames (F,) that asks for it.

    That is where they are nearest in the run and a little around it, as voice and picture need not agree on the frame.
    Lips that stay far apart are left so: the picture knows better.
    """
    result = opening.copy()
    reach = round(TOUCH_SECONDS * rate)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], touching.astype(int), [0]])))
    frames = np.arange(len(opening))
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        first = max(begin - reach, 0)
        nearest = first + int(opening[first : end + reach].mean(1).argmin())
        if opening[nearest].mean() < NEARLY_TOUCHING:
            around = np.clip(1 - np.abs(frames - nearest) / (reach + 1), 0, 1)
            result -= around[:, None] * np.maximum(result[nearest], 0.0)
    return result


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


def without_rest(scores: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Scores (F, 52) without what the tracker says of the face at rest, which is that person's shape, not motion."""
    usual = np.median(scores[resting(scores, seen)], axis=0)
    return np.clip((scores - usual) / np.maximum(1 - usual, 0.2), 0.0, 1.0)


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
    evidence = Evidence(model)
    square, product = evidence.design.T @ evidence.design, evidence.target(moved, opening) @ evidence.design
    prior = _prior(square.diagonal() > 1.0)
    wanted = np.zeros((len(moved), len(WEIGHT_NAMES)))
    wanted[:, : scores.shape[1]] = scores
    tie = 1 / (np.array([_change(name) for name in WEIGHT_NAMES]) * USUAL_RATE / rate) ** 2
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
    return weights, evidence.misfit(moved, weights)


def _prior(felt: np.ndarray) -> np.ndarray:
    """How much each weight keeps to its score, (57,), by whether the points feel it."""
    rare = np.array([name.startswith(RARE) for name in WEIGHT_NAMES])
    return 1 / np.where(felt, np.where(rare, RARE_ERROR, SCORE_ERROR), BY_SCORE_ERROR) ** 2


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
