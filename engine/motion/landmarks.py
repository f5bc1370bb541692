"""A face's landmarks in the place of a voice: what the decoder is conditioned on when motion follows a captured face.

The paper's Fig. 8 in place of its audio features. 68 points in Multi-PIE's (iBUG's) order; the head's own motion, size
and shape at rest are taken out, so that landmarks of anybody drive any head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..bundle import Bundle
from ..shared.errors import EngineError

COUNT = 68
DIMENSIONS = 3 * COUNT
SECTION = "landmarks"
# The bridge of the nose and the corners of the eyes stay where they are in the head.
RIGID = [27, 28, 29, 30, 36, 39, 42, 45]
EYES = (36, 45)  # outer corners; a tenth of a millimetre or a metre, their distance tells the size
UNIT_SHARE = 0.03  # of that distance: what counts as one, about 3 mm
LEAST_SEEN = 0.5  # share of frames in which a rigid point has to be known, or it is left out
FEWEST = 5  # rigid points that tell the head's motion


@dataclass(frozen=True)
class LandmarkCondition:
    """reference: (68, 3) landmarks whose axes and size all others are brought to."""

    reference: np.ndarray

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> LandmarkCondition:
        """The condition of a bundle. Raises EngineError when its motion does not follow landmarks."""
        if not isinstance(bundle.config.get(SECTION), dict):
            raise EngineError(f"The motion of the bundle {bundle.name} follows a voice, not landmarks; choose another.")
        try:
            reference = np.array(bundle.section(SECTION)["reference"], np.float64)
        except (KeyError, TypeError, ValueError):
            reference = np.zeros(0)
        if reference.shape != (COUNT, 3) or not np.isfinite(reference).all():
            raise EngineError(f"The landmarks of the bundle {bundle.name} are damaged; install the bundle again.")
        return cls(reference)

    @classmethod
    def from_clip(cls, landmarks: np.ndarray) -> LandmarkCondition:
        """A condition whose reference is a clip's (N, 68, 3) middle position.

        Raises EngineError for landmarks of another shape, or without all of those of eyes and nose that do not move.
        """
        rest = np.median(_filled(landmarks, len(RIGID)), axis=0)
        return cls(rest - rest[RIGID].mean(axis=0))

    def section(self) -> dict:
        """What a bundle's section `landmarks` holds."""
        return {"reference": self.reference.round(6).tolist()}

    def features(self, landmarks: np.ndarray) -> Tensor:
        """Features (N, 204) of landmarks (N, 68, 3) in any unit and any axes, a frame each at the codes' rate.

        How far each point is from its middle position in the clip, the head being still. NaN marks points that were not
        seen: they are bridged in time, and stay at rest when they were never seen.

        Raises EngineError for landmarks of another shape, or without enough of the eyes and nose.
        """
        points = self._still(_filled(landmarks, FEWEST), steady(landmarks))
        moved = points - np.median(points, axis=0)
        unit = UNIT_SHARE * float(np.linalg.norm(self.reference[EYES[0]] - self.reference[EYES[1]]))
        return torch.from_numpy((moved / unit).reshape(len(points), DIMENSIONS).astype(np.float32))

    def _still(self, points: np.ndarray, rigid: list[int]) -> np.ndarray:
        """Points (N, 68, 3) in the reference's axes and size, the rigid ones on the reference's."""
        centres = points[:, rigid].mean(axis=1, keepdims=True)
        wanted = self.reference[rigid] - self.reference[rigid].mean(axis=0)
        found = points[:, rigid] - centres  # (N, R, 3)
        # One size for the clip: a head does not grow.
        scale = np.sqrt(np.square(wanted).sum() / np.median(np.square(found).sum(axis=(1, 2))))
        left, _, right = np.linalg.svd(found.transpose(0, 2, 1) @ wanted)  # (N, 3, 3)
        turned = np.sign(np.linalg.det(left @ right))
        left[:, :, 2] *= turned[:, None]
        return scale * (points - centres) @ (left @ right)


def steady(landmarks: np.ndarray) -> list[int]:
    """Which of the points that stay where they are in the head are seen in enough frames of (N, 68, 3)."""
    known = np.isfinite(landmarks).all(axis=2).mean(axis=0)
    return [point for point in RIGID if known[point] >= LEAST_SEEN]


def _filled(landmarks: np.ndarray, fewest: int) -> np.ndarray:
    """Landmarks (N, 68, 3) without gaps; fewest: of the rigid ones that must be known. Raises EngineError otherwise."""
    points = np.array(landmarks, np.float64)
    if points.ndim != 3 or points.shape[1:] != (COUNT, 3) or not len(points):
        raise EngineError(f"Landmarks should be {COUNT} points in space a frame, not of shape {points.shape}.")
    known = np.isfinite(points).all(axis=2)  # (N, 68)
    rigid = steady(points)
    if len(rigid) < fewest:
        lost = next(point for point in RIGID if point not in rigid)
        raise EngineError(
            f"Landmark {lost} of nose or eyes is missing in most frames, so the head's own motion cannot be told; "
            "capture the face from the front."
        )
    frames = np.arange(len(points))
    for point in range(COUNT):
        seen = known[:, point]
        for axis in range(3):
            points[:, point, axis] = np.interp(frames, frames[seen], points[seen, point, axis]) if seen.any() else 0.0
    never = ~known.any(axis=0)
    # They move with the head: at its middle, where they come out at rest.
    points[:, never] = points[:, rigid].mean(axis=1, keepdims=True)
    if not np.ptp(points[:, rigid], axis=1).max() > 0:
        raise EngineError("The landmarks lie in one point; capture the face again.")
    return points
