"""The registered points of a head that can be followed under its codes, and how far two motions of them differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..head.topology.lips import gap
from ..shared.arkit import ARKIT_NAMES
from ..shared.errors import EngineError
from ..shared.units import MILLIMETRES_PER_UNIT
from .surface_registration import RegisteredFace
from .template_face import TemplateFace
from .tracking import PointTracker

LARGEST_LOST_SHARE = 0.05  # of the codes, under which a point may be lost and still be used
LEAST_SHARE = 0.5  # of the points
LEAST_CURVE = 4  # points of each lip curve


@dataclass(frozen=True)
class FollowedFace:
    """Points in model units; motions in mm from where they are at rest.

    tracker: what follows them; kept: (T,) bool, which of its points they are.
    rest: (P, 3). shapes: (3 P, 52) mm per unit of weight. resting: (52,) weights at rest. lips: (P,) bool.
    upper, lower: numbers of the lip curves' points; allowance_mm: how far apart these are when the lips are closed, as
        the points where lips meet are lost most.
    """

    tracker: PointTracker
    kept: np.ndarray
    rest: np.ndarray
    shapes: np.ndarray
    resting: np.ndarray
    lips: np.ndarray
    upper: np.ndarray
    lower: np.ndarray
    allowance_mm: float

    @classmethod
    def of(
        cls, face: TemplateFace, registered: RegisteredFace, tracker: PointTracker, lost: np.ndarray
    ) -> FollowedFace:
        """The tracked points that were seldom `lost` (N, T). Raises EngineError when they are too few."""
        kept = lost.mean(0) <= LARGEST_LOST_SHARE
        numbers = face.tracked[kept]
        upper, lower = (
            np.flatnonzero((numbers >= curve.start) & (numbers < curve.stop)) for curve in (face.upper, face.lower)
        )
        if kept.mean() < LEAST_SHARE or min(len(upper), len(lower)) < LEAST_CURVE:
            raise EngineError(
                f"Only {100 * kept.mean():.0f} % of the face's points, {len(upper)} of the upper and {len(lower)} of "
                "the lower lip, can be followed under this head's codes; its deformation is not smooth enough to fit."
            )
        shapes = MILLIMETRES_PER_UNIT * registered.shapes[numbers].astype(np.float64)  # (P, 52, 3)
        resting = np.zeros(len(ARKIT_NAMES))
        resting[ARKIT_NAMES.index("jawOpen")] = registered.jaw
        return cls(
            tracker=tracker,
            kept=kept,
            rest=registered.points[numbers],
            shapes=shapes.transpose(0, 2, 1).reshape(-1, len(ARKIT_NAMES)),
            resting=resting,
            lips=face.lips[numbers],
            upper=upper,
            lower=lower,
            allowance_mm=_gap_mm(face.neutral[numbers], upper, lower) - _gap_mm(face.neutral, face.upper, face.lower),
        )

    @property
    def canonical(self) -> torch.Tensor:
        """Where they lie in canonical space (P, 3)."""
        return self.tracker.canonical.cpu()[torch.from_numpy(self.kept)]

    def moved(self, points: np.ndarray) -> np.ndarray:
        """Motions (N, P, 3) mm of the tracker's points (N, T, 3)."""
        return MILLIMETRES_PER_UNIT * (points[:, self.kept] - self.rest).astype(np.float64)

    def moved_by(self, codes: np.ndarray) -> np.ndarray:
        """Motions (N, P, 3) mm under codes (N, E)."""
        return self.moved(self.tracker.posed(codes)[0])

    def shaped(self, weights: np.ndarray) -> np.ndarray:
        """How the 52 shapes move the points from rest, (N, P, 3) mm, for weights (N, 52)."""
        return ((weights - self.resting) @ self.shapes.T).reshape(len(weights), -1, 3)

    def opening(self, moved: np.ndarray) -> np.ndarray:
        """Lip opening (N,) mm of motions (N, P, 3)."""
        points = torch.from_numpy(MILLIMETRES_PER_UNIT * self.rest + moved)
        return (gap(points[:, self.upper], points[:, self.lower]).numpy() - self.allowance_mm).clip(0)

    def errors(self, moved: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
        """How far motions (N, P, 3) are from the wanted ones, mm, and the share of the wanted motion's square met."""
        distance = np.linalg.norm(moved - wanted, axis=-1)  # (N, P)
        opening = np.abs(self.opening(moved) - self.opening(wanted))
        values = {"explained": 1 - np.square(distance).sum() / np.square(wanted).sum()}
        for name, errors in (("lips", distance[:, self.lips]), ("face", distance[:, ~self.lips]), ("opening", opening)):
            values |= {f"{name}_mean_mm": errors.mean(), f"{name}_p95_mm": np.percentile(errors, 95)}
        return {name: round(float(value), 3) for name, value in values.items()}


def _gap_mm(points: np.ndarray, upper: np.ndarray | slice, lower: np.ndarray | slice) -> float:
    curves = (torch.from_numpy(points[None, rows]) for rows in (upper, lower))
    return MILLIMETRES_PER_UNIT * float(gap(*curves))
