"""Whether air and solid are right inside an open mouth: teeth, tongue and cavity where they should be."""

from __future__ import annotations

import numpy as np

from training.head.ict import UNITS_PER_MILLIMETRE

DEPTH = np.array([0.0, 0.0, 0.10])  # behind the lips, 25 mm
LEAST_DISTANCE = 0.5 * UNITS_PER_MILLIMETRE  # nearer to the surface it is the surface's error that is seen


def mouth_points(landmarks: np.ndarray, random: np.random.Generator, count: int) -> np.ndarray:
    """Random points (P, 3) between and behind the lips of posed landmarks (68, 3)."""
    lips = landmarks[48:68]
    return random.uniform(lips.min(0) - DEPTH, lips.max(0), (count, 3))


def wrong_shares(true: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Shares of points that are solid where there should be air, and air where there should be solid.

    true, found: signed distances (P,); points at the true surface are left out.
    """
    air, solid = true > LEAST_DISTANCE, true < -LEAST_DISTANCE
    return {
        "solid_in_air": float((found[air] <= 0).mean()) if air.any() else 0.0,
        "air_in_solid": float((found[solid] > 0).mean()) if solid.any() else 0.0,
    }
