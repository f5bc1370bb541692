"""The identity network of the released NPHM (Giebenhain et al. 2023), whose expressions deform forward.

It differs from the backward family in three ways: every stored network is evaluated at every point, the blending
Gaussian has one fixed width, and the local networks take their input again in the middle. The released code overwrites
the last point of every call in evaluation mode; that error is not repeated here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import cast

import torch
from torch import Tensor, nn

from .anchors import AnchorLayout, displacement_network
from .conditioned_mlp import ConditionedMLP, FoldedLayer

SQUARED_WIDTH = 0.1**2
ANCHORLESS_SQUARED_DISTANCE = 0.2
DISTANCE_OFFSET, SUM_OFFSET = 1e-5, 1e-6
# Normalised weights below this cannot move a distance by more than float32 rounds it.
NEGLIGIBLE = 1e-7


@dataclass
class ForwardIdentityConfig(AnchorLayout):
    """Sizes of the network."""

    layers: int = 4
    width: int = 200
    anchor_width: int = 256


@dataclass
class ForwardIdentityState:
    """What an identity code fixes for every point: anchors (1, n, 3) and each slot's layers with its code folded in."""

    anchors: Tensor
    slots: list[list[FoldedLayer]]


class ForwardIdentityNetwork(nn.Module):
    """Signed distance in canonical space, positive outside, of one identity at a time.

    Away from all anchors the sum of the blending weights falls below SUM_OFFSET, and the distance shrinks towards zero
    with its sign kept; `fading` is that factor.
    """

    anchor_mean: Tensor

    def __init__(self, config: ForwardIdentityConfig, anchor_mean: Tensor | None = None):
        super().__init__()
        self.config = config
        mean = torch.zeros(config.anchors, 3) if anchor_mean is None else torch.as_tensor(anchor_mean).float()
        self.register_buffer("anchor_mean", mean)
        self.anchor_network = displacement_network(config, config.anchor_width)
        codes = config.global_dimensions + config.local_dimensions
        self.members = nn.ModuleList(
            ConditionedMLP(codes, 1, config.layers, config.width, "concatenate", "softplus", "narrow")
            for _ in range(config.members)
        )

    def prepare(self, identity_code: Tensor) -> ForwardIdentityState:
        """Everything that does not depend on the point, for a code (1, L)."""
        config = self.config
        shared, local = identity_code.split([config.global_dimensions, config.slots * config.local_dimensions], 1)
        anchors = self.anchor_mean + self.anchor_network(shared).view(-1, config.anchors, 3)  # (1, n, 3)
        folded = [
            self._member(slot).fold(torch.cat([shared, code], 1))
            for slot, code in enumerate(local.split(config.local_dimensions, 1))
        ]
        return ForwardIdentityState(anchors, folded)

    def evaluate(self, points: Tensor, state: ForwardIdentityState) -> Tensor:
        """Signed distances (1, P) at canonical points (1, P, 3)."""
        rows = points[0]
        weights = self._weights(rows, state.anchors)  # (P, S)
        weights = weights / (weights.sum(1, keepdim=True) + SUM_OFFSET)
        total = rows.new_zeros(len(rows))
        for slot, folded in enumerate(state.slots):
            chosen = torch.nonzero(weights[:, slot] > NEGLIGIBLE)[:, 0]  # (C,)
            if len(chosen):
                local = self._local(slot, rows.index_select(0, chosen), state.anchors)  # (C, 3)
                values = self._member(slot).evaluate(local[None], folded)[0, :, 0]
                total = total.index_add(0, chosen, values * weights[:, slot].index_select(0, chosen))
        return total[None]

    def fading(self, points: Tensor, state: ForwardIdentityState) -> Tensor:
        """The factor (P,), over 0 and at most 1, by which distances at points (P, 3) shrink far from all anchors."""
        total = self._weights(points, state.anchors).sum(1)
        return total / (total + SUM_OFFSET)

    def _weights(self, points: Tensor, anchors: Tensor) -> Tensor:
        """Blending weights (P, S), not normalised, of points (P, 3); the slot without anchor is the last."""
        distances = (points[:, None] - anchors).norm(dim=-1) + DISTANCE_OFFSET  # (P, n)
        anchorless = points.new_full((len(points), 1), exp(-ANCHORLESS_SQUARED_DISTANCE / SQUARED_WIDTH))
        return torch.cat([torch.exp(-distances.square() / SQUARED_WIDTH), anchorless], 1)

    def _local(self, slot: int, points: Tensor, anchors: Tensor) -> Tensor:
        """Points (C, 3) relative to a slot's anchor; x is mirrored for the second of a pair."""
        if slot == self.config.anchors:
            return points
        relative = points - anchors[0, slot]
        mirrored = slot < 2 * self.config.symmetric_pairs and slot % 2 == 1
        return relative * relative.new_tensor([-1.0, 1.0, 1.0]) if mirrored else relative

    def _member(self, slot: int) -> ConditionedMLP:
        pairs = self.config.symmetric_pairs
        member = self.members[slot // 2 if slot < 2 * pairs else slot - pairs]
        return cast(ConditionedMLP, member)  # a ModuleList does not say what it holds
