"""Training of the forward basis: what each unit of an animation weight does to a canonical surface point."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...head.forward_basis import ForwardBasisConfig, ForwardBasisNetwork
from .ict import UNITS_PER_MILLIMETRE, FaceKit, canonical_weights
from .loop import LoopOptions, train
from .networks import spread_first_layer
from .train_regions import SurfaceBatches

LID_POINTS = 500  # of a head's 1,500
OUTPUT_SCALE = 0.02  # of the last layer's initial values: displacements are millimetres, not units


def new_forward_network(seed: int) -> ForwardBasisNetwork:
    """An untrained forward basis network at the starter's size."""
    torch.manual_seed(seed)
    network = ForwardBasisNetwork(ForwardBasisConfig())
    spread_first_layer(network.displacement.layers[0])
    with torch.no_grad():
        network.displacement.layers[-1].weight.mul_(OUTPUT_SCALE)
        network.displacement.layers[-1].bias.zero_()
    return network


def displacement_table(face_kit: FaceKit) -> np.ndarray:
    """(V, 53 * 3): displacement per unit of each ARKit weight, then from the canonical pose to the neutral one."""
    back = -np.tensordot(canonical_weights(), face_kit.expression, 1)
    return np.concatenate([face_kit.expression, back[None]]).transpose(1, 0, 2).reshape(len(back), -1)


def train_forward(face_kit: FaceKit, pool: Path, output: Path, options: LoopOptions, device: torch.device) -> None:
    """Train with the mean distance between predicted and true displacements, in millimetres."""
    network = new_forward_network(options.seed).to(device)
    batches = SurfaceBatches(face_kit, pool, displacement_table(face_kit), options.seed, device, LID_POINTS)

    def losses(iteration: int) -> dict[str, Tensor]:
        batch = batches.draw(iteration)
        true = batch["values"].unflatten(-1, (-1, 3))  # (B, P, 53, 3)
        error = (network(batch["points"], batch["codes"]) - true).square().sum(-1).add(1e-10).sqrt()
        return {"displacement": error.mean() / UNITS_PER_MILLIMETRE}

    train(network, losses, output, options)
