"""Starting a smaller network from a trained larger one, instead of from random weights.

Of each layer the units are kept that say most about what the next layer reads (pivoted QR on activations weighted by
what leaves them), and the next kept layer is fitted to its former pre-activations from them by least squares. Layers
may be left out: what follows is then fitted to what stood before them. After this, training has only the rest to do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.linalg import qr
from torch import Tensor

from engine.head.networks.conditioned_mlp import activate, linear_layers
from engine.head.networks.expression import ExpressionNetwork
from engine.head.networks.identity import IdentityNetwork
from engine.shared.errors import EngineError

RIDGE = 1e-4  # of the mean square of the activations


def chosen_units(activations: Tensor, leaving: Tensor, count: int) -> Tensor:
    """Numbers (count,) of the units that stand best for all; activations (R, W), weights that leave them (O, W)."""
    width = activations.shape[1]
    if count > width:
        raise EngineError(f"A layer of {width} units cannot start one of {count}; choose a smaller width.")
    centred = activations - activations.mean(0)
    triangle = np.linalg.qr((centred * leaving.norm(dim=0)).double().numpy(), mode="r")
    order = qr(triangle, mode="r", pivoting=True)[1]
    return torch.from_numpy(np.sort(order[:count]))


def fitted_layer(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Weights (out, in) and bias (out,) of the affine map from inputs (R, in) to targets (R, out), least squares."""
    means = inputs.mean(0), targets.mean(0)
    centred, wanted = (inputs - means[0]).double(), (targets - means[1]).double()
    gram = centred.T @ centred
    gram.diagonal().add_(RIDGE * gram.diagonal().mean())
    weight = torch.linalg.solve(gram, centred.T @ wanted).T.float()
    return weight, means[1] - weight @ means[0]


@torch.no_grad()
def narrow_identity(network: IdentityNetwork, trained: IdentityNetwork, points: Tensor, codes: Tensor) -> None:
    """Start an identity network of fewer units or neighbours; layers, codes and rank of FiLM are the same.

    points (B, P, 3): places near the surfaces of the identities with codes (B, L).
    """
    width, kept = network.config.width, trained.config.width
    kept_as_they_are = ("anchor_mean", "anchor_network", "film_reader")
    same = {name: values for name, values in trained.state_dict().items() if name.startswith(kept_as_they_are)}
    network.load_state_dict(same, strict=False)
    rows_of_member = _rows_of_members(network, trained, points, codes)
    members = trained.members_of_slots()
    for member, rows in enumerate(rows_of_member):
        slot = int(torch.nonzero(trained.member_of_slot == member)[0])
        own = members[slot]
        leaving = [*own.hidden_weight, own.last_weight[None]]
        activations, preactivations = rows
        units = [chosen_units(a, w, width) for a, w in zip(activations, leaving, strict=True)]
        network.first_weight[member] = trained.first_weight[member, units[0]]
        network.first_bias[member] = trained.first_bias[member, units[0]]
        changes = trained.film_writer[member].unflatten(0, (-1, 2, kept)) if trained.config.film_rank else None
        for layer, before in enumerate(units[:-1]):
            after = units[layer + 1]
            weight, bias = fitted_layer(activations[layer][:, before], preactivations[layer][:, after])
            network.hidden_weight[layer, member], network.hidden_bias[layer, member] = weight, bias
            if changes is not None:
                written = network.film_writer[member].unflatten(0, (-1, 2, width))
                written[layer] = changes[layer][:, after]
        last, last_bias = fitted_layer(activations[-1][:, units[-1]], preactivations[-1])
        network.last_weight[member], network.last_bias[member] = last[0], last_bias[0]


def _rows_of_members(
    network: IdentityNetwork, trained: IdentityNetwork, points: Tensor, codes: Tensor
) -> list[tuple[list[Tensor], list[Tensor]]]:
    """Each stored network's activations, and what its later layers make of them before FiLM, where it is blended."""
    config = trained.config
    parts: list[list[tuple[list[Tensor], list[Tensor]]]] = [[] for _ in range(config.members)]
    members = trained.members_of_slots()
    # Where fewer are blended than before, each learns the whole of the field around it.
    fewer = network.config.neighbours < config.neighbours
    for row, code in zip(points, codes, strict=True):
        state = trained.prepare(code[None])
        neighbours, weights = network.blend(row[None], state.anchors)
        blended = trained.evaluate(row[None], state)[0]
        for slot, member in enumerate(members):
            chosen = ((neighbours[0] == slot) & (weights[0] >= config.negligible)).any(1)
            if not chosen.any():
                continue
            columns = trained.columns(slot, member)
            hidden = activate(row[chosen] @ columns.T + state.biases[0, slot], config.activation)
            activations, preactivations = [hidden], []
            for layer, (weight, bias) in enumerate(zip(member.hidden_weight, member.hidden_bias, strict=True)):
                preactivations.append(hidden @ weight.T + bias)
                scale, shift = (0.0, 0.0) if state.film is None else state.film[0, slot, layer]
                hidden = activate((1.0 + scale) * preactivations[-1] + shift, config.activation)
                activations.append(hidden)
            value = hidden @ member.last_weight + member.last_bias
            preactivations.append((blended[chosen] if fewer else value)[:, None])
            parts[int(trained.member_of_slot[slot])].append((activations, preactivations))
    return [(_joined([found for found, _ in part]), _joined([wanted for _, wanted in part])) for part in parts]


def _joined(drawn: list[list[Tensor]]) -> list[Tensor]:
    """Rows of each layer, of all draws together."""
    return [torch.cat(rows) for rows in zip(*drawn, strict=True)]


@torch.no_grad()
def narrow_expression(
    network: ExpressionNetwork, trained: ExpressionNetwork, points: Tensor, codes: tuple[Tensor, Tensor, Tensor]
) -> None:
    """Start an expression network of fewer units or layers.

    points (B, P, 3): posed places; codes: identity codes (B, L), anchors (B, n, 3) and expression codes (B, E).
    """
    large, small = trained.deformation, network.deformation
    network.compressor.load_state_dict(trained.compressor.state_dict())
    condition = trained.compressor(torch.cat([codes[0], codes[1].flatten(1)], 1))
    folded = large.fold(torch.cat([condition, codes[2]], 1))
    activations = _activations(trained, points, folded)
    layers = linear_layers(large.layers)
    kept = kept_layers(large.hidden_layers, small.hidden_layers)
    following = [*kept[1:], large.hidden_layers]
    units = [
        chosen_units(activations[layer], layers[layer + 1].weight[:, : large.width], small.width) for layer in kept
    ]
    own = linear_layers(small.layers)
    own[0].weight.copy_(layers[0].weight[units[0]])
    own[0].bias.copy_(layers[0].bias[units[0]])
    for number, (layer, target) in enumerate(zip(kept, following, strict=True), start=1):
        inputs = activations[layer][:, units[number - 1]]
        wanted = _preactivations(trained, target, activations, points)
        wanted = wanted[:, units[number]] if target < large.hidden_layers else wanted
        if number == small.skip_layer:
            inputs = torch.cat([inputs, points.reshape(-1, 3)], 1) / 2**0.5
        weight, bias = fitted_layer(inputs, wanted)
        own[number].weight.copy_(weight)
        own[number].bias.copy_(bias)
    _narrow_film(network, trained, kept, units)


def kept_layers(large: int, small: int) -> list[int]:
    """Hidden layers that are kept: the first, the last and the one where coordinates enter again are among them."""
    first = np.linspace(0, large // 2, small // 2 + 1).round()
    second = np.linspace(large // 2, large - 1, small - small // 2).round()
    return [int(layer) for layer in [*first[:-1], *second]]


def _activations(trained: ExpressionNetwork, points: Tensor, folded: list) -> list[Tensor]:
    """Activations (B P, width) of every hidden layer at points (B, P, 3)."""
    deformation, hidden, found = trained.deformation, points, []
    for layer in folded[:-1]:
        total = layer.bias[:, None] + hidden @ layer.weight.mT
        if layer.coordinate_weight is not None:
            total = total + points @ layer.coordinate_weight.mT
        hidden = activate(total, deformation.activation)
        found.append(hidden.flatten(0, 1))
    return found


def _preactivations(trained: ExpressionNetwork, layer: int, activations: list[Tensor], points: Tensor) -> Tensor:
    """What a layer of the larger network makes of the layer before it, without FiLM; (B P, out)."""
    deformation = trained.deformation
    below = activations[layer - 1]
    if layer == deformation.skip_layer:
        below = torch.cat([below, points.reshape(-1, 3)], 1) / 2**0.5
    own = linear_layers(deformation.layers)[layer]
    return below @ own.weight.T + own.bias


def _narrow_film(
    network: ExpressionNetwork, trained: ExpressionNetwork, kept: Sequence[int], units: Sequence[Tensor]
) -> None:
    """Keep what FiLM says to the kept units of the kept layers."""
    own, former = (linear_layers(item.deformation.film) for item in (network, trained))
    own[0].load_state_dict(former[0].state_dict())
    shape = (trained.deformation.hidden_layers, 2, trained.deformation.width)
    for name in ("weight", "bias"):
        rows = getattr(former[1], name).unflatten(0, shape)
        chosen = [rows[layer][:, unit] for layer, unit in zip(kept, units, strict=True)]
        getattr(own[1], name).copy_(torch.stack(chosen).flatten(0, 2))
