"""What tracked points say of a head's weights, as linear equations that are weighed by the tracker's usual errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..shared.weights import WEIGHT_NAMES
from .correspondence import LIP_PAIRS, TEMPLATE_STABLE, WIDTH_PAIRS, FacePoint

# Standard deviations, in model units of 0.25 m: of a point, 1.6 mm, and of its depth, which one camera hardly sees.
POINT_ERROR, DEPTH_ERROR = 0.0064, 0.03
# What is seen of speech first is whether lips touch, then how wide the mouth is, so these distances count by
# themselves, 0.18 and 0.5 mm.
OPENING_ERROR, WIDTH_ERROR = 0.0007, 0.002
# Head motion is taken out by a few points of eyes and nose, whose small errors turn the mouth by millimetres: errors of
# a frame's pose in radians, model units, and share of the size.
TURN_ERROR, SHIFT_ERROR, SIZE_ERROR = 0.05, 0.006, 0.03


@dataclass(frozen=True)
class PointModel:
    """How a head's points move, in model units.

    points: n face points. displacements: (n, 57, 3) per unit of weight. rest_opening: of the lips at rest.
    """

    points: Sequence[FacePoint]
    displacements: np.ndarray
    rest_opening: float = 0.0


class Evidence:
    """Equations `design @ weights = target` of unit error, the errors of each frame's pose integrated out.

    design: (M, 57).
    """

    def __init__(self, model: PointModel) -> None:
        self.model = model
        trust = np.array([point.trust for point in model.points])
        self._precision = np.sqrt(trust)[:, None] / np.array([POINT_ERROR, POINT_ERROR, DEPTH_ERROR])  # (n, 3)
        moves = self._precision[..., None] * pose_errors(model.points)
        moves = moves.reshape(-1, moves.shape[-1])
        # Weighted residuals (3 n,) to such of unit error, which forgive what a wrong pose does to all points.
        self._whitening = np.linalg.inv(np.linalg.cholesky(np.eye(len(moves)) + moves @ moves.T))
        self._pose = moves @ np.linalg.solve(np.eye(moves.shape[1]) + moves.T @ moves, moves.T)
        self._row = {point.number: row for row, point in enumerate(model.points)}
        per_weight = model.displacements.transpose(1, 0, 2)  # (57, n, 3)
        self.design = self._equations(per_weight, self._apart(per_weight, LIP_PAIRS, 1)).T
        # Gaze moves the lids a little; the scores tell it better.
        self.design[:, [number for number, name in enumerate(WEIGHT_NAMES) if name.startswith("eyeLook")]] = 0.0

    def target(self, moved: np.ndarray, opening: np.ndarray) -> np.ndarray:
        """Right sides (F, M) of displacements (F, n, 3) and of how the lips' opening differs from rest (F, pairs)."""
        return self._equations(moved, opening)

    def misfit(self, moved: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """How far the points of weights (F, 57) are from where they were seen, (F,), apart from the pose's errors."""
        explained = np.einsum("fw,nwc->fnc", weights, self.model.displacements)
        off = (self._precision * (explained - moved)).reshape(len(moved), -1)
        off = (off - off @ self._pose).reshape(moved.shape) / self._precision
        return np.linalg.norm(off[..., :2], axis=2).mean(1)

    def _equations(self, moved: np.ndarray, opening: np.ndarray) -> np.ndarray:
        """Of displacements (k, n, 3) and openings (k, pairs) the weighted values (k, M)."""
        points = (self._precision * moved).reshape(len(moved), -1) @ self._whitening.T
        width = self._apart(moved, WIDTH_PAIRS, 0)
        return np.concatenate([points, opening / OPENING_ERROR, width / WIDTH_ERROR], 1)

    def _apart(self, moved: np.ndarray, pairs: Sequence[tuple[int, int]], axis: int) -> np.ndarray:
        """How much farther apart along an axis pairs of points are for displacements (k, n, 3): (k, pairs)."""
        return np.stack([moved[:, self._row[u], axis] - moved[:, self._row[v], axis] for u, v in pairs], 1)


def pose_errors(points: Sequence[FacePoint]) -> np.ndarray:
    """How each usual error of a frame's pose (three turns, three shifts, the size) moves n points: (n, 3, 7)."""
    places = np.array([point.place for point in points]) - np.array(TEMPLATE_STABLE).mean(0)
    turns = np.stack([np.cross(axis, places) for axis in np.eye(3)], -1)
    shifts = np.broadcast_to(np.eye(3), turns.shape)
    return np.concatenate([turns * TURN_ERROR, shifts * SHIFT_ERROR, places[..., None] * SIZE_ERROR], -1)
