"""Where identity codes come from: the modes in which a model's people differ, measured controls, and code books."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..shared.errors import EngineError

LARGEST_VALUE = 3.0  # standard deviations
LARGEST_COEFFICIENT = 2.8  # of an identity mode; beyond it no head was seen in training


@dataclass(frozen=True)
class IdentityControls:
    """Directions in the identity modes that change one measurement each.

    Names, what one unit changes in millimetres (C,), and directions (C, M) in identity modes.
    """

    names: tuple[str, ...]
    millimetres: tuple[float, ...]
    directions: np.ndarray

    def coefficients(self, values: dict[str, float]) -> np.ndarray:
        """Coefficients (M,) of the identity modes for control values in standard deviations.

        Raises EngineError for a name that is none of the controls or a value out of range.
        """
        amounts = np.zeros(len(self.names), np.float32)
        for name, value in values.items():
            if name not in self.names:
                raise EngineError(f"There is no head control '{name}'; use one of {', '.join(self.names)}.")
            if not abs(value) <= LARGEST_VALUE:
                limit = f"{LARGEST_VALUE:g}"
                raise EngineError(f"The head control {name} is {value:g}; it must lie between -{limit} and {limit}.")
            amounts[self.names.index(name)] = value
        return np.clip(amounts @ self.directions, -LARGEST_COEFFICIENT, LARGEST_COEFFICIENT)


@dataclass(frozen=True)
class IdentityModes:
    """The modes in which identity codes differ, of unit variance, and the measured controls in them.

    basis: (L, M) float32, or None for a model without modes; controls: None where none were measured.
    """

    basis: Tensor | None = None
    controls: IdentityControls | None = None

    def code(self, coefficients: np.ndarray) -> np.ndarray:
        """The identity code (L,) float32 of coefficients (M,). Raises EngineError when the model has no modes."""
        if self.basis is None:
            raise EngineError("This model bundle has no random heads; use its mean head or give an identity code.")
        return (self.basis.cpu().numpy() @ coefficients).astype(np.float32)

    def coefficients(self, code: Tensor) -> Tensor | None:
        """Coefficients (M,) of an identity code (1, L) by least squares; None for the mean head, or without modes."""
        if self.basis is None or not code.any():
            return None
        return torch.linalg.lstsq(self.basis, code[0][:, None]).solution[:, 0]

    def random(self, seed: int, deviation: float, limit: float) -> np.ndarray:
        """A random identity code (L,): normal coefficients, times deviation, clipped to +-limit.

        Raises EngineError when the model has no modes.
        """
        count = 0 if self.basis is None else self.basis.shape[1]
        coefficients = np.random.default_rng(seed).standard_normal(count) * deviation
        return self.code(np.clip(coefficients, -limit, limit))

    def controlled(self, values: dict[str, float]) -> np.ndarray:
        """The identity code (L,) of the mean head moved by measured controls, in standard deviations of each.

        Raises EngineError when the model has no such control or a value is out of range.
        """
        if self.basis is None or self.controls is None:
            raise EngineError("This model bundle has no head controls; reset them or use the starter bundle.")
        return self.code(self.controls.coefficients(values))


@dataclass(frozen=True)
class CodeBook:
    """Codes of the training subjects or scans, as the official embedding (max_norm 1) hands them out.

    kind: "identity" or "expression". stored: (N, L) as trained, or None; a longer code is shortened to length 1.
    """

    kind: str
    stored: Tensor | None = None

    @property
    def codes(self) -> np.ndarray:
        """Codes (N, L); none for a model whose bundle holds none."""
        if self.stored is None:
            return np.zeros((0, 0), np.float32)
        return (self.stored / self.stored.norm(dim=1, keepdim=True).clamp_min(1.0)).numpy()

    def row(self, number: int) -> np.ndarray:
        """The code (L,) of one subject or scan. Raises EngineError when there is no such row."""
        codes = self.codes
        if not len(codes):
            raise EngineError(f"This model bundle has no {self.kind} codes of its training; use mean or a .npy file.")
        if not 0 <= number < len(codes):
            raise EngineError(
                f"This model bundle holds {self.kind} codes 0 to {len(codes) - 1}; {number} is not among them."
            )
        return codes[number]
