"""The fine time grid on which the prior draws movements, and what both halves of the face draw on it."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from engine.shared.units import CODE_RATE
from engine.shared.weights import WEIGHT_NAMES

OVERSAMPLING = 10  # grid steps per code frame
GRID_RATE = CODE_RATE * OVERSAMPLING


def at_code_rate(weights: dict[str, np.ndarray], frames: int) -> np.ndarray:
    """Weights (frames, 57) float32 in 0..1 at 24 Hz of named weights (G,) on the grid; the others are 0."""
    result = np.zeros((frames, len(WEIGHT_NAMES)), np.float32)
    for name, values in weights.items():
        result[:, WEIGHT_NAMES.index(name)] = values[: frames * OVERSAMPLING : OVERSAMPLING]
    return np.clip(result, 0.0, 1.0)


def slow_drift(length: int, seconds: float, generator: np.random.Generator) -> np.ndarray:
    """Smooth noise (length,) of unit deviation that changes over about `seconds`."""
    width = seconds * GRID_RATE
    margin = int(3 * width)
    # Coarse noise, so that long and short clips cost alike.
    step = max(int(width / 8), 1)
    noise = generator.standard_normal((length + 2 * margin) // step + 2)
    smooth = gaussian_filter1d(noise, width / step, mode="wrap") * np.sqrt(2 * np.sqrt(np.pi) * width / step)
    return np.interp(np.arange(length) + margin, np.arange(len(noise)) * step, smooth)
