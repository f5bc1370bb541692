"""Weight files that only the user can supply: read as plain tensors, nothing in them is run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from engine.shared.errors import EngineError

Network = TypeVar("Network", bound=nn.Module)
LARGEST_BYTES = 1 << 30


def load_weights(path: Path, network: Network, what: str) -> Network:
    """Put the weights of a file into a network, ready to evaluate.

    what: name of the file that fits, for the sentence. Raises EngineError for any other file.
    """
    network.load_state_dict(_fitting(path, network, what))
    return network.eval().requires_grad_(False)


def _fitting(path: Path, network: nn.Module, what: str) -> dict[str, Tensor]:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise EngineError(f"{path} is too large to be {what}; choose another file.")
        states = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise EngineError(f"There is no {path}; place {what} there.") from error
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise EngineError(f"{path} is damaged or holds more than tensors; get {what} again.") from error
    wanted = network.state_dict()
    if not isinstance(states, dict):
        raise EngineError(f"{path} holds no named tensors; it should be {what}.")
    for name, tensor in wanted.items():
        found = states.get(name)
        if name.endswith("num_batches_tracked") and found is None:
            states[name] = tensor  # files of early PyTorch have no such counters
        elif not isinstance(found, Tensor) or found.shape != tensor.shape:
            raise EngineError(f"{path} does not fit at {name}; it should be {what}.")
    return {name: states[name] for name in wanted}
