"""Few keys for a curve that was sampled at every frame, with a bound on what is lost.

A key holds a value and a slope; between two keys runs the cubic that Blender draws when both handles reach a third of
the way. Keys are added where the error is largest until it is nowhere above the bound.
"""

from __future__ import annotations

import numpy as np

from .channels import hermite


def key_frames(values: np.ndarray, tolerance: float) -> np.ndarray:
    """Positions (K,) of the keys that keep a curve of values (F,) within `tolerance` at every frame."""
    keys = np.array([0, len(values) - 1]) if len(values) > 1 else np.array([0])
    while True:
        error = np.abs(interpolated(values, keys) - values)
        worst = error > tolerance
        if not worst.any():
            return keys
        # One new key for each gap between two keys: that of the largest error.
        gap = np.searchsorted(keys, np.arange(len(values)), side="right") - 1
        order = np.lexsort((error, gap))
        last_of_gap = np.flatnonzero(np.append(np.diff(gap[order]), 1))
        largest = order[last_of_gap]
        keys = np.union1d(keys, largest[worst[largest]])


def interpolated(values: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The curve (F,) through `keys` (K,) of values (F,), at every frame."""
    if len(keys) == 1:
        return np.full(len(values), values[keys[0]])
    slope = key_slopes(values)
    frames = np.arange(len(values))
    gap = np.clip(np.searchsorted(keys, frames, side="right") - 1, 0, len(keys) - 2)
    first, last = keys[gap], keys[gap + 1]
    length = last - first
    return hermite(values[first], values[last], slope[first] * length, slope[last] * length, (frames - first) / length)


def key_slopes(values: np.ndarray) -> np.ndarray:
    """Slope (F,) per frame that a key at each frame would have."""
    return np.gradient(values) if len(values) > 1 else np.zeros(1)
