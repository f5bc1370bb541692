"""Least squares between codes, motion and weights; codes are taken in their principal components of unit variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

SMALLEST_COMPONENT = 1e-3  # relative to the largest
RIDGE_PENALTIES = 10.0 ** np.arange(-6, 3)  # for components of unit variance and means over the codes
FOLDS = 5
WEIGHT_PENALTY_MM = 0.03  # a weight of one costs as much as this error over the whole face


@dataclass(frozen=True)
class Components:
    """Principal components about the code zero: codes (N, E) are u @ spread of components u (N, K).

    spread: (K, E).
    """

    spread: np.ndarray

    @classmethod
    def of(cls, codes: np.ndarray) -> Components:
        """Those of codes (N, E) that are not negligible."""
        _, sizes, directions = np.linalg.svd(codes.astype(np.float64), full_matrices=False)
        kept = sizes > SMALLEST_COMPONENT * sizes[0]
        return cls(sizes[kept, None] / np.sqrt(len(codes)) * directions[kept])

    @property
    def reading(self) -> np.ndarray:
        """(E, K): components are codes @ reading."""
        return self.spread.T / np.square(self.spread).sum(1)


def linear_motion(inputs: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """(K, Y) with inputs (N, K) @ it near moved (N, Y): ridge regression, its penalty by cross-validation in blocks."""
    blocks = np.array_split(np.arange(len(inputs)), FOLDS)
    errors = np.zeros(len(RIDGE_PENALTIES))
    for held in blocks:
        others = np.setdiff1d(np.arange(len(inputs)), held)
        for number, solution in enumerate(_ridge(inputs[others], moved[others], RIDGE_PENALTIES)):
            errors[number] += np.square(inputs[held] @ solution - moved[held]).sum()
    (solution,) = _ridge(inputs, moved, RIDGE_PENALTIES[[errors.argmin()]])
    return solution


def _ridge(inputs: np.ndarray, outputs: np.ndarray, penalties: np.ndarray):
    left, sizes, right = np.linalg.svd(inputs, full_matrices=False)
    projected = left.T @ outputs
    for penalty in penalties:
        yield right.T @ ((sizes / (sizes**2 + penalty * len(inputs)))[:, None] * projected)


class NonNegativeWeights:
    """The non-negative mixture of shapes (Y, W) mm that comes nearest to a motion (Y,), with small weights preferred.

    factor: (W, W); projection: (Y, W). The mixture of a motion m minimises |factor w - m @ projection|.
    """

    def __init__(self, shapes: np.ndarray):
        points = len(shapes) / 3
        normal = shapes.T @ shapes / points + WEIGHT_PENALTY_MM**2 * np.eye(shapes.shape[1])
        self.factor = np.linalg.cholesky(normal).T
        self.projection = np.linalg.solve(self.factor.T, shapes.T / points).T

    def of(self, moved: np.ndarray) -> np.ndarray:
        """Weights (N, W) of motions (N, Y) from the neutral pose."""
        return np.array([nnls(self.factor, target)[0] for target in moved @ self.projection])


def codes_per_weight(motion: np.ndarray, shapes: np.ndarray, penalty: float) -> np.ndarray:
    """Components (K, W) that move the points as shapes (Y, W) do, with components of unit variance as a prior.

    motion: (K, Y) mm per component. penalty: in mm^2, what a component of one costs as a mean square error.
    """
    points = len(shapes) / 3
    normal = motion @ motion.T / points + penalty * np.eye(len(motion))
    return np.linalg.solve(normal, motion @ shapes / points)
