"""What every channel does over time, from the weights of a take."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .names import COMBINED, VISEMES
from .visemes import visemes_from_weights

# Jacobi's iteration halves the error each time: far below a float's precision.
SLOPE_ITERATIONS = 40


def channel_values(weights: np.ndarray, weight_names: list[str], channels: Iterable[str]) -> dict[str, np.ndarray]:
    """Values (N,) 0..1 of the wanted channels from ARKit weights (N, W).

    A channel whose weights the take does not have is left out.
    """
    clipped = np.clip(weights, 0.0, 1.0)
    wanted, visemes = dict.fromkeys(channels), None
    values = {}
    for channel in wanted:
        parts = COMBINED.get(channel, ((channel, 1.0),))
        if channel in VISEMES:
            visemes = visemes_from_weights(clipped, weight_names) if visemes is None else visemes
            values[channel] = visemes[:, VISEMES.index(channel)]
        elif all(name in weight_names for name, _ in parts):
            values[channel] = sum(share * clipped[:, weight_names.index(name)] for name, share in parts)
    return values


def values_at(values: np.ndarray, rate: float, times: np.ndarray) -> np.ndarray:
    """Cubic spline through values (N, C) taken at i / rate seconds, at times (F,): (F, C) float64.

    The same spline as `engine.motion.codes.interpolated`, without SciPy, which Blender lacks: zero slope at both ends,
    and the end values hold outside.
    """
    values = np.asarray(values, float)
    position = np.clip(np.asarray(times, float) * rate, 0.0, len(values) - 1)
    if len(values) == 1:
        return np.repeat(values, len(position), axis=0)
    slopes = np.zeros_like(values)  # (N, C) per code frame
    rise = 3.0 * (values[2:] - values[:-2])
    for _ in range(SLOPE_ITERATIONS):
        slopes[1:-1] = (rise - slopes[:-2] - slopes[2:]) / 4.0
    start = np.minimum(position.astype(int), len(values) - 2)
    return hermite(values[start], values[start + 1], slopes[start], slopes[start + 1], (position - start)[:, None])


def hermite(
    first: np.ndarray, last: np.ndarray, first_slope: np.ndarray, last_slope: np.ndarray, part: np.ndarray
) -> np.ndarray:
    """Cubic between two values with given slopes per whole interval; part: 0..1 of the interval."""
    rise = last - first
    bend = first_slope + last_slope - 2.0 * rise
    return first + part * (first_slope + part * (3.0 * rise - 2.0 * first_slope - last_slope + part * bend))
