"""The devices that networks run on."""

from __future__ import annotations

import platform

import torch

from .shared.errors import EngineError


def choose_device(name: str) -> torch.device:
    """The torch device for "auto", "cpu", "cuda" or "cuda:N". Raises EngineError when it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise EngineError(f"Unknown device '{name}'; use auto, cpu or cuda.") from error
    if device.type not in ("cpu", "cuda"):
        raise EngineError(f"Device '{name}' is not supported; use auto, cpu or cuda.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise EngineError(f"Device '{name}' is not available on this machine; use auto or cpu.")
    return device


def device_name(device: torch.device) -> str:
    """What the maker calls a device, as far as the system knows."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()
