"""The training loop that every network of the head shares: optimizers, cosine decay, averages, exact resumption."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from training.muon import Muon

WARM_UP_ITERATIONS = 50
AVERAGE_DECAY = 0.999


@dataclass
class LoopOptions:
    """How long and how fast to train.

    Attributes:
        iterations: length of the cosine decay.
        minutes: wall-clock budget over all resumptions; when it runs out first, the decay ends with it. None = no
            budget, and then a run is reproducible: an interrupted one ends with the same parameters.
        learning_rate: peak; decays to a hundredth.
        seed: of the initial parameters and of the batches.
        checkpoint_minutes: a checkpoint is written at least this often, and at the end.
    """

    iterations: int
    minutes: float | None = None
    learning_rate: float = 1e-3
    seed: int = 0
    checkpoint_minutes: float = 3.0


def resolve_device(name: str) -> torch.device:
    """'auto' is the GPU where there is one, else the CPU."""
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


def train(
    network: nn.Module,
    loss_of_iteration: Callable[[int], dict[str, Tensor]],
    output: Path,
    options: LoopOptions,
    matrices: Sequence[nn.Parameter] = (),
    stop_after: int | None = None,
) -> dict[str, Tensor]:
    """Train `network` and return its averaged state.

    loss_of_iteration: losses by name for an iteration number; their sum is minimised. It must draw its batch from
        that number alone, so that a resumed run sees the same batches.
    output: run folder; `checkpoint.pt` in it is resumed from and written to, `log.jsonl` is appended to.
    matrices: parameters of `network` that Muon trains; Adam trains the others.
    stop_after: leave after this many iterations of this call, as an interruption would.
    """
    output.mkdir(parents=True, exist_ok=True)
    optimizers = _optimizers(network, matrices, options.learning_rate)
    average = {key: value.detach().clone() for key, value in network.state_dict().items()}
    iteration, elapsed = _resume(network, optimizers, average, output / "checkpoint.pt")
    (output / "loop.json").write_text(json.dumps(asdict(options), indent=1) + "\n", "utf-8")
    started, saved, first = time.monotonic() - 60 * elapsed, time.monotonic(), iteration
    means: dict[str, float] = {}
    while iteration < options.iterations and (stop_after is None or iteration - first < stop_after):
        elapsed = (time.monotonic() - started) / 60
        progress = max(iteration / options.iterations, elapsed / options.minutes if options.minutes else 0.0)
        if progress >= 1.0:
            break
        losses = loss_of_iteration(iteration)
        network.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = options.learning_rate * _schedule(progress, iteration)
            optimizer.step()
        iteration += 1
        _average(average, network, min(AVERAGE_DECAY, (1 + iteration) / (10 + iteration)))
        for name, value in losses.items():
            means[name] = 0.98 * means.get(name, float(value.detach())) + 0.02 * float(value.detach())
        if iteration % 50 == 0:
            _log(output / "log.jsonl", {"iteration": iteration, "minutes": round(elapsed, 2), **means})
        if time.monotonic() - saved > 60 * options.checkpoint_minutes:
            _save(network, optimizers, average, iteration, elapsed, output / "checkpoint.pt")
            saved = time.monotonic()
    _save(network, optimizers, average, iteration, (time.monotonic() - started) / 60, output / "checkpoint.pt")
    return average


def averaged_state(output: Path) -> dict[str, Tensor]:
    """The averaged parameters of a run's last checkpoint."""
    return torch.load(output / "checkpoint.pt", map_location="cpu", weights_only=True)["average"]


def _optimizers(network: nn.Module, matrices: Sequence[nn.Parameter], rate: float) -> list[torch.optim.Optimizer]:
    chosen = {id(parameter) for parameter in matrices}
    others = [parameter for parameter in network.parameters() if id(parameter) not in chosen]
    adam = torch.optim.Adam(others, lr=rate, betas=(0.9, 0.99))
    return [adam, Muon(matrices, rate)] if matrices else [adam]


def _schedule(progress: float, iteration: int) -> float:
    warm_up = min(1.0, (iteration + 1) / WARM_UP_ITERATIONS)
    return warm_up * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


@torch.no_grad()
def _average(average: dict[str, Tensor], network: nn.Module, decay: float) -> None:
    for key, value in network.state_dict().items():
        average[key].lerp_(value, 1 - decay)


def _resume(
    network: nn.Module, optimizers: list[torch.optim.Optimizer], average: dict[str, Tensor], path: Path
) -> tuple[int, float]:
    """Load a checkpoint in place where there is one; iterations done and minutes spent."""
    if not path.is_file():
        return 0, 0.0
    checkpoint = torch.load(path, map_location=next(network.parameters()).device, weights_only=True)
    network.load_state_dict(checkpoint["network"])
    for optimizer, state in zip(optimizers, checkpoint["optimizers"], strict=True):
        optimizer.load_state_dict(state)
    for key, value in checkpoint["average"].items():
        average[key].copy_(value)
    return checkpoint["iteration"], checkpoint["minutes"]


def _save(
    network: nn.Module,
    optimizers: list[torch.optim.Optimizer],
    average: dict[str, Tensor],
    iteration: int,
    minutes: float,
    path: Path,
) -> None:
    temporary = path.with_suffix(".part")
    torch.save(
        {
            "network": network.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
            "average": average,
            "iteration": iteration,
            "minutes": minutes,
        },
        temporary,
    )
    temporary.replace(path)


def _log(path: Path, record: dict) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({key: round(value, 7) for key, value in record.items()}) + "\n")
