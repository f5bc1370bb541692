"""How expression codes and the 52 ARKit weights convert: exactly, or by a fit whose error the bundle states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from ..shared.arkit import ARKIT_NAMES, FIT_COMMAND
from ..shared.errors import EngineError
from ..shared.weights import WEIGHT_NAMES


class ArkitMap(Protocol):
    """How the codes of a head and weights convert: ARKit's 52, and those of the tongue where the head has one."""

    @property
    def basis(self) -> np.ndarray:
        """(E, W) float32, the change of code per unit of weight. Raises EngineError when there is none."""

    @property
    def exact_basis(self) -> np.ndarray | None:
        """`basis` where codes are a linear embedding of the weights, orthonormal columns; else None."""

    def weights(self, codes: np.ndarray) -> np.ndarray | None:
        """Weights (N, W) float32 of codes (N, E); None when the codes have no such reading."""


class NoArkitMap:
    """Codes that have no reading as ARKit weights."""

    exact_basis = None

    @property
    def basis(self) -> np.ndarray:
        """Raises EngineError."""
        raise EngineError(
            f"This model's codes have no reading as ARKit weights; fit one ('{FIT_COMMAND}') or choose another bundle."
        )

    def weights(self, codes: np.ndarray) -> None:
        """None, for any codes."""


@dataclass(frozen=True)
class ExactArkitMap:
    """Codes that are a linear embedding of the weights.

    basis: (E, W) float32, orthonormal columns: a code is basis @ weights, of the first W of WEIGHT_NAMES.
    """

    basis: np.ndarray

    def __post_init__(self) -> None:
        if self.basis.ndim != 2 or not len(ARKIT_NAMES) <= self.basis.shape[1] <= len(WEIGHT_NAMES):
            raise ValueError(f"its expression_basis has the shape {self.basis.shape}")

    @property
    def exact_basis(self) -> np.ndarray:
        """The basis, which reads codes as well as it makes them."""
        return self.basis

    def weights(self, codes: np.ndarray) -> np.ndarray:
        """Weights (N, W) float32 of codes (N, E), not clipped."""
        return np.asarray(codes, np.float32) @ self.basis


@dataclass(frozen=True)
class FittedArkitMap:
    """Codes of a head that was made without ARKit weights, read through the template's 52 shapes.

    A code's weights are the non-negative w that bring |factor w - (rest + codes @ reading)| to its least. They are
    the mixture of shapes that comes nearest to where the code moves the face (see `engine.arkit_fit`).

    basis: (E, 52) float32, the change of code per unit of weight.
    reading: (E, 52), rest: (52,), factor: (52, 52) upper triangular.
    lip_canonical: (L, 3) points of the upper lip's mid-line curve, then the lower one's, in canonical space;
    lip_rest: (L, 3) where they lie at rest, and lip_motion: (E, L, 3) how a code moves them nearly, model units;
    upper_points: how many of them are the upper lip's; allowance_mm: how far apart the curves are when lips are closed.
    """

    basis: np.ndarray
    reading: np.ndarray
    rest: np.ndarray
    factor: np.ndarray
    lip_canonical: Tensor
    lip_rest: Tensor
    lip_motion: Tensor
    upper_points: int
    allowance_mm: float

    @property
    def exact_basis(self) -> None:
        """None: the codes hold more than weights."""
        return None

    def weights(self, codes: np.ndarray) -> np.ndarray:
        """ARKit weights (N, 52) float32 of codes (N, E), at least zero."""
        targets = self.rest + np.asarray(codes, np.float64) @ self.reading
        return np.array([nnls(self.factor, target)[0] for target in targets], np.float32).reshape(-1, len(ARKIT_NAMES))

    def tensors(self) -> dict[str, Tensor]:
        """Its arrays, for a bundle."""
        arrays = {name: torch.from_numpy(np.ascontiguousarray(getattr(self, name))) for name in _ARRAYS}
        return arrays | {name: getattr(self, name).contiguous() for name in _LIPS}

    def settings(self) -> dict[str, float]:
        """Its numbers, for a bundle's section."""
        return {name: getattr(self, name) for name in _SETTINGS}


_ARRAYS = ("basis", "reading", "rest", "factor")
_LIPS = ("lip_canonical", "lip_rest", "lip_motion")
_SETTINGS = ("upper_points", "allowance_mm")


def fitted_map(
    tensors: dict[str, Tensor], section: dict, dimensions: int, device: str | torch.device
) -> FittedArkitMap:
    """The map of a bundle's section for codes of `dimensions` numbers. Raises EngineError when they do not fit."""
    weights = len(ARKIT_NAMES)
    shapes = {name: tuple(tensors[name].shape) if name in tensors else () for name in (*_ARRAYS, *_LIPS)}
    points = shapes["lip_rest"][:1]
    expected = {"basis": (dimensions, weights), "reading": (dimensions, weights), "rest": (weights,)}
    expected |= {"factor": (weights, weights), "lip_canonical": (*points, 3), "lip_rest": (*points, 3)}
    expected["lip_motion"] = (dimensions, *points, 3)
    upper, allowance = section.get("upper_points"), section.get("allowance_mm")
    misfit = EngineError("The section 'head.arkit' of this model bundle does not fit its head; fit it again.")
    if shapes != expected or not isinstance(upper, int) or not isinstance(allowance, int | float):
        raise misfit
    if not 1 < upper < points[0] - 1:
        raise misfit
    return FittedArkitMap(
        basis=tensors["basis"].double().numpy().astype(np.float32),
        reading=tensors["reading"].double().numpy(),
        rest=tensors["rest"].double().numpy(),
        factor=tensors["factor"].double().numpy(),
        lip_canonical=tensors["lip_canonical"].float().to(device),
        lip_rest=tensors["lip_rest"].float().to(device),
        lip_motion=tensors["lip_motion"].float().to(device),
        upper_points=upper,
        allowance_mm=allowance,
    )
