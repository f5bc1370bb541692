"""The starter's identity code: a fixed linear map of the 100 identity coefficients.

Each slot of the code holds the principal components of how the identity modes move the vertices around its anchor, so
a local network sees the shape of its neighbourhood and an unseen head needs no fitting. A mirrored pair shares one set
of components, read on the mirrored mesh by the slot at x > 0, because it shares one network.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from engine.shared.arkit import ARKIT_NAMES
from training.head.ict import CANONICAL_JAW_OPEN, FaceKit

GLOBAL_DIMENSIONS, LOCAL_DIMENSIONS = 64, 32
NEIGHBOURHOOD = 0.12  # standard deviation of a slot's window, 3 cm

# Anchors at x > 0 (landmark number or canonical position of the mean head); each has a mirrored twin.
PAIRED_ANCHORS = (
    45,
    42,
    43,
    24,
    26,
    35,
    54,
    52,
    56,
    12,
    (0.20, -0.08, 0.13),
    (0.36, 0.02, -0.25),
    (0.26, 0.38, -0.10),
    (0.26, 0.20, -0.48),
    (0.22, -0.42, -0.25),
    (0.09, -0.20, 0.05),
)
# Neck, nose tip, lower lip, upper lip, nose bridge, forehead, chin.
MIDDLE_ANCHORS = ((0.0, -0.45, 0.0), 30, 57, 51, 27, (0.0, 0.30, 0.17), 8)


def anchor_vertices(face_kit: FaceKit) -> np.ndarray:
    """(39,) vertex numbers of the anchors in slot order: pairs interleaved (x < 0 first), then the mid-line."""
    mean = face_kit.canonical(face_kit.neutral)
    tree = cKDTree(mean)
    numbers = []
    for anchor in PAIRED_ANCHORS:
        position = mean[face_kit.landmarks[anchor]] if isinstance(anchor, int) else np.array(anchor)
        numbers += [int(tree.query(position * (-1, 1, 1))[1]), int(tree.query(position)[1])]
    for anchor in MIDDLE_ANCHORS:
        position = mean[face_kit.landmarks[anchor]] if isinstance(anchor, int) else np.array(anchor)
        numbers.append(int(tree.query(position)[1]))
    return np.array(numbers)


def identity_basis(face_kit: FaceKit) -> np.ndarray:
    """(1344, 100) float32: identity code = basis @ coefficients."""
    mean = face_kit.canonical(face_kit.neutral)
    anchors = anchor_vertices(face_kit)
    mirrored = cKDTree(mean).query(mean * (-1, 1, 1))[1]
    chosen = np.arange(0, len(mean), 5)
    modes = face_kit.identity[:, chosen]
    mirrored_modes = face_kit.identity[:, mirrored[chosen]] * (-1, 1, 1)
    slots = []
    for number, anchor in enumerate(anchors):
        if number < 2 * len(PAIRED_ANCHORS) and number % 2:
            continue
        window = np.exp(-0.5 * ((mean[chosen] - mean[anchor]) / NEIGHBOURHOOD) ** 2)
        own = _windowed(modes, window)
        components, scale = _components(own, LOCAL_DIMENSIONS)
        slots.append(components.T @ own * scale[:, None])
        if number < 2 * len(PAIRED_ANCHORS):
            slots.append(components.T @ _windowed(mirrored_modes, window) * scale[:, None])
    everywhere = _windowed(modes, np.ones((len(chosen), 1)))
    for dimensions in (LOCAL_DIMENSIONS, GLOBAL_DIMENSIONS):
        components, scale = _components(everywhere, dimensions)
        slots.append(components.T @ everywhere * scale[:, None])
    return np.concatenate([slots[-1], *slots[:-1]]).astype(np.float32)


def _windowed(modes: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Displacements (3 V, 100) of modes (100, V, 3) times a per-axis or per-vertex window (V, 1 or 3)."""
    strength = window.prod(1, keepdims=True)
    return (modes * strength).reshape(len(modes), -1).T


def _components(displacements: np.ndarray, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Principal directions (3 V, D) and scales (D,): a component of relative size s gets the amplitude sqrt(s)."""
    directions, sizes, _ = np.linalg.svd(displacements, full_matrices=False)
    kept = np.maximum(sizes[:dimensions], 1e-4 * sizes[0])
    return directions[:, :dimensions], np.sqrt(kept / sizes[0]) / kept


def canonical_anchors(face_kit: FaceKit, coefficients: np.ndarray) -> np.ndarray:
    """Anchor positions (B, 39, 3) of coefficients (B, 100)."""
    vertices = anchor_vertices(face_kit)
    mean = face_kit.neutral[vertices] + CANONICAL_JAW_OPEN * face_kit.expression[ARKIT_NAMES.index("jawOpen"), vertices]
    return mean + np.tensordot(coefficients, face_kit.identity[:, vertices], 1)
