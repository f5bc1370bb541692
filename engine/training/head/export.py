"""Put trained networks into a model bundle."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch

from ...bundle import merge_section
from ...codes import expression_basis
from .ground_truth import HeadTopology
from .ict import FaceKit
from .identity_code import identity_basis
from .loop import averaged_state
from .networks import SMOOTHING, new_expression_network, new_identity_network
from .sampling import BOX_MAXIMUM, BOX_MINIMUM
from .template import POSITION_KEYS, template_tensors
from .train_regions import new_region_network


def export_networks(face_kit: FaceKit, bundle: Path, runs: dict[str, Path]) -> None:
    """Merge the averaged networks of run folders ('identity', 'expression', 'regions') into a bundle."""
    makers = {"identity": ("head.identity", lambda: new_identity_network(face_kit, 0)),
              "expression": ("head.expression", lambda: new_expression_network(0)),
              "regions": ("head.regions", lambda: new_region_network(0))}
    for name, run in runs.items():
        section, make = makers[name]
        network = make()
        network.load_state_dict(averaged_state(run))
        tensors, full_precision = dict(network.state_dict()), ()
        if name == "identity":
            tensors["identity_basis"] = torch.from_numpy(identity_basis(face_kit))
            full_precision = ("anchor_mean",)
        if name == "expression":
            tensors["expression_basis"] = torch.from_numpy(expression_basis())
            full_precision = ("expression_basis",)
        merge_section(bundle, section, asdict(network.config), tensors, full_precision)
        _record_field(bundle)


def export_template(face_kit: FaceKit, bundle: Path) -> None:
    """Merge the fixed topology into a bundle."""
    merge_section(bundle, "head.template", {}, template_tensors(HeadTopology(face_kit)), POSITION_KEYS)
    _record_field(bundle)


def _record_field(bundle: Path) -> None:
    """Write the mask and the box that the networks were trained with into the bundle's configuration."""
    path = bundle / "config.json"
    config = json.loads(path.read_text("utf-8"))
    config["head"]["smoothing"] = asdict(SMOOTHING)
    config["head"]["box"] = [BOX_MINIMUM.tolist(), BOX_MAXIMUM.tolist()]
    path.write_text(json.dumps(config, indent=1) + "\n", "utf-8")
