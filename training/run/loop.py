"""A training run: a budget of steps or minutes, a schedule, checkpoints that resume exactly, averaged weights, a log.

A training says what a batch is and what its loss is; `Run.train` does the rest.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from engine.shared.errors import EngineError
from engine.shared.files import replaced
from training.run.learner import Learner
from training.run.many import rank

Network = TypeVar("Network", bound=nn.Module)
# Maps the number of a step to what is minimised and what is logged. The batch follows from that number and the run's
# seed alone, so that a run that was stopped goes on with the batches that it would have had.
Loss = Callable[[int], tuple[Tensor, dict[str, Tensor]]]


CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Recipe:
    """What all runs of one kind of training share.

    Attributes:
        warm_up_steps: over which the learning rate rises to its peak; a tenth of a budget of steps at most.
        final_rate: share of the peak at which the cosine decay ends; 1 keeps the rate as it is.
        largest_gradient: norm to which gradients are clipped.
        average_decay: of the moving average of the weights.
        save_every, log_every: steps.
    """

    warm_up_steps: int = 50
    final_rate: float = 0.01
    largest_gradient: float = 1.0
    average_decay: float = 0.999
    save_every: int = 200
    log_every: int = 50


@dataclass
class Run:
    """One run folder: `config.json`, `checkpoint.pt`, `log.jsonl` and what the training exports.

    Attributes:
        folder: where the run lives.
        learning_rate: peak.
        steps, minutes: budget over all sessions together; the run ends when one of them is used up. Only a budget of
            steps alone is reproducible.
        seed: of the initial weights, the batches and dropout.
        figures: numbers that go with the checkpoint, such as the best validation so far.
        step: optimiser steps made.
        scalars: is told what is logged, too.
    """

    folder: Path
    learning_rate: float
    steps: int | None = None
    minutes: float | None = None
    seed: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    step: int = 0
    scalars: Callable[[int, dict[str, float]], None] | None = None
    _seconds: float = 0.0
    _started: float = field(default_factory=time.monotonic)

    def write_config(self, settings: dict) -> None:
        """Record how the run was started: its own settings and those of the training."""
        own = {name: getattr(self, name) for name in ("steps", "minutes", "learning_rate", "seed")}
        if rank():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "config.json").write_text(json.dumps(own | settings, indent=1) + "\n", "utf-8")

    @property
    def begun(self) -> bool:
        """Whether the folder has a checkpoint, from which `train` goes on."""
        return (self.folder / CHECKPOINT).is_file()

    @property
    def elapsed(self) -> float:
        """Seconds trained, earlier sessions included."""
        return self._seconds + time.monotonic() - self._started

    @property
    def progress(self) -> float:
        """Share of the budget that is used, 0 to 1."""
        by_steps = 0.0 if self.steps is None else self.step / self.steps
        by_time = 0.0 if self.minutes is None else self.elapsed / (60 * self.minutes)
        return min(max(by_steps, by_time), 1.0)

    def train(
        self,
        network: Network,
        optimisers: Sequence[torch.optim.Optimizer],
        loss: Loss,
        recipe: Recipe,
        at_checkpoint: Callable[[Network], dict[str, float] | None] | None = None,
    ) -> Network:
        """Train from the last checkpoint on until the budget is used; the network with averaged weights.

        optimisers: together they hold the parameters that are trained; the schedule sets their learning rates.
        at_checkpoint: called with the averaged network before every checkpoint, to export or measure it; its figures
            are logged.

        Raises EngineError when the checkpoint is of another network.
        """
        learner = Learner(network, optimisers, recipe.average_decay)
        saved = self._resume(learner)
        means = _RunningMeans()
        while self.progress < 1.0:
            rate = self._rate(recipe)
            torch.manual_seed(step_seed(self.seed, self.step))  # of dropout
            minimised, values = loss(self.step)
            learner.descend(minimised, rate, recipe.largest_gradient)
            self.step += 1
            means.add(values)
            if self.step % recipe.log_every == 0:
                self.log(**means.values, rate=rate)
            if self.step % recipe.save_every == 0:
                saved = self._save(learner, at_checkpoint)
        if self.step != saved:
            self._save(learner, at_checkpoint)
        return cast(Network, learner.average)

    def log(self, **values: float | Tensor) -> None:
        """Append one line to the log."""
        if rank():  # the first process logs for all
            return
        if self.scalars is not None:
            self.scalars(self.step, {name: float(value) for name, value in values.items()})
        entry = {"step": self.step, "minutes": round(self.elapsed / 60, 2)}
        entry |= {name: round(float(value), 7) for name, value in values.items()}
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def _rate(self, recipe: Recipe) -> float:
        """Linear warm-up over steps, then a cosine over the budget."""
        warm_up = recipe.warm_up_steps if self.steps is None else min(recipe.warm_up_steps, math.ceil(self.steps / 10))
        rise = min(1.0, (self.step + 1) / max(warm_up, 1))
        cosine = 0.5 + 0.5 * math.cos(math.pi * self.progress)
        return self.learning_rate * rise * (recipe.final_rate + (1 - recipe.final_rate) * cosine)

    def _resume(self, learner: Learner) -> int | None:
        """Continue from the checkpoint and start the clock; the step of the checkpoint, None for a new run."""
        path = self.folder / CHECKPOINT
        resumed = path.is_file()
        if resumed:
            try:
                states = torch.load(path, map_location="cpu", weights_only=True)
                learner.load(states, states["step"])
                self.step, self._seconds, self.figures = states["step"], states["seconds"], states["figures"]
            except (KeyError, RuntimeError, ValueError) as error:
                raise EngineError(
                    f"The run in {self.folder} was begun with another network, or one for other codes or features; "
                    "choose another --output."
                ) from error
        self.folder.mkdir(parents=True, exist_ok=True)
        self._started = time.monotonic()
        return self.step if resumed else None

    def _save(self, learner: Learner, at_checkpoint: Callable[[Network], dict[str, float] | None] | None) -> int:
        """Export and write the checkpoint, which comes last: a stop in between repeats the export."""
        if rank():
            return self.step
        if at_checkpoint is not None and (figures := at_checkpoint(cast(Network, learner.average))):
            self.log(**figures)
        with replaced(self.folder / CHECKPOINT) as part:
            own = {"step": self.step, "seconds": self.elapsed, "figures": self.figures}
            torch.save(own | learner.state(), part)
        return self.step


class _RunningMeans:
    """Means of logged values over about the last fifty steps; NaN, where there was nothing to measure, is left out."""

    def __init__(self) -> None:
        self.values: dict[str, Tensor] = {}

    def add(self, values: dict[str, Tensor]) -> None:
        """Take in the values of one step."""
        for name, value in values.items():
            value = value.detach()
            mean = self.values.get(name, value)
            mean = torch.where(mean.isnan(), value, mean)
            self.values[name] = torch.where(value.isnan(), mean, 0.98 * mean + 0.02 * value)


def step_seed(seed: int, step: int) -> int:
    """Seed of the random numbers of one step."""
    return seed * 1_000_003 + step


def run_config(folder: Path) -> dict:
    """What `Run.write_config` recorded of a run. Raises EngineError when the folder has nothing of the kind."""
    try:
        config: dict = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise EngineError(f"{folder} is not the folder of a training run; choose another.") from error
    return config


def averaged_weights(folder: Path) -> dict[str, Tensor]:
    """The averaged weights of a run's last checkpoint. Raises EngineError when the folder has none."""
    path = folder / CHECKPOINT
    if not path.is_file():
        raise EngineError(f"{folder} has no checkpoint; name the --output folder of a training run.")
    return torch.load(path, map_location="cpu", weights_only=True)["average"]
