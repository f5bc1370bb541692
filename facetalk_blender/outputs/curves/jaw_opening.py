"""By which angle a jaw bone has to turn for a mouth to open as far as a head of ours does."""

from __future__ import annotations

import numpy as np

# Of the starter's mean head at jawOpen 1: its lips are 32.5 mm apart, of 117 mm from chin to eyes.
OPENING = 0.278
LEAST_ANGLE, LARGEST_ANGLE = np.radians(6.0), np.radians(32.0)  # what jaws do, and riggers expect
TURNING = 0.5  # share of a vertex that counts as one of the jaw
MIDDLE = 0.15  # of the height from chin to eyes: how far beside the middle lips are looked for
FRONT = 0.35  # of the same: how far behind the foremost point


def angle_of_opening(points: np.ndarray, shares: np.ndarray, eyes: float) -> float | None:
    """The angle in radians, or None where the points do not look like a jaw.

    points: (V, 3), to the left, forwards and up from the jaw's pivot. shares: (V,) 0..1 of how much each turns.
    eyes: their height above the pivot.
    """
    jaw = points[shares > TURNING]
    if not len(jaw):
        return None
    front = jaw[jaw[:, 1] > jaw[:, 1].max() / 2]  # without the throat
    height = eyes - front[:, 2].min() if len(front) else 0.0
    if height <= 0:
        return None
    near = (np.abs(points[:, 0]) < MIDDLE * height) & (points[:, 1] > jaw[:, 1].max() - FRONT * height)
    lips = points[near & (shares > TURNING)]
    if not len(lips):
        return None
    lip = lips[lips[:, 2].argmax()]
    share = float(shares[near & (shares > TURNING)][lips[:, 2].argmax()])
    return _turned(lip[1], lip[2], share, OPENING * height)


def _turned(forwards: float, up: float, share: float, drop: float) -> float | None:
    """The angle at which a point sinks by a height when it turns, with a share of it, about an axis to the side."""
    angles = np.linspace(LEAST_ANGLE, LARGEST_ANGLE, 105)
    sunk = share * (forwards * np.sin(angles) + up * (1.0 - np.cos(angles)))
    reached = np.flatnonzero(sunk >= drop)
    if forwards <= 0 or drop <= 0:
        return None
    return float(angles[reached[0]] if len(reached) else LARGEST_ANGLE)
