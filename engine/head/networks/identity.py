"""The identity network: a signed distance as a blend of small networks around anchors (backward NPHM family).

Sources: NPHM (Giebenhain et al. 2023), MonoNPHM and DPHM (2024) for the ensemble, the mirrored pairs and the blending.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, sqrt
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .anchors import AnchorLayout, displacement_network
from .conditioned_mlp import activate, affine, in_row_blocks, last_linear

ANCHORLESS_DISTANCE = 0.75
FEW_PADDED_ROWS, FEW_COLUMNS = 6144, 512  # below, what is otherwise slower is faster
SIGMA_NEIGHBOUR = 8


@dataclass
class IdentityConfig(AnchorLayout):
    """Sizes of an identity network.

    Attributes:
        neighbours: K, the nearest anchors whose networks are blended; the network without anchor always joins.
        blend_std: the blending Gaussian's sigma is the distance of the K-th (at most 8th) neighbour over this.
        blend: 'gaussian' is the family's form, which jumps by exp(-blend_std^2 / 2) where neighbours swap;
            'window' takes sigma from neighbour K + 1 and lowers the Gaussian to zero there, so it is continuous.
        hyper_coordinates: extra ambient coordinates after xyz (backward NPHM 2, starter 0).
        negligible: normalised blending weights below this are taken as zero and their networks are not evaluated.
        activation: 'softplus' (beta 100) or 'silu'.
        film_rank: 0 lets the identity code enter the first layer alone, as in the family; above 0 it also scales and
            shifts the hidden layers (FiLM, Perez et al. 2018) through a linear map of this rank for each network.
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
    film_rank: int = 0


class FoldedSlot(NamedTuple):
    """The network of one slot with an identity folded into it: weights and biases of its layers, and of the last."""

    layers: list[tuple[Tensor, Tensor]]
    last_weight: Tensor
    last_bias: Tensor


@dataclass
class IdentityState:
    """What an identity code fixes for every point, for each of the S = n + 1 slots.

    anchors (B, n, 3); biases (B, S, width) of the first layer; film (B, S, layers - 1, 2, width), what is added to a
    hidden layer's scale of one and to its bias, or None; folded: of a single identity, the networks of its slots.
    """

    anchors: Tensor
    biases: Tensor
    film: Tensor | None
    folded: list[FoldedSlot] | None

    @cached_property
    def stacked(self) -> list[tuple[Tensor, Tensor]]:
        """Weights (n, in, out) and biases (n, 1, out) of each layer of the folded networks that have an anchor."""
        slots = (self.folded or [])[:-1]
        layers = [*zip(*(slot.layers for slot in slots), strict=True)]
        last = [(slot.last_weight[None], slot.last_bias[None]) for slot in slots]
        return [
            (torch.stack([weight.T for weight, _ in layer]), torch.stack([bias[None] for _, bias in layer]))
            for layer in [*layers, last]
        ]


class Member(NamedTuple):
    """One of the stored networks: first_weight (width, L + 3 + h), hidden_weight (layers - 1, width, width), …."""

    first_weight: Tensor
    hidden_weight: Tensor
    hidden_bias: Tensor
    last_weight: Tensor
    last_bias: Tensor


class IdentityNetwork(nn.Module):
    """Signed distance in canonical space, positive outside; see `IdentityConfig` for the blending.

    The first layer's part for codes and anchors is a table per identity, so that a point costs only its coordinates.
    Points are sorted by slot and each slot is one run of matrix products: weights are never gathered.
    """

    anchor_mean: Tensor
    member_of_slot: Tensor
    mirror: Tensor

    def __init__(self, config: IdentityConfig, anchor_mean: Tensor | None = None):
        super().__init__()
        self.config = config
        members, width = config.members, config.width
        entering = config.global_dimensions + config.local_dimensions + 3 + config.hyper_coordinates
        mean = torch.zeros(config.anchors, 3) if anchor_mean is None else torch.as_tensor(anchor_mean).float()
        self.register_buffer("anchor_mean", mean)
        self.anchor_network = displacement_network(config, config.anchor_width)
        last = last_linear(self.anchor_network)
        nn.init.normal_(last.weight, std=0.01 / sqrt(config.anchor_width))
        nn.init.zeros_(last.bias)
        self.first_weight = nn.Parameter(torch.randn(members, width, entering) * sqrt(2 / entering))
        self.first_bias = nn.Parameter(torch.zeros(members, width))
        self.hidden_weight = nn.Parameter(torch.randn(config.layers - 1, members, width, width) * sqrt(2 / width))
        self.hidden_bias = nn.Parameter(torch.zeros(config.layers - 1, members, width))
        self.last_weight = nn.Parameter(torch.randn(members, width) * sqrt(1 / width))
        self.last_bias = nn.Parameter(torch.zeros(members))
        if config.film_rank:
            coded, modulated = entering - 3 - config.hyper_coordinates, 2 * (config.layers - 1) * width
            self.film_reader = nn.Parameter(torch.randn(members, config.film_rank, coded) * sqrt(4 / coded))
            self.film_writer = nn.Parameter(torch.zeros(members, modulated, config.film_rank))
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
        codes = torch.cat([shared, local], 2)  # (B, S, G + L)
        entering = torch.cat([codes, -centres * self.mirror], 2)  # (B, S, G + L + 3 + h)
        weights = self.first_weight[self.member_of_slot]  # (S, width, G + L + 3 + h)
        biases = torch.einsum("bsi,swi->bsw", entering, weights) + self.first_bias[self.member_of_slot]
        film = self._film(codes)
        return IdentityState(anchors, biases, film, self._folded(biases, film) if len(codes) == 1 else None)

    def _film(self, codes: Tensor) -> Tensor | None:
        """Changes (B, S, layers - 1, 2, width) of the hidden layers by the slots' codes (B, S, G + L)."""
        if not self.config.film_rank:
            return None
        read = torch.einsum("bsi,sri->bsr", codes, self.film_reader[self.member_of_slot])  # (B, S, rank)
        written = torch.einsum("bsr,sor->bso", read, self.film_writer[self.member_of_slot])
        return written.unflatten(-1, (self.config.layers - 1, 2, self.config.width))

    def forward(self, points: Tensor, identity_codes: Tensor) -> Tensor:
        """Signed distances (B, P) at canonical points (B, P, 3 + hyper) of the identities (B, L)."""
        return self.evaluate(points, self.prepare(identity_codes))

    def evaluate(self, points: Tensor, state: IdentityState) -> Tensor:
        """`forward` with a state from `prepare`; the same shapes."""
        if state.folded is not None and not torch.is_grad_enabled():
            return self._evaluate_one(points[0], state)[None]
        batch, count, coordinates = points.shape
        neighbours, weights = self.blend(points[..., :3], state.anchors)  # (B, P, K + 1) twice
        per_point = neighbours.shape[-1]
        unused = self.config.slots
        slot = torch.where(weights < self.config.negligible, unused, neighbours).reshape(-1)  # (B P (K + 1),)
        sizes = torch.bincount(slot, minlength=unused + 1)[:unused].tolist()
        order = torch.sort(slot, stable=True).indices[: sum(sizes)]  # (R,): rows that are evaluated
        point_of_row = order // per_point
        rows = points.reshape(-1, coordinates).index_select(0, point_of_row)  # (R, 3 + h)
        runs = zip(rows.split(sizes), point_of_row.split(sizes), strict=True)
        if state.folded is not None:
            values = [self._folded_values(slot, run) for slot, (run, _) in zip(state.folded, runs, strict=True)]
        else:
            # Taken apart once, as in `members_of_slots`.
            biases = state.biases.unbind(1)
            film = self.config.slots * [None] if state.film is None else state.film.flatten(2).unbind(1)
            of_slots = zip(self.members_of_slots(), runs, biases, film, strict=True)
            values = [
                self._slot_values(number, member, run, point // count, bias, change)
                for number, (member, (run, point), bias, change) in enumerate(of_slots)
            ]
        weighted = torch.cat(values) * weights.reshape(-1).index_select(0, order)
        return weighted.new_zeros(batch * count).index_add(0, point_of_row, weighted).view(batch, count)

    def _evaluate_one(self, points: Tensor, state: IdentityState) -> Tensor:
        """`evaluate` without gradients: distances (P,) at points (P, 3 + h) of one identity."""
        slots = state.folded or []
        slot, point, weights = self._rows(points[:, :3], state.anchors[0])
        counts = torch.bincount(slot, minlength=self.config.slots)
        sizes = counts.tolist()
        rows = points.index_select(0, point)  # (R, 3 + h), a run for each slot
        greatest = max(sizes[:-1], default=0)
        if rows.device.type == "cpu" and 0 < greatest * (len(slots) - 1) <= FEW_PADDED_ROWS:
            split = len(rows) - sizes[-1]
            parts = [self._stacked_values(state, rows[:split], slot[:split], counts, greatest)]
            parts.append(self._folded_values(slots[-1], rows[split:]))
        else:
            parts = [self._folded_values(folded, run) for folded, run in zip(slots, rows.split(sizes), strict=True)]
        return weights.new_zeros(len(points)).index_add_(0, point, torch.cat(parts).mul_(weights))

    def _stacked_values(
        self, state: IdentityState, rows: Tensor, slot: Tensor, counts: Tensor, greatest: int
    ) -> Tensor:
        """Values (R,) of few rows (R, 3 + h) of slots (R,) with an anchor, ascending; all networks in one product.

        Each network gets `greatest` rows, the most that one has by `counts`: cheaper than a product for each.
        """
        begin = counts.cumsum(0) - counts
        place = slot * greatest + torch.arange(len(rows), device=rows.device) - begin[slot]
        networks = len(state.stacked[0][0])
        hidden = rows.new_zeros(networks * greatest, rows.shape[1]).index_copy_(0, place, rows)
        hidden = hidden.view(networks, greatest, -1)
        for number, (weight, bias) in enumerate(state.stacked):
            hidden = torch.baddbmm(bias, hidden, weight)
            if number < self.config.layers:
                hidden = self._activate(hidden)
        return hidden.view(-1).index_select(0, place)

    def _rows(self, points: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Slots (R,), ascending, that blend at points (P, 3), the point (R,) of each, and its weight (R,).

        The same as `blend`'s slots and weights, but those that are negligible are left out.
        """
        config, count = self.config, len(points)
        squared = _squared_distances(points, anchors)  # (n, P)
        nearest = _least(squared, config.neighbours + (config.blend == "window"))
        reference = self._reference(nearest)  # (P,)
        scale = config.blend_std**2 / (2.0 * reference)
        among = squared < reference if config.blend == "window" else squared <= nearest[config.neighbours - 1]
        chosen = torch.nonzero(among.view(-1))[:, 0]  # (R,)
        slot = torch.div(chosen, max(count, 1), rounding_mode="floor")
        point = chosen - slot * count
        weights = self._windowed(squared.view(-1).index_select(0, chosen), scale.index_select(0, point))
        anchorless = torch.exp(-(ANCHORLESS_DISTANCE**2) * scale)  # (P,)
        total = anchorless + 1e-8
        for distance in nearest[: config.neighbours]:
            total += self._windowed(distance, scale)
        slot = torch.cat([slot, slot.new_full((count,), config.anchors)])
        point = torch.cat([point, torch.arange(count, device=points.device)])
        weights = torch.cat([weights, anchorless]).div_(total.index_select(0, point))
        kept = torch.nonzero(weights >= config.negligible)[:, 0]
        return slot.index_select(0, kept), point.index_select(0, kept), weights.index_select(0, kept)

    def _reference(self, nearest: Sequence[Tensor]) -> Tensor:
        """The squared distance that sets the blending Gaussian's width, of those to the nearest anchors."""
        gaussian = self.config.blend == "gaussian"
        return nearest[min(self.config.neighbours, SIGMA_NEIGHBOUR) - 1 if gaussian else self.config.neighbours]

    def _windowed(self, squared: Tensor, scale: Tensor) -> Tensor:
        """Weights, not normalised, at squared distances to anchors."""
        gaussian = torch.exp(-squared * scale)
        if self.config.blend == "window":
            return gaussian.sub_(exp(-(self.config.blend_std**2) / 2)).clamp_min_(0.0)
        return gaussian

    def blend(self, points: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
        """Slots that a point (B, P, 3) blends, nearest first and the one without anchor last, with their weights."""
        config = self.config
        wanted = config.neighbours + (config.blend == "window")
        with torch.no_grad():
            rough = anchors.square().sum(-1)[:, None] - 2.0 * points @ anchors.mT  # |x - a|^2 - |x|^2
            nearest = torch.topk(rough, wanted, largest=False).indices  # (B, P, K [+ 1])
        owner = torch.arange(len(anchors), device=points.device)[:, None, None]
        squared = (points[:, :, None] - anchors[owner, nearest]).square().sum(-1)  # (B, P, K [+ 1])
        scale = config.blend_std**2 / (2.0 * self._reference(squared.unbind(-1))[..., None])
        gaussian = torch.exp(-squared[..., : config.neighbours] * scale)  # (B, P, K)
        if config.blend == "window":
            gaussian = (gaussian - exp(-(config.blend_std**2) / 2)).clamp_min(0.0)
        weights = torch.cat([gaussian, torch.exp(-(ANCHORLESS_DISTANCE**2) * scale)], -1)  # (B, P, K + 1)
        slots = torch.cat([nearest[..., : config.neighbours], torch.full_like(nearest[..., :1], config.anchors)], -1)
        return slots, weights / (weights.sum(-1, keepdim=True) + 1e-8)

    def members_of_slots(self) -> list[Member]:
        """The stored network of each slot."""
        # Taken apart once: the gradient of a slice is as large as the whole, and there would be one for every slot.
        parts = [getattr(self, name).unbind(1 if name.startswith("hidden") else 0) for name in Member._fields]
        members = [Member(*tensors) for tensors in zip(*parts, strict=True)]
        return [members[number] for number in self.member_of_slot.tolist()]

    def columns(self, slot: int, member: Member) -> Tensor:
        """The first layer's weights (width, 3 + h) for a point's coordinates."""
        return member.first_weight[:, -self.mirror.shape[1] :] * self.mirror[slot]

    def _folded(self, biases: Tensor, film: Tensor | None) -> list[FoldedSlot]:
        """The slots' networks with first biases (1, S, width) and film (1, S, layers - 1, 2, width) folded in."""
        slots = []
        for slot, member in enumerate(self.members_of_slots()):
            hidden = list(zip(member.hidden_weight, member.hidden_bias, strict=True))
            if film is not None:
                hidden = [
                    ((1.0 + scale)[:, None] * weight, (1.0 + scale) * bias + shift)
                    for (weight, bias), (scale, shift) in zip(hidden, film[0, slot], strict=True)
                ]
            layers = [(self.columns(slot, member), biases[0, slot]), *hidden]
            slots.append(FoldedSlot(layers, member.last_weight, member.last_bias))
        return slots

    def _slot_values(
        self, slot: int, member: Member, rows: Tensor, owner: Tensor, biases: Tensor, film: Tensor | None
    ) -> Tensor:
        """The local network of one slot on rows (R, 3 + h), which belong to the identities `owner` (R,); (R,).

        biases (B, width) and film (B, (layers - 1) 2 width): what the slot's networks of the B identities differ in.
        """
        if not len(rows):
            return rows.new_zeros(0)
        # A product with ones and zeros picks each row's identity: the gradient of an index would be a slow scatter.
        owned = nn.functional.one_hot(owner, len(biases)).to(rows)  # (R, B)
        hidden = self._activate(affine(rows, self.columns(slot, member), owned @ biases))  # (R, width)
        changes = None if film is None else (owned @ film).unflatten(-1, (-1, 2, self.config.width)).unbind(1)
        for number, (weight, bias) in enumerate(zip(member.hidden_weight, member.hidden_bias, strict=True)):
            hidden = affine(hidden, weight, bias)
            if changes is not None:
                scale, shift = changes[number].unbind(1)  # (R, width)
                hidden = torch.addcmul(shift, hidden, 1.0 + scale)
            hidden = self._activate(hidden)
        return torch.addmv(member.last_bias, hidden, member.last_weight)

    def _folded_values(self, slot: FoldedSlot, rows: Tensor) -> Tensor:
        """A folded network on rows (R, 3 + h); (R,)."""

        def network(hidden: Tensor) -> Tensor:
            for weight, bias in slot.layers:
                hidden = self._activate(affine(hidden, weight, bias))  # (R, width)
            return torch.addmv(slot.last_bias, hidden, slot.last_weight)

        return in_row_blocks(network, rows) if len(rows) else rows.new_zeros(0)

    def _activate(self, values: Tensor) -> Tensor:
        return activate(values, self.config.activation)


def _squared_distances(points: Tensor, anchors: Tensor) -> Tensor:
    """Squared distances (n, P) of points (P, 3) to anchors (n, 3)."""
    axes = points.T.contiguous()
    squared = (axes[0] - anchors[:, :1]).square_()
    for axis in (1, 2):
        offset = axes[axis] - anchors[:, axis : axis + 1]
        squared.addcmul_(offset, offset)
    return squared


def _least(rows: Tensor, wanted: int) -> list[Tensor]:
    """The least `wanted` of the values (n, P) in each column, ascending: as many tensors (P,).

    An insertion of one row after the other: far fewer steps than a selection for each point, as few are wanted. Not
    with few columns.
    """
    if rows.shape[1] < FEW_COLUMNS:
        return list(torch.topk(rows, wanted, dim=0, largest=False).values.unbind(0))
    least: list[Tensor] = []
    spare = torch.empty_like(rows[:2])
    for row in rows:
        carried = row
        for number, value in enumerate(least):
            greater = spare[number % 2]
            torch.maximum(value, carried, out=greater)
            torch.minimum(value, carried, out=value)
            carried = greater
        if len(least) < wanted:
            least.append(carried.clone())
    return least
