"""The expression network: a backward deformation from posed space to canonical space (DPHM, MonoNPHM; FaceTalk 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .conditioned_mlp import ConditionedMLP, FoldedLayer, last_linear


@dataclass
class ExpressionConfig:
    """Sizes of an expression network.

    Attributes:
        identity_dimensions, anchors: lengths of the identity code and of the anchor list that the compressor reads.
        compressed_dimensions: length of the compressed identity, a linear map of [identity code, anchors].
        expression_dimensions: length of the expression code.
        layers, width: hidden layers of the deformation MLP.
        hyper_coordinates: extra outputs after the offset (backward NPHM 2, starter 0).
        conditioning: 'concatenate' (official) or 'film'; `condition_width` is the FiLM generator's hidden width.
        activation: 'softplus' (beta 100) or 'silu'.
        skip: 'widen' or 'narrow'; see `ConditionedMLP`.
    """

    identity_dimensions: int = 1344
    anchors: int = 39
    compressed_dimensions: int = 32
    expression_dimensions: int = 200
    layers: int = 6
    width: int = 192
    hyper_coordinates: int = 0
    conditioning: str = "film"
    condition_width: int = 256
    activation: str = "silu"
    skip: str = "widen"


class ExpressionNetwork(nn.Module):
    """Offsets (first three outputs) and hyper coordinates at posed points: canonical point = point + offset."""

    def __init__(self, config: ExpressionConfig):
        super().__init__()
        self.config = config
        self.compressor = nn.Linear(config.identity_dimensions + 3 * config.anchors, config.compressed_dimensions)
        self.deformation = ConditionedMLP(
            config.compressed_dimensions + config.expression_dimensions,
            3 + config.hyper_coordinates,
            config.layers,
            config.width,
            config.conditioning,
            config.activation,
            config.skip,
            config.condition_width,
        )
        with torch.no_grad():
            last = last_linear(self.deformation.layers)
            last.weight.mul_(0.1)
            last.bias.zero_()

    def fold(self, identity_codes: Tensor, anchors: Tensor, expression_codes: Tensor) -> list[FoldedLayer]:
        """Layers with (B, Lid) codes, (B, n, 3) anchors and (B, E) codes folded in: once per frame."""
        compressed = self.compressor(torch.cat([identity_codes, anchors.flatten(1)], 1))  # (B, compressed)
        return self.deformation.fold(torch.cat([compressed, expression_codes], 1))

    def evaluate(self, points: Tensor, folded: list[FoldedLayer]) -> Tensor:
        """(B, P, 3 + hyper) at posed points (B, P, 3) with layers from `fold`."""
        return self.deformation.evaluate(points, folded)

    def forward(self, points: Tensor, identity_codes: Tensor, anchors: Tensor, expression_codes: Tensor) -> Tensor:
        """(B, P, 3 + hyper) at posed points (B, P, 3) for codes (B, Lid), anchors (B, n, 3) and codes (B, E)."""
        return self.evaluate(points, self.fold(identity_codes, anchors, expression_codes))
