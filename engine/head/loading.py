"""A neural head from a model bundle."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ..bundle import Bundle
from ..network_building import MISFITS, check_sizes
from ..shared.errors import EngineError
from .arkit_map import ArkitMap, ExactArkitMap, NoArkitMap, fitted_map
from .head import BOX, Box, NeuralHead
from .identities import IdentityControls, IdentityModes
from .networks.expression import ExpressionConfig, ExpressionNetwork
from .networks.forward_identity import ForwardIdentityConfig, ForwardIdentityNetwork
from .networks.identity import IdentityConfig, IdentityNetwork
from .networks.regions import RegionConfig, RegionNetwork
from .networks.smoothing import SmoothingConfig
from .template import Template

Config = TypeVar("Config")
Network = TypeVar("Network", bound=torch.nn.Module)
LARGEST_BOX = 10.0  # model units
# Tensors that lie in a network's file and are not of the network.
EXTRAS = {
    "head.identity": ("identity_basis", "identity_codes"),
    "head.expression": ("expression_basis", "expression_codes"),
}


def load_head(bundle: Bundle, device: str | torch.device = "cpu") -> NeuralHead:
    """The head of a bundle on a torch device, with what its optional sections hold.

    Raises EngineError when a needed section or file is missing or does not fit.
    """
    try:
        head = _assembled(bundle, device)
        _try_out(head)
    except MISFITS as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise EngineError(
            f"The head of the model bundle {bundle.name} does not fit ({reason}); install it again."
        ) from error
    return head


def _try_out(head: NeuralHead) -> None:
    """Compute one point: whatever does not fit shows before anything is made of it. Raises MISFITS."""
    if head.regions.template is not None and head.modes.basis is not None:
        modes, columns = len(head.regions.template.modes), head.modes.basis.shape[-1]
        if modes != columns:
            raise ValueError(f"the template has {modes} identity modes, the codes {columns}")
    point = np.zeros((1, 3), np.float32)
    values = [head.signed_distance(point), head.deformation(point)]
    values.append(head.prepare_identity(None).regions.weights(torch.zeros(1, 3, device=head.device)).cpu().numpy())
    if not all(np.isfinite(value).all() for value in values):
        raise ValueError("it computes no finite numbers")


def _assembled(bundle: Bundle, device: str | torch.device) -> NeuralHead:
    present = bundle.section("head")
    identity, identity_extras = _identity(bundle, forward=present.get("deformation") == "forward")
    expression, expression_extras = _network(bundle, "head.expression", ExpressionConfig, ExpressionNetwork)
    basis = identity_extras.get("identity_basis")
    return NeuralHead(
        identity,
        expression,
        smoothing=None if present.get("smoothing") is None else SmoothingConfig(**present["smoothing"]),
        box=_box(present["box"]) if "box" in present else BOX,
        device=device,
        modes=IdentityModes(
            basis=None if basis is None else basis.to(device),
            controls=None if present.get("controls") is None else _controls(bundle),
        ),
        arkit_map=_arkit_map(bundle, expression, expression_extras.get("expression_basis"), device),
        template=None if present.get("template") is None else Template.of(bundle.tensors("head.template"), device),
        regions=None
        if present.get("regions") is None
        else _network(bundle, "head.regions", RegionConfig, RegionNetwork)[0],
        identity_codes=identity_extras.get("identity_codes"),
        expression_codes=expression_extras.get("expression_codes"),
    )


def _identity(bundle: Bundle, forward: bool) -> tuple[IdentityNetwork | ForwardIdentityNetwork, dict[str, Tensor]]:
    if forward:
        return _network(bundle, "head.identity", ForwardIdentityConfig, ForwardIdentityNetwork)
    return _network(bundle, "head.identity", IdentityConfig, IdentityNetwork)


def _network(
    bundle: Bundle, name: str, config_type: Callable[..., Config], network_type: Callable[[Config], Network]
) -> tuple[Network, dict[str, Tensor]]:
    """The network of a section, and the tensors of EXTRAS that its file holds besides."""
    tensors = bundle.tensors(name)
    extras = {extra: tensors.pop(extra) for extra in EXTRAS.get(name, ()) if extra in tensors}
    try:
        check_sizes(bundle.section(name))
        config = config_type(**bundle.section(name))
        return bundle.network(name, lambda: network_type(config), tensors), extras
    except MISFITS as error:
        raise EngineError(f"The section '{name}' of the model bundle {bundle.name} does not fit: {error}.") from error


def _arkit_map(
    bundle: Bundle, expression: ExpressionNetwork, basis: Tensor | None, device: str | torch.device
) -> ArkitMap:
    if basis is not None:
        return ExactArkitMap(basis.numpy())
    if bundle.config.get("head", {}).get("arkit") is None:
        return NoArkitMap()
    dimensions = expression.config.expression_dimensions
    return fitted_map(bundle.tensors("head.arkit"), bundle.section("head.arkit"), dimensions, device)


def _box(corners: list[list[float]]) -> Box:
    (a, b, c), (d, e, f) = corners
    low, high = (float(a), float(b), float(c)), (float(d), float(e), float(f))
    if not all(-LARGEST_BOX < least < most < LARGEST_BOX for least, most in zip(low, high, strict=True)):
        raise ValueError(f"its box is {low} to {high}")
    return low, high


def _controls(bundle: Bundle) -> IdentityControls:
    section, tensors = bundle.section("head.controls"), bundle.tensors("head.controls")
    try:
        directions = tensors["directions"]
        names, sizes = tuple(section["names"]), tuple(section["millimetres"])
        if directions.shape[0] != len(names) or len(sizes) != len(names):
            raise ValueError(f"{len(names)} names for {directions.shape[0]} directions")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EngineError(f"The section 'head.controls' of the bundle {bundle.name} does not fit: {error}.") from error
    return IdentityControls(names, sizes, directions.numpy())
