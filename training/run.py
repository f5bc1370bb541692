"""What every training here shares: a time budget, checkpoints to resume from, averaged weights, a log."""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn


@dataclass
class TrainingRun:
    """One run folder: `config.json`, `checkpoint.pt`, `log.jsonl` and `export/`.

    folder: where the run lives. minutes: time budget over all resumed sessions together.
    steps: budget in optimiser steps, in the place of the time budget, so that runs can be compared.
    """

    folder: Path
    minutes: float = math.inf
    step: int = 0
    seconds: float = 0.0
    steps: int | None = None
    _started: float = field(default_factory=time.monotonic)

    def write_config(self, config: dict) -> None:
        """Record how the run was started."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")

    @property
    def elapsed(self) -> float:
        """Seconds trained, earlier sessions included."""
        return self.seconds + time.monotonic() - self._started

    @property
    def progress(self) -> float:
        """Share of the budget that is used, 0 to 1."""
        used = self.elapsed / (60 * self.minutes) if self.steps is None else self.step / self.steps
        return min(used, 1.0)

    def learning_rate(self, peak: float, warm_up_steps: int) -> float:
        """Linear warm-up over steps, then a cosine over the budget down to 2 % of the peak.

        A budget of steps is warmed up over a tenth of it at most.
        """
        if self.steps is not None:
            warm_up_steps = min(warm_up_steps, math.ceil(self.steps / 10))
        cosine = 0.5 + 0.5 * math.cos(math.pi * self.progress)
        return peak * min(1.0, (self.step + 1) / warm_up_steps) * (0.02 + 0.98 * cosine)

    def log(self, **values: float) -> None:
        """Append one line to the log."""
        entry = {"step": self.step, "minutes": round(self.elapsed / 60, 2)}
        entry |= {name: round(float(value), 5) for name, value in values.items()}
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def save(self, **states: dict) -> None:
        """Write the checkpoint: the state dicts of the networks and optimisers, the step and the time used."""
        temporary = self.folder / "checkpoint.pt.part"
        torch.save({"step": self.step, "seconds": self.elapsed, **states}, temporary)
        temporary.replace(self.folder / "checkpoint.pt")

    def resume(self) -> dict | None:
        """Start the clock; the states of the last checkpoint, its step and time taken over, or None for a new run."""
        self._started = time.monotonic()
        path = self.folder / "checkpoint.pt"
        if not path.is_file():
            return None
        states = torch.load(path, map_location="cpu", weights_only=True)
        self.step, self.seconds = states.pop("step"), states.pop("seconds")
        return states


def training_parser(description: str, minutes: float, learning_rate: float) -> argparse.ArgumentParser:
    """Options that every training on recordings has. minutes, learning_rate: the default time budget and peak."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="data folder")
    parser.add_argument("--output", type=Path, required=True, help="run folder; an existing run is continued")
    parser.add_argument("--minutes", type=float, default=minutes, help="time budget of the whole run")
    parser.add_argument("--start", type=Path, help="bundle from whose weights a new run begins")
    parser.add_argument("--learning-rate", type=float, default=learning_rate, help="peak")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--cache", type=Path, help="decoded audio; default RUN/cache")
    parser.add_argument("--synthesised", type=int, default=3600, help="sentences spoken by natural voices")
    return parser


def start_run(arguments: argparse.Namespace, constants: dict) -> TrainingRun:
    """The run of parsed options, its settings and the training's `constants` recorded."""
    run = TrainingRun(arguments.output, arguments.minutes)
    settings = {"minutes": arguments.minutes, "seed": arguments.seed, "synthesised": arguments.synthesised}
    settings["peak_learning_rate"] = arguments.learning_rate
    run.write_config(settings | constants)
    return run


class AveragedWeights:
    """Exponential moving average of a network's parameters, warmed up so that early steps do not linger."""

    def __init__(self, network: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self.state = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the network after optimiser step number `step`."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                self.state[name].lerp_(tensor, 1 - decay)
            else:
                self.state[name].copy_(tensor)

    def load(self, state: dict[str, Tensor]) -> None:
        """Continue from a checkpoint's average."""
        self.state = {name: tensor.clone() for name, tensor in state.items()}
