"""Sampling at a lower temperature: less noise in some directions of the codes, and what is likelier for these.

What the voice says leaves the mouth little choice, while blinks, brows and gaze are free. Full noise everywhere draws a
closure that is likely but not certain in some takes only; less noise for the mouth decides for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .bundle import Bundle
from .codes import ARKIT_NAMES
from .errors import EngineError

_MOUTH = [index for index, name in enumerate(ARKIT_NAMES) if name.startswith(("jaw", "mouth", "cheek", "tongue"))]


@dataclass(frozen=True)
class Temperature:
    """directions: (D, m) with orthonormal columns. value: factor on the noise along them, 0 to 1.

    Raises EngineError for another value.
    """

    directions: Tensor
    value: float

    def __post_init__(self) -> None:
        if not 0 <= self.value <= 1:
            raise EngineError(f"The mouth's temperature is {self.value}; choose a bundle with 0 to 1.")

    @classmethod
    def of_mouth(cls, basis: np.ndarray, value: float) -> Temperature:
        """The mouth's, for a basis (D, 52) with orthonormal columns that embeds ARKit weights in codes."""
        return cls(torch.from_numpy(basis[:, _MOUTH]), value)

    def scaled(self, noise: Tensor) -> Tensor:
        """Noise (..., D) as the sampler shall use it: (..., D)."""
        directions = self.directions.to(noise)
        return noise - (1 - self.value) * (noise @ directions) @ directions.T


def load_temperature(bundle: Bundle, basis: np.ndarray | None) -> Temperature | None:
    """The mouth's temperature that a bundle asks for; None for full noise, or when its codes are no ARKit weights.

    basis: (D, 52) that embeds ARKit weights in the codes of its head, None when there is none.
    """
    value = bundle.section("motion").get("default_mouth_temperature", 1.0)
    return None if basis is None or value == 1.0 else Temperature.of_mouth(basis, float(value))
