"""A neural head from a model bundle."""

from __future__ import annotations

import torch

from ..bundle import Bundle
from ..shared.errors import EngineError
from .arkit_map import FittedArkitMap, fitted_map
from .controls import IdentityControls
from .head import BOX, NeuralHead
from .networks.expression import ExpressionConfig, ExpressionNetwork
from .networks.forward_identity import ForwardIdentityConfig, ForwardIdentityNetwork
from .networks.identity import IdentityConfig, IdentityNetwork
from .networks.regions import RegionConfig, RegionNetwork
from .networks.smoothing import SmoothingConfig

REQUIRED = {
    "head.identity": (IdentityConfig, IdentityNetwork, ("identity_basis", "identity_codes")),
    "head.expression": (ExpressionConfig, ExpressionNetwork, ("expression_basis", "expression_codes")),
}
FORWARD_IDENTITY = (ForwardIdentityConfig, ForwardIdentityNetwork, ("identity_codes",))
OPTIONAL = {"head.regions": (RegionConfig, RegionNetwork, ())}


def load_head(bundle: Bundle, device: str | torch.device = "cpu") -> NeuralHead:
    """The head of a bundle on a torch device.

    The region network and the template are there when the bundle has their sections.
    Raises EngineError when a needed section or file is missing or does not fit.
    """
    present = bundle.config.get("head", {})
    networks, bases = {}, {}
    sections = REQUIRED | OPTIONAL
    if present.get("deformation") == "forward":
        sections["head.identity"] = FORWARD_IDENTITY
    for name, (config_type, network_type, extra_names) in sections.items():
        key = name.removeprefix("head.")
        if name in OPTIONAL and present.get(key) is None:
            continue
        try:
            network = network_type(config_type(**bundle.section(name)))
        except (TypeError, ValueError) as error:
            raise EngineError(
                f"The section '{name}' of the model bundle {bundle.name} does not fit: {error}."
            ) from error
        tensors = bundle.tensors(name)
        bases |= {extra: tensors.pop(extra) for extra in extra_names if extra in tensors}
        bundle.load_into(name, network, tensors)
        networks[key] = network
    smoothing = None if present.get("smoothing") is None else SmoothingConfig(**present["smoothing"])
    template = None if present.get("template") is None else bundle.tensors("head.template")
    controls = None if present.get("controls") is None else _controls(bundle)
    return NeuralHead(
        **networks,
        smoothing=smoothing,
        template=template,
        fitted_map=None if present.get("arkit") is None else _fitted_map(bundle, networks["expression"], device),
        controls=controls,
        box=present.get("box", BOX),
        **bases,
        device=device,
    )


def _fitted_map(bundle: Bundle, expression: ExpressionNetwork, device: str | torch.device) -> FittedArkitMap:
    dimensions = expression.config.expression_dimensions
    return fitted_map(bundle.tensors("head.arkit"), bundle.section("head.arkit"), dimensions, device)


def _controls(bundle: Bundle) -> IdentityControls:
    section, directions = bundle.section("head.controls"), bundle.tensors("head.controls").get("directions")
    try:
        names, sizes = tuple(section["names"]), tuple(section["millimetres"])
        if directions.shape[0] != len(names) or len(sizes) != len(names):
            raise ValueError(f"{len(names)} names for {directions.shape[0]} directions")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EngineError(f"The section 'head.controls' of the bundle {bundle.name} does not fit: {error}.") from error
    return IdentityControls(names, sizes, directions.numpy())
