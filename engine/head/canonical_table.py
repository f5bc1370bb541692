"""A function of canonical space that depends on the identity alone, tabulated where it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from threading import Lock

import torch
from torch import Tensor
from torch.nn import functional

from ..shared.units import MILLIMETRES_PER_UNIT

SPACING = 1.5 / MILLIMETRES_PER_UNIT
# A call adds no more than one node for so many points, so that no frame waits for the whole table.
POINTS_A_NODE = 4


class CanonicalTable:
    """Values (P, K) of a function at points (P, 3), linear between nodes of a grid over a box.

    A cell's nodes are evaluated when a point falls into it, few at a time (`POINTS_A_NODE`); points in cells that are
    not complete, or outside the box, get the function itself. Threads may share a table.
    """

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        low: Sequence[float],
        high: Sequence[float],
        device: torch.device | str = "cpu",
    ):
        self.function = function
        self.low = torch.tensor(low, device=device)
        self.size = [int((b - a) / SPACING) + 2 for a, b in zip(low, high, strict=True)]
        self.row = torch.full((self.size[0] * self.size[1] * self.size[2],), -1, dtype=torch.int32, device=device)
        self.rows, self.adding = 0, Lock()
        self.values = torch.empty(0, 0, device=device)
        self.last_cell = torch.tensor(self.size, device=device) - 2
        steps = self.size[1] * self.size[2], self.size[2], 1
        corners = [sum(a * b for a, b in zip(corner, steps, strict=True)) for corner in product((0, 1), repeat=3)]
        self.corners = torch.tensor(corners, device=device)  # (8,)

    def __call__(self, points: Tensor) -> Tensor:
        """The function's values (P, K)."""
        places = (points - self.low) / SPACING
        cell = places.floor()
        within = ((cell >= 0) & (cell <= self.last_cell)).all(1)
        nodes = self._nodes(cell.long().clamp_min(0).minimum(self.last_cell))  # (P, 8)
        with self.adding:
            self._add(nodes[within], int(len(points) / POINTS_A_NODE))
        rows = self.row[nodes]
        complete = within & (rows >= 0).all(1)
        inside, outside = torch.nonzero(complete)[:, 0], torch.nonzero(~complete)[:, 0]
        if not len(inside):
            return self.function(points)
        result = self.values.new_empty(len(points), self.values.shape[1])
        if len(outside):
            result[outside] = self.function(points[outside])
        share = (places - cell)[inside]
        pairs = torch.stack([1 - share, share], 2)  # (Q, 3, 2)
        weight = (pairs[:, 0, :, None, None] * pairs[:, 1, None, :, None] * pairs[:, 2, None, None]).flatten(1)
        result[inside] = functional.embedding_bag(
            rows[inside].long(), self.values, mode="sum", per_sample_weights=weight
        )
        return result

    def _nodes(self, cell: Tensor) -> Tensor:
        """Numbers (P, 8) of the nodes around cells (P, 3)."""
        x, y, z = cell.T
        return ((x * self.size[1] + y) * self.size[2] + z)[:, None] + self.corners

    def _add(self, nodes: Tensor, most: int) -> None:
        """Complete some of the cells with nodes (P, 8) by at most `most` nodes."""
        lacking = nodes[(self.row[nodes] < 0).any(1)][: most // 4]  # cells share nodes
        number = lacking[self.row[lacking] < 0].unique()[:most]
        if not len(number):
            return
        layer = self.size[1] * self.size[2]
        place = torch.stack([number // layer, number // self.size[2] % self.size[1], number % self.size[2]], 1)
        values = self.function(place * SPACING + self.low)
        if self.rows + len(values) > len(self.values):
            grown = values.new_empty(2 * (self.rows + len(values)), values.shape[1])
            grown[: self.rows] = self.values[: self.rows] if self.rows else grown[:0]
            self.values = grown
        self.values[self.rows : self.rows + len(values)] = values
        self.row[number] = torch.arange(self.rows, self.rows + len(values), dtype=torch.int32, device=number.device)
        self.rows += len(values)
