"""Sampling at a lower temperature: less noise in some directions of the codes, and what is likelier for these.

What the voice says leaves the mouth little choice, while brows and gaze are free. Full noise everywhere draws a closure
that is likely but not certain in some takes only; less noise for the mouth decides for it. Lids that were taught with
more weight than their share of the frames blink too often at full noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..bundle import Bundle
from ..shared.errors import EngineError
from ..shared.weights import WEIGHT_NAMES
from .sampling_defaults import SamplingDefaults

_MOUTH, _LIDS = ("jaw", "mouth", "cheek", "tongue"), ("eyeBlink",)


@dataclass(frozen=True)
class Temperature:
    """directions: (D, m) with orthonormal columns. values: (m,) factors on the noise along them, 0 to 1."""

    directions: Tensor
    values: Tensor

    @classmethod
    def of_weights(cls, basis: np.ndarray, mouth: float = 1.0, lids: float = 1.0) -> Temperature:
        """For a basis (D, W) with orthonormal columns that embeds weights in codes.

        Raises EngineError for factors that are not 0 to 1.
        """
        if not (0 <= mouth <= 1 and 0 <= lids <= 1):
            raise EngineError(f"The temperatures of mouth and lids are {mouth} and {lids}; choose another bundle.")
        factors = {_MOUTH: mouth, _LIDS: lids}
        values = [
            next((f for part, f in factors.items() if name.startswith(part)), 1.0)
            for name in WEIGHT_NAMES[: basis.shape[1]]
        ]
        return cls(torch.from_numpy(basis), torch.tensor(values))

    def scaled(self, noise: Tensor) -> Tensor:
        """Noise (..., D) as the sampler shall use it: (..., D). Columns after those of a code keep theirs."""
        directions = self.directions.to(noise)
        code = noise[..., : len(directions)]
        cooled = code - (code @ directions * (1 - self.values.to(noise))) @ directions.T
        return torch.cat([cooled, noise[..., len(directions) :]], dim=-1)


def load_temperature(bundle: Bundle, basis: np.ndarray | None) -> Temperature | None:
    """The temperature that a bundle asks for; None for full noise, or when its codes are no ARKit weights.

    basis: (D, W) that embeds weights in the codes of its head, None when there is none.
    """
    defaults = SamplingDefaults.of(bundle)
    mouth, lids = defaults.mouth_temperature, defaults.lid_temperature
    return None if basis is None or mouth == lids == 1.0 else Temperature.of_weights(basis, mouth, lids)
