"""Scalars of a run as event files, which TensorBoard shows, and Weights & Biases with `sync_tensorboard`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from training.run.many import rank


def scalar_writer(folder: Path) -> Callable[[int, dict[str, float]], None] | None:
    """What writes to `folder/tensorboard`; None where the tensorboard package is not installed."""
    if rank():
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    writer = SummaryWriter(str(folder / "tensorboard"))

    def write(step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    return write
