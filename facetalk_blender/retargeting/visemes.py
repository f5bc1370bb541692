"""The 15 Oculus visemes from ARKit weights, for characters that have nothing else to move the mouth.

Every viseme stands for a pose of the mouth in ARKit weights, at the amplitude of natural speech. The viseme weights of
a frame are those that come nearest to the frame's mouth as a non-negative mixture of these poses (least squares), and
`viseme_sil` is what they leave to one. Visemes that differ by the hidden tongue alone (DD, kk, nn, TH) have nearly the
same pose and share their weight.
"""

from __future__ import annotations

import numpy as np

from .names import VISEMES

# Weights of the pose of each viseme; a name without a side stands for both.
POSES: dict[str, dict[str, float]] = {
    "viseme_PP": {
        "jawOpen": 0.10, "mouthClose": 0.12, "mouthPress": 0.26, "mouthRollUpper": 0.10, "mouthRollLower": 0.12
    },
    "viseme_FF": {"jawOpen": 0.06, "mouthRollLower": 0.35, "mouthUpperUp": 0.08},
    "viseme_TH": {"jawOpen": 0.12, "mouthLowerDown": 0.16, "mouthUpperUp": 0.04},
    "viseme_DD": {"jawOpen": 0.12, "mouthLowerDown": 0.12, "mouthStretch": 0.06},
    "viseme_kk": {"jawOpen": 0.18, "mouthLowerDown": 0.08},
    "viseme_CH": {
        "jawOpen": 0.08, "mouthFunnel": 0.42, "mouthPucker": 0.25, "mouthLowerDown": 0.10, "mouthUpperUp": 0.05
    },
    "viseme_SS": {
        "jawOpen": 0.05, "mouthStretch": 0.20, "mouthSmile": 0.12, "mouthLowerDown": 0.20, "mouthUpperUp": 0.09
    },
    "viseme_nn": {"jawOpen": 0.10, "mouthLowerDown": 0.08, "mouthUpperUp": 0.03},
    "viseme_RR": {"jawOpen": 0.12, "mouthFunnel": 0.22, "mouthPucker": 0.32},
    "viseme_aa": {"jawOpen": 0.42, "mouthLowerDown": 0.10, "mouthUpperUp": 0.04},
    "viseme_E": {"jawOpen": 0.25, "mouthStretch": 0.16, "mouthSmile": 0.10, "mouthLowerDown": 0.12},
    "viseme_I": {
        "jawOpen": 0.12, "mouthStretch": 0.32, "mouthSmile": 0.22, "mouthLowerDown": 0.16, "mouthUpperUp": 0.08
    },
    "viseme_O": {"jawOpen": 0.28, "mouthFunnel": 0.14, "mouthPucker": 0.45},
    "viseme_U": {"jawOpen": 0.10, "mouthFunnel": 0.14, "mouthPucker": 0.65},
}  # fmt: skip
SPEAKING = tuple(POSES)
RIDGE = 1e-3  # keeps the weights of nearly equal poses from playing against each other
SWEEPS = 200


def pose_matrix(weight_names: list[str]) -> np.ndarray:
    """(W, 14) poses of the visemes that speak, in the order of SPEAKING; rows are the weights of weight_names."""
    matrix = np.zeros((len(weight_names), len(SPEAKING)))
    for column, viseme in enumerate(SPEAKING):
        for name, value in POSES[viseme].items():
            for whole in (name, f"{name}Left", f"{name}Right"):
                if whole in weight_names:
                    matrix[weight_names.index(whole), column] = value
    return matrix


def visemes_from_weights(weights: np.ndarray, weight_names: list[str]) -> np.ndarray:
    """Viseme weights (N, 15) 0..1 in the order of VISEMES from ARKit weights (N, W) of weight_names."""
    poses = pose_matrix(weight_names)
    mouth = poses.any(axis=1)  # brows and eyes have no say
    poses, target = poses[mouth], np.clip(np.asarray(weights, float)[:, mouth], 0.0, 1.0)
    gram = poses.T @ poses + RIDGE * np.eye(len(SPEAKING))
    slope = target @ poses  # (N, 14)
    mixture = np.zeros_like(slope)
    # Coordinate descent with projection: converges to the one minimum, the problem being strictly convex.
    for _ in range(SWEEPS):
        for column in range(len(SPEAKING)):
            residual = slope[:, column] - mixture @ gram[:, column]
            mixture[:, column] = np.maximum(mixture[:, column] + residual / gram[column, column], 0.0)
    mixture = np.minimum(mixture, 1.0)
    silence = np.maximum(1.0 - mixture.sum(1, keepdims=True), 0.0)
    columns = {viseme: mixture[:, index] for index, viseme in enumerate(SPEAKING)} | {"viseme_sil": silence[:, 0]}
    return np.stack([columns[viseme] for viseme in VISEMES], axis=1).astype(np.float32)
