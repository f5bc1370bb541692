"""The starter head's networks at their sizes, and how they start training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from engine.bundle import Bundle
from engine.head.loading import load_head
from engine.head.networks.expression import ExpressionConfig, ExpressionNetwork
from engine.head.networks.identity import IdentityConfig, IdentityNetwork
from engine.head.networks.regions import RegionConfig, RegionNetwork
from engine.head.networks.smoothing import GaussianMask, SmoothingConfig
from engine.shared.errors import EngineError
from engine.shared.regions import REGION_NAMES
from training.head.ict import FaceKit
from training.head.identity_code import canonical_anchors
from training.head.sampling import BOX_MAXIMUM, BOX_MINIMUM
from training.muon import Muon
from training.run.learner import load_weights
from training.run.loop import Recipe, run_config

# Wider in z than the paper-scale mask: ICT-FaceKit's jaw moves the skin under the chin and before the ears, and an
# offset of the surface must not exceed what the mask lets through.
SMOOTHING = SmoothingConfig(centre=(0.0, -0.20, 0.18), sigma=(0.50, 0.50, 0.25))
Sizes = dict[str, Any]  # fields of the network's config that a run has chosen
FILM_RANK = 32
IDENTITY_SIZES: Sizes = {"width": 64, "neighbours": 3}
EXPRESSION_SIZES: Sizes = {"width": 128}
RECIPE = Recipe(warm_up_steps=50, final_rate=0.01, save_every=100)  # of every network of the head
LOCAL_FREQUENCY, GLOBAL_FREQUENCY = 12.0, 7.0  # 1 / (extent of a unit's bend), model units


Network = TypeVar("Network", bound=nn.Module)


def run_sizes(folder: Path) -> Sizes:
    """The sizes of the network of a run."""
    sizes: Sizes = run_config(folder).get("sizes", {})
    return sizes


def smoothing_mask() -> GaussianMask:
    """The starter's mask, normalised over its box."""
    return GaussianMask.over_box(SMOOTHING, torch.as_tensor(BOX_MINIMUM), torch.as_tensor(BOX_MAXIMUM))


def new_identity_network(face_kit: FaceKit, seed: int, sizes: Sizes) -> IdentityNetwork:
    """An untrained identity network whose first layer bends where its neighbourhood lies."""
    torch.manual_seed(seed)
    anchors = torch.from_numpy(canonical_anchors(face_kit, np.zeros((1, 100), np.float32))[0]).float()
    network = IdentityNetwork(replace(IdentityConfig(film_rank=FILM_RANK), **IDENTITY_SIZES | sizes), anchors)
    with torch.no_grad():
        columns = network.first_weight[:, :, -3:]
        columns.normal_(std=LOCAL_FREQUENCY)
        columns[-1] *= 0.4  # the network without anchor sees the whole head
        places = torch.randn(columns.shape) * 0.10
        places[-1] *= 3.0
        network.first_bias.copy_(-(columns * places).sum(-1))
        network.last_weight.mul_(0.05)
    return network


@torch.no_grad()
def start_identity_from(network: IdentityNetwork, trained: IdentityNetwork) -> None:
    """Start with the weights of a trained network; a FiLM of higher rank than its own computes the same at first."""
    state, rank = trained.state_dict(), trained.config.film_rank
    for name, axis in (("film_reader", 1), ("film_writer", 2)):
        whole = getattr(network, name).clone()
        whole.narrow(axis, 0, rank).copy_(state[name])
        state[name] = whole
    load_weights(network, state)


def new_expression_network(seed: int, sizes: Sizes) -> ExpressionNetwork:
    """An untrained expression network; it does not read the anchors, which the starter's code determines linearly."""
    torch.manual_seed(seed)
    network = ExpressionNetwork(replace(ExpressionConfig(), **EXPRESSION_SIZES | sizes))
    with torch.no_grad():
        network.compressor.weight[:, network.config.identity_dimensions :] = 0.0
    spread_first_layer(cast(nn.Linear, network.deformation.layers[0]))
    return network


@torch.no_grad()
def spread_first_layer(layer: nn.Linear) -> None:
    """Let the units of a layer on coordinates (three columns) bend at points spread over the face."""
    layer.weight.normal_(std=GLOBAL_FREQUENCY)
    places = torch.randn(layer.weight.shape) * torch.tensor([0.12, 0.16, 0.12]) + torch.tensor([0.0, -0.08, 0.08])
    layer.bias.copy_(-(layer.weight * places).sum(-1))


def new_region_network(seed: int) -> RegionNetwork:
    """An untrained region network at the starter's size."""
    torch.manual_seed(seed)
    return RegionNetwork(RegionConfig(names=list(REGION_NAMES), octaves=6, layers=3, width=128))


def trained_network(start: Path, part: str, kind: type[Network]) -> Network:
    """A trained network of a bundle's head: its "identity", "expression" or "region_network".

    Raises EngineError when the bundle has none or one of another kind.
    """
    network = getattr(load_head(Bundle.open(start)), part)
    if not isinstance(network, kind):
        raise EngineError(f"The head of {start} has no {kind.__name__}; choose another --start.")
    return network


def head_optimisers(network: nn.Module, matrices: Sequence[nn.Parameter] = ()) -> list[torch.optim.Optimizer]:
    """Muon for some matrices of a network, where there are any, and Adam for its other parameters."""
    chosen = {id(parameter) for parameter in matrices}
    others = [parameter for parameter in network.parameters() if id(parameter) not in chosen]
    adam = torch.optim.Adam(others, betas=(0.9, 0.99))
    return [adam, Muon(matrices)] if matrices else [adam]


def without_anchors(codes: Tensor, anchors: int) -> Tensor:
    """Zeros (B, n, 3) that stand for the anchors of codes (B, L) where the network does not read them."""
    return codes.new_zeros(len(codes), anchors, 3)
