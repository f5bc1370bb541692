"""Official checkpoints as this head's networks: released NPHM (forward), DPHM's backward NPHM, MonoNPHM's geometry.

Sizes are read from tensor shapes; only the neighbour count and the blending width come from the checkpoint's
configs.yaml, and the mean anchors from the user's copy of the official assets.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ...shared.errors import EngineError
from .expression import ExpressionConfig, ExpressionNetwork
from .forward_identity import ForwardIdentityConfig, ForwardIdentityNetwork
from .identity import IdentityConfig, IdentityNetwork

BACKWARD_ENSEMBLE = "deepSDFensemble.layers"
FORWARD_ENSEMBLE = "ensembled_deep_sdf"
FAMILY_NEIGHBOURS, FAMILY_BLEND_STD = 8, 4.0

Weights = dict[str, Tensor]


def networks_from_official(
    checkpoint: dict, anchor_mean: Tensor, neighbours: int = FAMILY_NEIGHBOURS, blend_std: float = FAMILY_BLEND_STD
) -> tuple[IdentityNetwork, ExpressionNetwork]:
    """Both networks of a loaded backward checkpoint (its `id_decoder` and `ex_decoder`).

    anchor_mean (n, 3) comes from anchors_<n>.npy; neighbours and blend_std from configs.yaml (decoder.id.nneigh and
    decoder.id.blend_std). Raises EngineError when keys are missing or sizes do not fit.
    """
    if "id_decoder" not in checkpoint or "ex_decoder" not in checkpoint:
        raise EngineError(
            "This file is not a backward NPHM checkpoint (no id_decoder and ex_decoder); choose "
            "checkpoint_epoch_<n>.tar of nphm_backward or MonoNPHM."
        )
    expression_weights = checkpoint["ex_decoder"]
    hyper = _outputs(expression_weights) - 3
    identity = _converted(
        "identity",
        lambda: _backward_identity(checkpoint["id_decoder"], anchor_mean, neighbours, blend_std, hyper),
    )
    return identity, _expression(expression_weights, identity.config)


def networks_from_forward(
    identity_weights: Weights, expression_weights: Weights, anchor_mean: Tensor
) -> tuple[ForwardIdentityNetwork, ExpressionNetwork]:
    """Both networks of the released NPHM from the `decoder_state_dict` of its two checkpoints.

    anchor_mean (n, 3) comes from anchors_<n>.npy. Raises EngineError when keys are missing or sizes do not fit.
    """
    identity = _converted("identity", lambda: _forward_identity(identity_weights, anchor_mean))
    return identity, _expression(expression_weights, identity.config)


def anchor_count(identity_weights: Weights) -> int:
    """Number of anchors of an official identity network. Raises EngineError when it is none."""
    return _converted("identity", lambda: identity_weights["mlp_pos.4.weight"].shape[0] // 3)


def _converted(kind: str, convert: Callable):
    """What `convert` returns; whatever is wrong with keys and shapes becomes one EngineError."""
    try:
        return convert()
    except (KeyError, ValueError, IndexError, TypeError, AttributeError, RuntimeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())[:200]
        raise EngineError(
            f"This file has no NPHM {kind} network that fits ({reason}); choose checkpoints of the released NPHM, "
            "nphm_backward or MonoNPHM that belong together."
        ) from error


def _require_anchors(anchor_mean: Tensor, anchors: int, members: int) -> None:
    if tuple(anchor_mean.shape) != (anchors, 3):
        raise EngineError(
            f"The mean anchors have shape {tuple(anchor_mean.shape)}, but this checkpoint needs "
            f"({anchors}, 3); choose anchors_{anchors}.npy of the official assets."
        )
    pairs = anchors + 1 - members
    if not 0 <= 2 * pairs <= anchors:
        raise ValueError(f"{members} local networks cannot serve {anchors} anchors")


def _anchor_network(weights: Weights) -> Weights:
    prefix = "mlp_pos."
    return {
        f"anchor_network.{key.removeprefix(prefix)}": value for key, value in weights.items() if key.startswith(prefix)
    }


def _outputs(weights: Weights) -> int:
    """Outputs of a deformation network: rows of its last layer."""
    layers = [key for key in weights if key.startswith("defDeepSDF.lin") and key.endswith(".weight")]
    return _converted(
        "expression", lambda: weights[max(layers, key=lambda key: int(key.split(".")[1][len("lin") :]))].shape[0]
    )


def _backward_identity(
    weights: Weights, anchor_mean: Tensor, neighbours: int, blend_std: float, hyper: int
) -> IdentityNetwork:
    ensemble = BACKWARD_ENSEMBLE
    anchors = anchor_count(weights)
    members = len({key.split(".")[2] for key in weights if key.startswith(ensemble + ".")})
    layers = len({key.split(".")[4] for key in weights if key.startswith(ensemble + ".0.")}) - 1
    width, entering = weights[f"{ensemble}.0.layers.0.weight"].shape
    anchor_width, global_dimensions = weights["mlp_pos.0.weight"].shape
    _require_anchors(anchor_mean, anchors, members)
    if not 1 <= neighbours <= anchors:
        raise ValueError(f"it cannot blend {neighbours} of {anchors} anchors")
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
        return torch.stack([weights[f"{ensemble}.{member}.layers.{2 * layer}.{kind}"] for member in range(members)])

    state = _anchor_network(weights)
    state["anchor_mean"] = network.anchor_mean
    state["first_weight"], state["first_bias"] = stacked(0, "weight"), stacked(0, "bias")
    for kind in ("weight", "bias"):
        state[f"hidden_{kind}"] = torch.stack([stacked(layer, kind) for layer in range(1, layers)])
    state["last_weight"], state["last_bias"] = stacked(layers, "weight")[:, 0], stacked(layers, "bias")[:, 0]
    network.load_state_dict(state)
    return network


def _forward_identity(weights: Weights, anchor_mean: Tensor) -> ForwardIdentityNetwork:
    layers = len({key.split(".")[1] for key in weights if key.startswith(FORWARD_ENSEMBLE + ".")}) - 1
    members, width, entering = weights[f"{FORWARD_ENSEMBLE}.lin0.weight"].shape
    anchor_width, global_dimensions = weights["mlp_pos.0.weight"].shape
    anchors = anchor_count(weights)
    _require_anchors(anchor_mean, anchors, members)
    network = ForwardIdentityNetwork(
        ForwardIdentityConfig(
            anchors=anchors,
            symmetric_pairs=anchors + 1 - members,
            global_dimensions=global_dimensions,
            local_dimensions=entering - global_dimensions - 3,
            layers=layers,
            width=width,
            anchor_width=anchor_width,
        ),
        anchor_mean,
    )
    state = _anchor_network(weights) | {"anchor_mean": network.anchor_mean}
    for layer in range(layers + 1):
        for kind in ("weight", "bias"):
            for member, value in enumerate(weights[f"{FORWARD_ENSEMBLE}.lin{layer}.{kind}"]):
                state[f"members.{member}.layers.{layer}.{kind}"] = value
    network.load_state_dict(state)
    return network


def _expression(weights: Weights, identity: IdentityConfig | ForwardIdentityConfig) -> ExpressionNetwork:
    def convert() -> ExpressionNetwork:
        layers = len({key.split(".")[1] for key in weights if key.startswith("defDeepSDF.lin")}) - 1
        width, entering = weights["defDeepSDF.lin0.weight"].shape
        compressed = weights["compressor.0.weight"].shape[0]
        before_skip = weights[f"defDeepSDF.lin{layers // 2 - 1}.weight"].shape[0]
        config = ExpressionConfig(
            identity_dimensions=identity.dimensions,
            anchors=identity.anchors,
            compressed_dimensions=compressed,
            expression_dimensions=entering - 3 - compressed,
            layers=layers,
            width=width,
            hyper_coordinates=_outputs(weights) - 3,
            conditioning="concatenate",
            activation="softplus",
            skip="widen" if before_skip == width else "narrow",
        )
        network = ExpressionNetwork(config)
        network.load_state_dict(
            {
                key.replace("compressor.0.", "compressor.").replace("defDeepSDF.lin", "deformation.layers."): value
                for key, value in weights.items()
            }
        )
        return network

    return _converted("expression", convert)
