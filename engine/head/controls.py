"""Measured controls of a head's identity: directions in the space of identity modes that change one measurement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..shared.errors import EngineError

LARGEST_VALUE = 3.0  # standard deviations
LARGEST_COEFFICIENT = 2.8  # of an identity mode; beyond it no head was seen in training


@dataclass(frozen=True)
class IdentityControls:
    """Names, what one unit changes in millimetres (C,), and directions (C, M) in identity modes."""

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
