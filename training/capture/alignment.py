"""Rigid and similarity transforms between points that belong together (Umeyama 1991)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

OUTLIER = 0.020  # metres, the paper's threshold for landmarks


class Similarity(NamedTuple):
    """p -> scale rotation p + translation; rotation (3, 3), translation (3,)."""

    scale: float
    rotation: np.ndarray
    translation: np.ndarray

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Moved points (..., 3)."""
        return self.scale * points @ self.rotation.T + self.translation

    def inverse(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) moved back."""
        return (points - self.translation) @ self.rotation / self.scale


def fitted(source: np.ndarray, target: np.ndarray, scaled: bool) -> Similarity:
    """The transform that brings source (P, 3) nearest to target (P, 3) in the sum of squares; rigid unless scaled."""
    middles = source.mean(0), target.mean(0)
    centred = source - middles[0], target - middles[1]
    left, values, right = np.linalg.svd(centred[1].T @ centred[0])
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = left @ np.diag(signs) @ right
    scale = float((values * signs).sum() / (centred[0] ** 2).sum()) if scaled else 1.0
    return Similarity(scale, rotation, middles[1] - scale * rotation @ middles[0])


def aligned(template: np.ndarray, landmarks: np.ndarray, outlier: float = OUTLIER) -> tuple[Similarity, np.ndarray]:
    """Template landmarks (P, 3) onto measured ones (P, 3), NaN where unknown, and which of these count (P,).

    Rigid first; landmarks farther than `outlier` metres from where that brings the template are left out, then a
    similarity. Raises ValueError when fewer than four landmarks count.
    """
    known = np.isfinite(landmarks).all(1)
    if known.sum() < 4:
        raise ValueError(f"only {int(known.sum())} landmarks are known")
    rigid = fitted(template[known], landmarks[known], scaled=False)
    with np.errstate(invalid="ignore"):
        inliers = known & (np.linalg.norm(rigid.apply(template) - landmarks, axis=1) < outlier)
    if inliers.sum() < 4:
        raise ValueError(f"only {int(inliers.sum())} landmarks are within {1000 * outlier:.0f} mm of the template")
    return fitted(template[inliers], landmarks[inliers], scaled=True), inliers
