"""Official checkpoints of the backward NPHM family (DPHM's nphm_backward, MonoNPHM's geometry) as this head's networks.

Sizes are read from tensor shapes; only the neighbour count and the blending width come from the checkpoint's
configs.yaml, and the mean anchors from the user's copy of the official assets.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import EngineError
from .expression import ExpressionConfig, ExpressionNetwork
from .identity import IdentityConfig, IdentityNetwork

ENSEMBLE = "deepSDFensemble.layers"
FAMILY_NEIGHBOURS, FAMILY_BLEND_STD = 8, 4.0


def networks_from_official(
    checkpoint: dict, anchor_mean: Tensor, neighbours: int = FAMILY_NEIGHBOURS, blend_std: float = FAMILY_BLEND_STD
) -> tuple[IdentityNetwork, ExpressionNetwork]:
    """Both networks of a loaded checkpoint (its `id_decoder` and `ex_decoder`).

    anchor_mean (n, 3) comes from anchors_<n>.npy; neighbours and blend_std from configs.yaml (decoder.id.nneigh and
    decoder.id.blend_std). Raises EngineError when keys are missing or the anchors do not fit.
    """
    if "id_decoder" not in checkpoint or "ex_decoder" not in checkpoint:
        raise EngineError(
            "This file is not a backward NPHM checkpoint (no id_decoder and ex_decoder); choose "
            "checkpoint_epoch_<n>.tar of nphm_backward or MonoNPHM."
        )
    expression_weights = checkpoint["ex_decoder"]
    hyper = _output_rows(expression_weights) - 3
    identity = _identity(checkpoint["id_decoder"], anchor_mean, neighbours, blend_std, hyper)
    return identity, _expression(expression_weights, identity.config)


def _output_rows(weights: dict[str, Tensor]) -> int:
    last = max(
        (key for key in weights if key.startswith("defDeepSDF.lin") and key.endswith("weight")),
        key=lambda key: int(key.split(".")[1][len("lin") :]),
    )
    return weights[last].shape[0]


def _identity(
    weights: dict[str, Tensor], anchor_mean: Tensor, neighbours: int, blend_std: float, hyper: int
) -> IdentityNetwork:
    try:
        anchors = weights["mlp_pos.4.weight"].shape[0] // 3
        members = len({key.split(".")[2] for key in weights if key.startswith(ENSEMBLE + ".")})
        layers = len({key.split(".")[4] for key in weights if key.startswith(ENSEMBLE + ".0.")}) - 1
        width, entering = weights[f"{ENSEMBLE}.0.layers.0.weight"].shape
        anchor_width, global_dimensions = weights["mlp_pos.0.weight"].shape
    except (KeyError, ValueError) as error:
        raise EngineError(
            "This file has no backward NPHM identity network; choose a checkpoint of nphm_backward or "
            f"MonoNPHM ({error})."
        ) from error
    if tuple(anchor_mean.shape) != (anchors, 3):
        raise EngineError(
            f"The mean anchors have shape {tuple(anchor_mean.shape)}, but this checkpoint needs "
            f"({anchors}, 3); choose anchors_{anchors}.npy of the official assets."
        )
    config = IdentityConfig(
        anchors=anchors,
        symmetric_pairs=anchors + 1 - members,
        global_dimensions=global_dimensions,
        local_dimensions=entering - global_dimensions - 3 - hyper,
        layers=layers,
        width=width,
        activation="softplus",
        neighbours=neighbours,
        blend_std=blend_std,
        blend="gaussian",
        negligible=0.0,
        hyper_coordinates=hyper,
        anchor_width=anchor_width,
    )
    network = IdentityNetwork(config, anchor_mean)

    def stacked(layer: int, kind: str) -> Tensor:
        return torch.stack([weights[f"{ENSEMBLE}.{member}.layers.{2 * layer}.{kind}"] for member in range(members)])

    state = {
        f"anchor_network.{key[len('mlp_pos.') :]}": value
        for key, value in weights.items()
        if key.startswith("mlp_pos.")
    }
    state["anchor_mean"] = network.anchor_mean
    state["first_weight"], state["first_bias"] = stacked(0, "weight"), stacked(0, "bias")
    for kind in ("weight", "bias"):
        state[f"hidden_{kind}"] = torch.stack([stacked(layer, kind) for layer in range(1, layers)])
    state["last_weight"], state["last_bias"] = stacked(layers, "weight")[:, 0], stacked(layers, "bias")[:, 0]
    network.load_state_dict(state)
    return network


def _expression(weights: dict[str, Tensor], identity: IdentityConfig) -> ExpressionNetwork:
    try:
        layers = len({key.split(".")[1] for key in weights if key.startswith("defDeepSDF.lin")}) - 1
        width, entering = weights["defDeepSDF.lin0.weight"].shape
        compressed = weights["compressor.0.weight"].shape[0]
        before_skip = weights[f"defDeepSDF.lin{layers // 2 - 1}.weight"].shape[0]
        outputs = weights[f"defDeepSDF.lin{layers}.weight"].shape[0]
    except (KeyError, ValueError) as error:
        raise EngineError(
            f"This file has no NPHM expression network; choose a checkpoint of nphm_backward or MonoNPHM ({error})."
        ) from error
    network = ExpressionNetwork(
        ExpressionConfig(
            identity_dimensions=identity.dimensions,
            anchors=identity.anchors,
            compressed_dimensions=compressed,
            expression_dimensions=entering - 3 - compressed,
            layers=layers,
            width=width,
            hyper_coordinates=outputs - 3,
            conditioning="concatenate",
            activation="softplus",
            skip="widen" if before_skip == width else "narrow",
        )
    )
    renamed = {
        key.replace("compressor.0.", "compressor.").replace("defDeepSDF.lin", "deformation.layers."): value
        for key, value in weights.items()
    }
    network.load_state_dict(renamed)
    return network


def book_row(book: Tensor, row: int) -> Tensor:
    """Row of a code book (N, L) as the official embedding (max_norm 1) hands it out: longer rows are shortened to 1."""
    code = book[row]
    return code / code.norm().clamp_min(1.0)
