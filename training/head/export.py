"""Put trained networks into a model bundle."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch

from engine.bundle import merge_section
from engine.motion.codes import expression_basis
from training.head.ground_truth import HeadTopology
from training.head.ict import FaceKit
from training.head.identity_code import identity_basis
from training.head.loop import averaged_state
from training.head.networks import SMOOTHING, new_expression_network, new_identity_network
from training.head.sampling import BOX_MAXIMUM, BOX_MINIMUM
from training.head.template import POSITION_KEYS, template_tensors
from training.head.train_regions import new_region_network


def export_networks(face_kit: FaceKit, bundle: Path, runs: dict[str, Path]) -> None:
    """Merge the averaged networks of run folders ('identity', 'expression', 'regions') into a bundle."""
    makers = {
        "identity": ("head.identity", lambda: new_identity_network(face_kit, 0)),
        "expression": ("head.expression", lambda: new_expression_network(0)),
        "regions": ("head.regions", lambda: new_region_network(0)),
    }
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
