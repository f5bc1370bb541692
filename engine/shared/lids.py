"""Closed lids stay closed: what lifts them gives way to a blink.

The shapes of the head are linear, so a whole blink with `eyeLookUp` at 0.3 leaves 10 mm^2 of the eyes open, and with
`eyeWide` 22. In life nothing holds a lid up while it closes. Only NumPy is needed.
"""

from __future__ import annotations

import numpy as np

from .weights import WEIGHT_NAMES

LIFTING = ("eyeLookUp", "eyeWide")
FREE, NONE = 0.5, 0.95  # the blink up to which a lid may be lifted at will, and from which not at all
_COLUMNS = [
    (WEIGHT_NAMES.index(f"eyeBlink{side}"), WEIGHT_NAMES.index(f"{name}{side}"))
    for side in ("Left", "Right")
    for name in LIFTING
]


def most_lift(blink: np.ndarray) -> np.ndarray:
    """The largest weight that each of `LIFTING` may have beside a blink of any shape."""
    return np.clip((NONE - blink) / (NONE - FREE), 0.0, 1.0)


def with_lids_in_place(weights: np.ndarray) -> np.ndarray:
    """Weights (..., W), the first 52 or all of WEIGHT_NAMES, with lids that nothing lifts while they close."""
    weights = np.array(weights, np.float32)
    for blink, lifting in _COLUMNS:
        weights[..., lifting] = np.minimum(weights[..., lifting], most_lift(weights[..., blink]))
    return weights
