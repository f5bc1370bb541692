"""Where the tongue may go: how far the teeth must be apart for it, and how it gets over the lower ones.

The shapes of the head are linear, so half of `tongueForward` is a tip half way to its place, in the lower incisors. In
life it is lifted first. Only NumPy is needed.
"""

from __future__ import annotations

import numpy as np

from .weights import WEIGHT_NAMES

# At which jawOpen a channel may begin, and at which it may be whole.
ROOM = {
    "tongueOut": (0.12, 0.40),
    "tongueForward": (-0.04, 0.16),
    "tongueWide": (-0.10, 0.10),
    "tongueRoll": (-0.10, 0.15),
    "tongueUp": (-0.15, 0.10),
}
# How much of tongueUp a channel needs on its way: (weight, tongueUp).
LIFT = {
    "tongueOut": ((0.0, 0.0), (0.1, 0.35), (0.3, 0.55), (0.5, 0.40), (0.8, 0.0), (1.0, 0.0)),
    "tongueForward": ((0.0, 0.0), (0.3, 0.15), (0.7, 0.12), (1.0, 0.0)),
}
_JAW = WEIGHT_NAMES.index("jawOpen")
_UP, _OUT, _FORWARD, _BACK = (WEIGHT_NAMES.index(f"tongue{way}") for way in ("Up", "Out", "Forward", "Back"))


def with_tongue_in_place(weights: np.ndarray) -> np.ndarray:
    """Weights (..., 57) with the tongue no farther than jaw and teeth let it, and lifted where it must be.

    `WEIGHT_NAMES` gives their order. Weights without a tongue stay as they are.
    """
    weights = np.array(weights, np.float32)
    jaw = weights[..., _JAW]
    away = np.clip(weights[..., _OUT], 0.0, None) + np.clip(weights[..., _FORWARD], 0.0, None)
    excess = np.maximum(away + np.clip(weights[..., _BACK], 0.0, None), 1.0)  # these pull the same muscle apart
    for column in (_OUT, _FORWARD, _BACK):
        weights[..., column] /= excess
    for name, (none, whole) in ROOM.items():
        column = WEIGHT_NAMES.index(name)
        weights[..., column] = np.minimum(weights[..., column], np.clip((jaw - none) / (whole - none), 0.0, 1.0))
    weights[..., _UP] *= np.clip(1.0 - weights[..., _OUT] - weights[..., _FORWARD], 0.0, 1.0)
    for name, points in LIFT.items():
        at, lift = np.array(points).T
        needed = np.interp(weights[..., WEIGHT_NAMES.index(name)], at, lift)
        weights[..., _UP] = np.maximum(weights[..., _UP], needed)
    return weights
