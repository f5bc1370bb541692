"""Put trained networks into a model bundle."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from engine.bundle import merge_section, update_config
from engine.head.networks.expression import ExpressionNetwork
from engine.head.networks.identity import IdentityNetwork
from engine.head.networks.regions import RegionNetwork
from engine.motion.codes import expression_basis
from training.head.ground_truth import HeadTopology
from training.head.ict import FaceKit
from training.head.identity_code import identity_basis
from training.head.networks import (
    SMOOTHING,
    Sizes,
    new_expression_network,
    new_identity_network,
    new_region_network,
    run_sizes,
)
from training.head.sampling import BOX_MAXIMUM, BOX_MINIMUM
from training.head.template import POSITION_KEYS, template_tensors
from training.run.loop import averaged_weights


def export_networks(face_kit: FaceKit, bundle: Path, runs: dict[str, Path]) -> None:
    """Merge the averaged networks of run folders ('identity', 'expression', 'regions') into a bundle."""
    for name, run in runs.items():
        network, bases, full_precision = _untrained(name, face_kit, run_sizes(run))
        network.load_state_dict(averaged_weights(run))
        merge_section(
            bundle, f"head.{name}", asdict(network.config), dict(network.state_dict()) | bases, full_precision
        )
        _record_field(bundle)


def _untrained(
    name: str, face_kit: FaceKit, sizes: Sizes
) -> tuple[IdentityNetwork | ExpressionNetwork | RegionNetwork, dict[str, Tensor], tuple[str, ...]]:
    """A network to load weights into, the tensors that accompany it, and the keys that are kept in full precision."""
    if name == "identity":
        bases = {"identity_basis": torch.from_numpy(identity_basis(face_kit))}
        return new_identity_network(face_kit, 0, sizes), bases, ("anchor_mean",)
    if name == "expression":
        bases = {"expression_basis": torch.from_numpy(expression_basis())}
        return new_expression_network(0, sizes), bases, ("expression_basis",)
    return new_region_network(0), {}, ()


def export_template(face_kit: FaceKit, bundle: Path) -> None:
    """Merge the fixed topology into a bundle."""
    merge_section(bundle, "head.template", {}, template_tensors(HeadTopology(face_kit)), POSITION_KEYS)
    _record_field(bundle)


def _record_field(bundle: Path) -> None:
    """Write the mask and the box that the networks were trained with into the bundle's configuration."""

    def change(config: dict) -> None:
        config["head"]["smoothing"] = asdict(SMOOTHING)
        config["head"]["box"] = [BOX_MINIMUM.tolist(), BOX_MAXIMUM.tolist()]

    update_config(bundle, change)
