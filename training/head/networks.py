"""The starter head's networks at their sizes, and how they start training."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.head.networks.expression import ExpressionConfig, ExpressionNetwork
from engine.head.networks.identity import IdentityConfig, IdentityNetwork
from engine.head.networks.smoothing import GaussianMask, SmoothingConfig
from training.head.ict import FaceKit
from training.head.identity_code import canonical_anchors
from training.head.sampling import BOX_MAXIMUM, BOX_MINIMUM

# Wider in z than the paper-scale mask: ICT-FaceKit's jaw moves the skin under the chin and before the ears, and an
# offset of the surface must not exceed what the mask lets through.
SMOOTHING = SmoothingConfig(centre=(0.0, -0.20, 0.18), sigma=(0.50, 0.50, 0.25))
FILM_RANK = 32
LOCAL_FREQUENCY, GLOBAL_FREQUENCY = 12.0, 7.0  # 1 / (extent of a unit's bend), model units


def smoothing_mask() -> GaussianMask:
    """The starter's mask, normalised over its box."""
    return GaussianMask.over_box(SMOOTHING, torch.as_tensor(BOX_MINIMUM), torch.as_tensor(BOX_MAXIMUM))


def new_identity_network(face_kit: FaceKit, seed: int) -> IdentityNetwork:
    """An untrained identity network whose first layer bends where its neighbourhood lies."""
    torch.manual_seed(seed)
    anchors = torch.from_numpy(canonical_anchors(face_kit, np.zeros((1, 100), np.float32))[0]).float()
    network = IdentityNetwork(IdentityConfig(film_rank=FILM_RANK), anchors)
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
def take_over_identity(network: IdentityNetwork, trained: IdentityNetwork) -> None:
    """Load the parameters of a trained network; a FiLM of higher rank than its own starts as the same function."""
    state, rank = trained.state_dict(), trained.config.film_rank
    for name, axis in (("film_reader", 1), ("film_writer", 2)):
        whole = getattr(network, name).clone()
        whole.narrow(axis, 0, rank).copy_(state[name])
        state[name] = whole
    network.load_state_dict(state)


def new_expression_network(seed: int) -> ExpressionNetwork:
    """An untrained expression network; it does not read the anchors, which the starter's code determines linearly."""
    torch.manual_seed(seed)
    network = ExpressionNetwork(ExpressionConfig())
    with torch.no_grad():
        network.compressor.weight[:, network.config.identity_dimensions :] = 0.0
    spread_first_layer(network.deformation.layers[0])
    return network


@torch.no_grad()
def spread_first_layer(layer: torch.nn.Linear) -> None:
    """Let the units of a layer on coordinates (three columns) bend at points spread over the face."""
    layer.weight.normal_(std=GLOBAL_FREQUENCY)
    places = torch.randn(layer.weight.shape) * torch.tensor([0.12, 0.16, 0.12]) + torch.tensor([0.0, -0.08, 0.08])
    layer.bias.copy_(-(layer.weight * places).sum(-1))


def without_anchors(codes: Tensor, anchors: int) -> Tensor:
    """Zeros (B, n, 3) that stand for the anchors of codes (B, L) where the network does not read them."""
    return codes.new_zeros(len(codes), anchors, 3)
