"""The forward basis: where each unit of an animation weight moves a canonical point, in one network.

ARKit-style expressions are linear in the forward direction, so one evaluation per identity makes every frame a matrix
product. The canonical pose is not the neutral pose, hence one displacement more than there are weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .conditioned_mlp import ConditionedMLP


@dataclass
class ForwardBasisConfig:
    """Sizes: `weights` animation weights (ARKit 52), compressed identity, and a FiLM MLP of `layers` x `width`."""

    identity_dimensions: int = 1344
    weights: int = 52
    compressed_dimensions: int = 32
    layers: int = 5
    width: int = 192
    condition_width: int = 64
    activation: str = "silu"


class ForwardBasisNetwork(nn.Module):
    """Displacements per unit of weight at canonical points; the last one is canonical pose to neutral pose."""

    def __init__(self, config: ForwardBasisConfig):
        super().__init__()
        self.config = config
        self.compressor = nn.Linear(config.identity_dimensions, config.compressed_dimensions)
        self.displacement = ConditionedMLP(
            config.compressed_dimensions,
            3 * (config.weights + 1),
            config.layers,
            config.width,
            "film",
            config.activation,
            condition_width=config.condition_width,
        )

    def forward(self, points: Tensor, identity_codes: Tensor) -> Tensor:
        """(B, P, weights + 1, 3) at canonical points (B, P, 3) of identities (B, L)."""
        flat = self.displacement(points, self.compressor(identity_codes))  # (B, P, 3 (weights + 1))
        return flat.unflatten(-1, (self.config.weights + 1, 3))


def posed_positions(points: Tensor, basis: Tensor, weights: Tensor) -> Tensor:
    """Posed points (N, P, 3): points (P, 3) plus basis (P, W + 1, 3) weighted by (N, W), plus its neutral part."""
    moved = torch.einsum("pwc,nw->npc", basis[:, :-1], weights)  # (N, P, 3)
    return moved + (points + basis[:, -1])
