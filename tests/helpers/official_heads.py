"""Heads of the golden fixtures: small checkpoints in the official layout, and full sizes with regenerated weights."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
import yaml
from repository import PARITY

from engine.head import NeuralHead
from engine.head.networks.official import networks_from_forward, networks_from_official

SMALL = {"nphm_backward_small": "checkpoint_epoch_6000.tar", "mononphm_small": "checkpoint_epoch_2500.tar"}
FORWARD_SMALL, FORWARD_FULL = "nphm_forward_small", "nphm_forward_fulldims"
FULL = {
    FORWARD_FULL: "nphm_forward (SimonGiebenhain/NPHM)",
    "nphm_backward_fulldims": "nphm_backward (tangjiapeng/DPHM, FaceTalk fit)",
    "mononphm_fulldims": "mononphm (SimonGiebenhain/MonoNPHM)",
}


def load(name: str) -> tuple[NeuralHead, dict[str, np.ndarray]]:
    """The head and the reference numbers of one fixture."""
    return _load_full(name) if name in FULL else _load_small(name)


def checkpoint(name: str) -> dict:
    """The checkpoint dictionary of a small fixture."""
    return torch.load(PARITY / name / "checkpoints" / SMALL[name], weights_only=True)


def forward_weights(part: str) -> dict:
    """The decoder weights of a part ("identity", "expression") of the small forward fixture."""
    (file,) = (PARITY / FORWARD_SMALL / part / "checkpoints").glob("*.tar")
    return torch.load(file, weights_only=True)["decoder_state_dict"]


def _load_small(name: str) -> tuple[NeuralHead, dict[str, np.ndarray]]:
    meta = json.loads((PARITY / name / "meta.json").read_text())
    anchors = torch.from_numpy(np.load(PARITY / name / f"anchors_{meta['n_anchors']}.npy", allow_pickle=False))
    if name == FORWARD_SMALL:
        networks = networks_from_forward(forward_weights("identity"), forward_weights("expression"), anchors)
    else:
        networks = networks_from_official(checkpoint(name), anchors, meta["k_neighbours"], meta["blend_std"])
    return NeuralHead(*networks), dict(np.load(PARITY / name / "io.npz", allow_pickle=False))


def full_size_folder(name: str, folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """A model of the full official size written as its authors publish it, and its reference numbers."""
    reference, meta, weights = _full_size(name)
    if name == FORWARD_FULL:
        for part, kind in (("id", "identity"), ("ex", "expression")):
            (folder / kind / "checkpoints").mkdir(parents=True)
            state = {"epoch": 1, "decoder_state_dict": weights[part]}
            torch.save(state, folder / kind / "checkpoints" / "checkpoint_epoch_1.tar")
    else:
        (folder / "checkpoints").mkdir(parents=True)
        state = {f"{part}_decoder": values for part, values in weights.items()}
        torch.save(state, folder / "checkpoints" / "checkpoint_epoch_1.tar")
        settings = {"decoder": {"id": {"nneigh": meta["k_neighbours"], "blend_std": meta["blend_std"]}}}
        (folder / "configs.yaml").write_text(yaml.safe_dump(settings))
    np.save(folder / f"anchors_{meta['n_anchors']}.npy", reference["anchors_mean"])
    return folder, reference


def _load_full(name: str) -> tuple[NeuralHead, dict[str, np.ndarray]]:
    reference, meta, weights = _full_size(name)
    anchors = torch.from_numpy(reference["anchors_mean"])
    if name == FORWARD_FULL:
        networks = networks_from_forward(weights["id"], weights["ex"], anchors)
    else:
        decoders = {f"{part}_decoder": values for part, values in weights.items()}
        networks = networks_from_official(decoders, anchors, meta["k_neighbours"], meta["blend_std"])
    return NeuralHead(*networks), reference


def _full_size(name: str) -> tuple[dict[str, np.ndarray], dict, dict[str, dict[str, torch.Tensor]]]:
    reference = dict(np.load(PARITY / f"{name}.npz", allow_pickle=False))
    meta = json.loads(str(reference["meta"]))
    shapes = json.loads((PARITY / "state_dict_shapes.json").read_text())[FULL[name]]
    weights = {
        part[:2]: _generate(
            shapes[part], int(reference[f"weight_seed_{part[:2]}"]), str(reference[f"sha256_{part[:2]}"])
        )
        for part in shapes
    }
    return reference, meta, weights


def _generate(shapes: dict[str, list[int]], seed: int, digest: str) -> dict[str, torch.Tensor]:
    """Weights from the fixtures' documented random stream, checked against their hash."""
    random, total, weights = np.random.RandomState(seed), hashlib.sha256(), {}
    for key in sorted(shapes):
        values = (random.standard_normal(shapes[key]) * _deviation(key, shapes[key])).astype(np.float32)
        total.update(values.tobytes())
        weights[key] = torch.from_numpy(values)
    assert total.hexdigest() == digest
    return weights


def _deviation(key: str, shape: list[int]) -> float:
    last_local = key.endswith((".layers.8.weight", ".layers.8.bias", "deep_sdf.lin4.weight", "deep_sdf.lin4.bias"))
    if key.endswith("bias"):
        special = {"mlp_pos.4.bias": 0.01, "defDeepSDF.lin6.bias": 0.02}
        return special.get(key, 0.05 if last_local else 0.1)
    gains = {"mlp_pos.4.weight": 0.15, "defDeepSDF.lin6.weight": 0.30, "compressor.0.weight": 1.0}
    return gains.get(key, 1.0 if last_local else 1.4142135) / np.sqrt(shape[-1])
