"""Reads files of others: weights, settings, arrays. Nothing in them is ever run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from ..hostile_weights import LARGEST_SETTINGS, ForeignObjects, read_safetensors, read_torch, read_yaml
from ..shared.errors import EngineError
from ..shared.hostile_files import UNREADABLE, read_npy

LARGEST_ANCHORS = 1 << 20


def read_checkpoint(path: Path) -> dict:
    """The dictionary of a PyTorch checkpoint or a safetensors file, on the CPU.

    Raises EngineError when the file is missing, damaged, no dictionary, or holds anything but plain weights.
    """
    if not path.is_file():
        raise EngineError(f"There is no file {path}; choose the weights as their authors publish them.")
    try:
        checkpoint = read_safetensors(path) if path.suffix == ".safetensors" else read_torch(path)
    except ForeignObjects as error:
        raise EngineError(
            f"{path} holds objects that would run code, so it was not opened; get the weights from their authors."
        ) from error
    except (SafetensorError, *UNREADABLE) as error:
        raise EngineError(
            f"{path} is damaged, incomplete or no file of weights ({error}); get it from its authors again."
        ) from error
    if not isinstance(checkpoint, dict):
        raise EngineError(f"{path} has no named weights; choose a checkpoint as its authors publish it.")
    return checkpoint


def named_tensors(weights: object, path: Path) -> dict[str, Tensor]:
    """Checkpoint entries as float32 tensors by name.

    Raises EngineError when there is anything else among them, NaN or infinity.
    """
    if not isinstance(weights, dict) or not weights:
        raise EngineError(f"{path} has no named weights; choose a checkpoint as its authors publish it.")
    for name, value in weights.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise EngineError(f"{path} holds something else than weights in '{name}'; get it from its authors again.")
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise EngineError(f"{path} holds NaN or infinity in '{name}'; get it from its authors again.")
    return {name: value.float().clone() for name, value in weights.items()}


def read_settings(path: Path) -> dict:
    """The settings of a YAML file. Raises EngineError when it is missing, no mapping, or asks for foreign objects."""
    if not path.is_file():
        raise EngineError(f"{path} is missing; it is published with the weights and says how networks are blended.")
    if path.stat().st_size > LARGEST_SETTINGS:
        raise EngineError(f"{path} is too large to be a model's settings; choose the one published with the weights.")
    try:
        settings = read_yaml(path)
    except ForeignObjects as error:
        raise EngineError(
            f"{path} asks for objects that are not plain settings ({error}), so it was not used; "
            "choose the one published with the weights."
        ) from error
    except UNREADABLE as error:
        raise EngineError(f"{path} is not valid YAML ({error}); choose the one published with the weights.") from error
    if not isinstance(settings, dict):
        raise EngineError(f"{path} has no settings; choose the one published with the weights.")
    return settings


def read_anchors(path: Path) -> Tensor:
    """Mean anchors (n, 3) of a .npy file. Raises EngineError when it holds anything else."""
    try:
        anchors = read_npy(path, LARGEST_ANCHORS)
    except UNREADABLE as error:
        raise EngineError(f"{path} is not a readable array; choose anchors_<n>.npy of the official assets.") from error
    wrong = not isinstance(anchors, np.ndarray) or anchors.dtype.kind not in "fiu" or anchors.ndim != 2
    if wrong or not np.isfinite(anchors).all():
        raise EngineError(
            f"{path} does not hold finite anchor positions; choose anchors_<n>.npy of the official assets."
        )
    return torch.from_numpy(anchors.astype(np.float64))
