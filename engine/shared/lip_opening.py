"""How far the lips are open, as a linear estimate from ARKit weights.

It is within 0.21 mm of ICT-FaceKit's meshes on 98 % of the articulation prior's frames; `engine.head.topology.lips`
measures a head itself. Only NumPy is needed.
"""

from __future__ import annotations

import numpy as np

from .weights import WEIGHT_NAMES

# Mid-sagittal lip opening of the ICT-FaceKit mean face: millimetres at rest and per unit of weight, from its meshes.
REST_OPENING_MM = 0.64
OPENING_MM_PER_WEIGHT = {
    "jawOpen": 32.8, "mouthClose": -38.8, "mouthFunnel": 12.9, "mouthPucker": -1.05, "mouthRollLower": -3.6,
    "mouthRollUpper": 0.6, "mouthShrugLower": -6.9, "mouthShrugUpper": 5.1, "mouthLowerDownLeft": 3.4,
    "mouthLowerDownRight": 3.4, "mouthUpperUpLeft": 3.5, "mouthUpperUpRight": 3.5, "mouthPressLeft": -1.2,
    "mouthPressRight": -1.2, "jawForward": 1.3, "noseSneerLeft": 2.7, "noseSneerRight": 2.7,
}  # fmt: skip


def lip_opening_mm(weights: np.ndarray) -> np.ndarray:
    """Linear estimate of the mid-sagittal lip opening in mm of weights (..., W); negative = pressed together."""
    return REST_OPENING_MM + weights @ opening_slopes()[: weights.shape[-1]]


def opening_slopes() -> np.ndarray:
    """Millimetres of lip opening per unit of every weight of WEIGHT_NAMES: (57,) float32."""
    return np.array([OPENING_MM_PER_WEIGHT.get(name, 0.0) for name in WEIGHT_NAMES], np.float32)
