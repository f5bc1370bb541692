"""Networks made from sizes and weights that others wrote: what does not fit is refused before memory is spent on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor

from .shared.errors import EngineError

Network = TypeVar("Network", bound=torch.nn.Module)
MISFITS = (TypeError, ValueError, KeyError, AttributeError, IndexError, RuntimeError, OverflowError)
LARGEST_NUMBER = 1 << 15
LARGEST = {"layers": 64, "anchors": 512, "octaves": 24, "symmetric_pairs": 256, "neighbours": 512, "code_rate": 1000}


def check_sizes(section: Mapping) -> None:
    """Raises ValueError for numbers of a config's section that no network has."""
    for name, value in section.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            largest = LARGEST.get(name, LARGEST_NUMBER)
            if not math.isfinite(value) or not 0 <= value <= largest:
                raise ValueError(f"{name} is {str(value)[:20]}, not 0 to {largest}")


def build(make: Callable[[], Network], tensors: Mapping[str, Tensor], file_name: str) -> Network:
    """The network that `make` makes, with its weights.

    make: called twice, first without memory, to compare shapes. Raises EngineError when keys or shapes do not fit.
    """
    with torch.device("meta"):
        expected = {key: tuple(value.shape) for key, value in make().state_dict().items()}
    found = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            reason = f"'{key}' has shape {found.get(key, 'none')} instead of {expected.get(key, 'none')}"
            raise EngineError(f"{file_name} does not fit the bundle's config.json: {reason}")
    network = make()
    try:
        network.load_state_dict(dict(tensors))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise EngineError(f"{file_name} does not fit the bundle's config.json: {reason}") from error
    return network
