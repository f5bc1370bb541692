"""The region network: which material (skin, lips, teeth, ...) a canonical point of the surface belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor, nn

from .conditioned_mlp import activate, affine, in_row_blocks


@dataclass
class RegionConfig:
    """Sizes: region `names` in output order, octaves of the positional encoding, and an MLP of `layers` x `width`."""

    names: list[str] = field(default_factory=lambda: ["skin"])
    identity_dimensions: int = 1344
    compressed_dimensions: int = 16
    octaves: int = 5
    layers: int = 3
    width: int = 96


class RegionNetwork(nn.Module):
    """Region logits at canonical points; sines and cosines of 2^k pi x let small regions (the pupils) be sharp."""

    frequencies: Tensor

    def __init__(self, config: RegionConfig):
        super().__init__()
        self.config = config
        self.compressor = nn.Linear(config.identity_dimensions, config.compressed_dimensions)
        self.register_buffer("frequencies", torch.pi * 2.0 ** torch.arange(config.octaves), persistent=False)
        entering = 3 * (1 + 2 * config.octaves) + config.compressed_dimensions
        widths = [entering] + [config.width] * config.layers
        hidden = [part for i, o in pairwise(widths) for part in (nn.Linear(i, o), nn.SiLU())]
        self.classifier = nn.Sequential(*hidden, nn.Linear(widths[-1], len(config.names)))

    def forward(self, points: Tensor, identity_codes: Tensor) -> Tensor:
        """Logits (B, P, K) at canonical points (B, P, 3) of identities (B, L); softmax gives soft weights."""
        phases = (points[..., None, :] * self.frequencies[:, None]).flatten(-2)  # (B, P, 3 octaves)
        compressed = self.compressor(identity_codes)[:, None].expand(-1, points.shape[1], -1)  # (B, P, compressed)
        entering = torch.cat([points, phases.sin(), phases.cos(), compressed], -1)  # (B, P, entering)
        return in_row_blocks(self._classify, entering.flatten(0, 1)).view(*points.shape[:2], -1)

    def _classify(self, rows: Tensor) -> Tensor:
        for layer in self.classifier:
            rows = affine(rows, layer.weight, layer.bias) if isinstance(layer, nn.Linear) else activate(rows, "silu")
        return rows
