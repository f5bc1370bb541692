"""A network with what trains it: one step down the gradient, the average of its weights, and the state of all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from engine.shared.errors import EngineError
from training.run.many import mean_gradients


class Learner:
    """A network, the optimisers of its parameters and the exponential moving average of its weights."""

    def __init__(self, network: nn.Module, optimisers: Sequence[torch.optim.Optimizer], average_decay: float) -> None:
        self.network, self.optimisers = network.train(), optimisers
        self._average = AveragedModel(network, multi_avg_fn=_moving_average(average_decay))
        # The initial weights count; else the average would begin with those after the first step.
        self._average.n_averaged.fill_(1)

    @property
    def average(self) -> nn.Module:
        """The network with the averaged weights."""
        return self._average.module

    def descend(self, loss: Tensor, learning_rate: float, largest_gradient: float) -> None:
        """One step of every optimiser down the gradient of `loss`, clipped to a norm; none when it is not finite."""
        self.network.zero_grad(set_to_none=True)
        loss.backward()
        mean_gradients(self.network)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), largest_gradient)
        for optimiser in self.optimisers if norm.isfinite() else ():
            for group in optimiser.param_groups:
                group["lr"] = learning_rate
            optimiser.step()
        self._average.update_parameters(self.network)

    def state(self) -> dict:
        """What `load` continues from."""
        return {
            "network": self.network.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "average": self.average.state_dict(),
        }

    def load(self, state: dict, steps: int) -> None:
        """Continue after `steps` steps. Raises KeyError, RuntimeError or ValueError when the state does not fit."""
        self.network.load_state_dict(state["network"])
        for optimiser, values in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(values)
        self.average.load_state_dict(state["average"])
        self._average.n_averaged.fill_(1 + steps)


def load_weights(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Load the weights that a new run starts from. Raises EngineError when they are of other sizes."""
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise EngineError("The network of the bundle to start from has other sizes; choose another --start.") from error


def _moving_average(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """An update for AveragedModel whose decay grows to `decay`, so that early steps do not linger."""

    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        share = 1 - min(decay, (1 + int(count)) / (10 + int(count)))
        for average, weights in zip(averaged, current, strict=True):
            average.lerp_(weights, share)

    return update
