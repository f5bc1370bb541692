"""The identity network: a signed distance as a blend of small networks around anchors (backward NPHM family).

Sources: NPHM (Giebenhain et al. 2023), MonoNPHM and DPHM (2024) for the ensemble, the mirrored pairs and the blending.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, sqrt

import torch
from torch import Tensor, nn

from .anchors import AnchorLayout, displacement_network
from .conditioned_mlp import activate, affine, in_row_blocks

ANCHORLESS_DISTANCE = 0.75
SIGMA_NEIGHBOUR = 8


@dataclass
class IdentityConfig(AnchorLayout):
    """Sizes of an identity network; the defaults are the starter's.

    Attributes:
        neighbours: K, the nearest anchors whose networks are blended; the network without anchor always joins.
        blend_std: the blending Gaussian's sigma is the distance of the K-th (at most 8th) neighbour over this.
        blend: 'gaussian' is the family's form, which jumps by exp(-blend_std^2 / 2) where neighbours swap;
            'window' takes sigma from neighbour K + 1 and lowers the Gaussian to zero there, so it is continuous.
        hyper_coordinates: extra ambient coordinates after xyz (backward NPHM 2, starter 0).
        negligible: normalised blending weights below this are taken as zero and their networks are not evaluated.
        activation: 'softplus' (beta 100) or 'silu'.
    """

    layers: int = 4
    width: int = 96
    activation: str = "silu"
    neighbours: int = 6
    blend_std: float = 4.0
    blend: str = "window"
    negligible: float = 1e-4
    hyper_coordinates: int = 0
    anchor_width: int = 64


@dataclass
class IdentityState:
    """What an identity code fixes for every point: anchors (B, n, 3) and first-layer biases (B, n + 1, width)."""

    anchors: Tensor
    biases: Tensor


class IdentityNetwork(nn.Module):
    """Signed distance in canonical space, positive outside; see `IdentityConfig` for the blending.

    The first layer's part for codes and anchors is a table per identity, so that a point costs only its coordinates.
    Points are sorted by slot and each slot is one run of matrix products: weights are never gathered.
    """

    def __init__(self, config: IdentityConfig, anchor_mean: Tensor | None = None):
        super().__init__()
        self.config = config
        members, width = config.members, config.width
        entering = config.global_dimensions + config.local_dimensions + 3 + config.hyper_coordinates
        mean = torch.zeros(config.anchors, 3) if anchor_mean is None else torch.as_tensor(anchor_mean).float()
        self.register_buffer("anchor_mean", mean)
        self.anchor_network = displacement_network(config, config.anchor_width)
        nn.init.normal_(self.anchor_network[4].weight, std=0.01 / sqrt(config.anchor_width))
        nn.init.zeros_(self.anchor_network[4].bias)
        self.first_weight = nn.Parameter(torch.randn(members, width, entering) * sqrt(2 / entering))
        self.first_bias = nn.Parameter(torch.zeros(members, width))
        self.hidden_weight = nn.Parameter(torch.randn(config.layers - 1, members, width, width) * sqrt(2 / width))
        self.hidden_bias = nn.Parameter(torch.zeros(config.layers - 1, members, width))
        self.last_weight = nn.Parameter(torch.randn(members, width) * sqrt(1 / width))
        self.last_bias = nn.Parameter(torch.zeros(members))
        slots = torch.arange(config.slots)
        pairs = config.symmetric_pairs
        member_of_slot = torch.where(slots < 2 * pairs, slots // 2, slots - pairs)
        mirror = torch.ones(config.slots, 3 + config.hyper_coordinates)
        mirror[1 : 2 * pairs : 2, 0] = -1.0
        self.register_buffer("member_of_slot", member_of_slot, persistent=False)
        self.register_buffer("mirror", mirror, persistent=False)

    def anchor_positions(self, identity_codes: Tensor) -> Tensor:
        """Anchors (B, n, 3) of the codes (B, L): the mean plus a displacement predicted from the global part."""
        displacement = self.anchor_network(identity_codes[:, : self.config.global_dimensions])
        return self.anchor_mean + displacement.view(-1, self.config.anchors, 3)

    def prepare(self, identity_codes: Tensor) -> IdentityState:
        """Everything that does not depend on the point, for codes (B, L)."""
        config = self.config
        anchors = self.anchor_positions(identity_codes)  # (B, n, 3)
        shared = identity_codes[:, None, : config.global_dimensions].expand(-1, config.slots, -1)  # (B, S, G)
        local = identity_codes[:, config.global_dimensions :].view(-1, config.slots, config.local_dimensions)
        centres = torch.cat([anchors, torch.zeros_like(anchors[:, :1])], 1)  # (B, S, 3): no anchor, no shift
        centres = torch.cat([centres, centres.new_zeros(*centres.shape[:2], config.hyper_coordinates)], 2)
        entering = torch.cat([shared, local, -centres * self.mirror], 2)  # (B, S, G + L + 3 + h)
        weights = self.first_weight[self.member_of_slot]  # (S, width, G + L + 3 + h)
        biases = torch.einsum("bsi,swi->bsw", entering, weights) + self.first_bias[self.member_of_slot]
        return IdentityState(anchors, biases)

    def forward(self, points: Tensor, identity_codes: Tensor) -> Tensor:
        """Signed distances (B, P) at canonical points (B, P, 3 + hyper) of the identities (B, L)."""
        return self.evaluate(points, self.prepare(identity_codes))

    def evaluate(self, points: Tensor, state: IdentityState) -> Tensor:
        """`forward` with a state from `prepare`; the same shapes."""
        batch, count, coordinates = points.shape
        neighbours, weights = self._blend(points[..., :3], state.anchors)  # (B, P, K + 1) twice
        per_point = neighbours.shape[-1]
        unused = self.config.slots
        slot = torch.where(weights < self.config.negligible, unused, neighbours).reshape(-1)  # (B P (K + 1),)
        sizes = torch.bincount(slot, minlength=unused + 1)[:unused].tolist()
        order = torch.sort(slot, stable=True).indices[: sum(sizes)]  # (R,): rows that are evaluated
        point_of_row = order // per_point
        rows = points.reshape(-1, coordinates).index_select(0, point_of_row)  # (R, 3 + h)
        start, values = 0, []
        for number, size in enumerate(sizes):
            if size:
                chosen = slice(start, start + size)
                values.append(self._slot_values(number, rows[chosen], state, point_of_row[chosen], count))
                start += size
        weighted = torch.cat(values) * weights.reshape(-1).index_select(0, order)
        return weighted.new_zeros(batch * count).index_add(0, point_of_row, weighted).view(batch, count)

    def _blend(self, points: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
        """Slots that a point (B, P, 3) blends, nearest first and the one without anchor last, with their weights."""
        config = self.config
        wanted = config.neighbours + (config.blend == "window")
        with torch.no_grad():
            rough = anchors.square().sum(-1)[:, None] - 2.0 * points @ anchors.mT  # |x - a|^2 - |x|^2
            nearest = torch.topk(rough, wanted, largest=False).indices  # (B, P, K [+ 1])
        owner = torch.arange(len(anchors), device=points.device)[:, None, None]
        squared = (points[:, :, None] - anchors[owner, nearest]).square().sum(-1)  # (B, P, K [+ 1])
        reference = min(config.neighbours, SIGMA_NEIGHBOUR) - 1 if config.blend == "gaussian" else wanted - 1
        scale = config.blend_std**2 / (2.0 * squared[..., reference : reference + 1])
        gaussian = torch.exp(-squared[..., : config.neighbours] * scale)  # (B, P, K)
        if config.blend == "window":
            gaussian = (gaussian - exp(-(config.blend_std**2) / 2)).clamp_min(0.0)
        weights = torch.cat([gaussian, torch.exp(-(ANCHORLESS_DISTANCE**2) * scale)], -1)  # (B, P, K + 1)
        slots = torch.cat([nearest[..., : config.neighbours], torch.full_like(nearest[..., :1], config.anchors)], -1)
        return slots, weights / (weights.sum(-1, keepdim=True) + 1e-8)

    def _slot_values(self, slot: int, rows: Tensor, state: IdentityState, point: Tensor, count: int) -> Tensor:
        """The local network of one slot on rows (R, 3 + h), whose points (R,) are `count` an identity; (R,)."""
        if len(state.biases) == 1:
            return in_row_blocks(lambda block: self._member_values(slot, block, state.biases[0, slot]), rows)
        return self._member_values(slot, rows, state.biases[:, slot].index_select(0, point // count))

    def _member_values(self, slot: int, rows: Tensor, bias: Tensor) -> Tensor:
        """The stored network of a slot on rows (R, 3 + h) with the slot's bias (width,) or (R, width); (R,)."""
        pairs = self.config.symmetric_pairs
        member = slot // 2 if slot < 2 * pairs else slot - pairs
        columns = self.first_weight[member, :, -rows.shape[1] :] * self.mirror[slot]  # (width, 3 + h)
        hidden = activate(affine(rows, columns, bias), self.config.activation)  # (R, width)
        for weight, shift in zip(self.hidden_weight[:, member], self.hidden_bias[:, member], strict=True):
            hidden = activate(affine(hidden, weight, shift), self.config.activation)
        return torch.addmv(self.last_bias[member], hidden, self.last_weight[member])
