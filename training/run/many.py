"""One training in several processes, each with its own GPU and its share of every batch, as `torchrun` starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed, nn


@contextmanager
def one_of_many(device: torch.device) -> Iterator[torch.device]:
    """Join the processes that `torchrun` started, and give each its GPU; without it nothing happens."""
    if "LOCAL_RANK" not in os.environ:
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        distributed.destroy_process_group()


def rank() -> int:
    """Number of this process, 0 for the only one."""
    return distributed.get_rank() if _many() else 0


def mine(batch: Tensor) -> Tensor:
    """This process's share of the rows of a batch, which all processes draw alike."""
    return batch[distributed.get_rank() :: distributed.get_world_size()] if _many() else batch


def mean_gradients(network: nn.Module) -> None:
    """Give all processes the mean of their gradients, so that their weights stay the same."""
    if not _many():
        return
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def _many() -> bool:
    return distributed.is_available() and distributed.is_initialized()
