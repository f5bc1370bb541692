"""Muon, an optimizer for the matrices of hidden layers (Jordan et al. 2024), here also for stacks of them.

torch.optim.Muon takes single matrices alone; the identity network keeps its members' matrices in stacks.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic iteration that brings singular values near one
ITERATIONS = 5
MOMENTUM = 0.95
# An orthogonal update of this size has the root mean square of Adam's (Liu et al. 2025), so both share a learning rate.
UPDATE_SIZE = 0.2


class Muon(torch.optim.Optimizer):
    """Momentum whose update is replaced by the nearest orthogonal matrix.

    parameters: tensors (..., rows, columns); the leading dimensions count matrices. learning_rate: as Adam's.
    """

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float = 1e-3):
        super().__init__(parameters, {"lr": learning_rate})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient. closure: there is none."""
        for group in self.param_groups:
            for parameter in (parameter for parameter in group["params"] if parameter.grad is not None):
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                state["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
                update = orthogonalised(parameter.grad.lerp(state["momentum"], MOMENTUM))
                parameter.sub_(update, alpha=group["lr"] * UPDATE_SIZE * max(parameter.shape[-2:]) ** 0.5)


def orthogonalised(matrices: Tensor) -> Tensor:
    """Matrices (..., rows, columns) with their singular values brought to between about 0.7 and 1.2."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    values = matrices.mT if tall else matrices
    values = values / (values.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    first, third, fifth = COEFFICIENTS
    for _ in range(ITERATIONS):
        squared = values @ values.mT
        values = first * values + (third * squared + fifth * squared @ squared) @ values
    return values.mT if tall else values
