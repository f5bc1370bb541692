"""What a frame's vertices keep from the frame before: those that lie on the same edge of the grid, and still there."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Self

import torch
from torch import Tensor


class VertexMemory:
    """Values (V, K) of vertices by where they lie in canonical space, asked for only where that has changed.

    A vertex is known by the edge of the grid that it lies on. It keeps its values, and the place they belong to, as
    long as it is within `reach` of that place, so that nothing accumulates.
    """

    def __init__(self, edges: int, reach: float, device: torch.device | str = "cpu"):
        """edges: how many edges the grid numbers. reach: in model units along each axis."""
        self.reach = reach
        self.row = torch.full((edges,), -1, dtype=torch.int32, device=device)
        self.edge = torch.empty(0, dtype=torch.int64, device=device)
        self.places = torch.empty(0, 3, device=device)
        self.values = torch.empty(0, 0, device=device)

    def copy(self) -> Self:
        """Another memory that goes on from the same frame."""
        other = copy(self)
        other.row = self.row.clone()
        return other

    def __call__(self, edge: Tensor, places: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Values (V, K) of this frame's vertices on edges (V,) at canonical places (V, 3), by a function of places."""
        row = self.row[edge].long()
        if len(self.edge):
            before = self.places[row]  # of new ones any: -1 is the last
            stale = torch.nonzero((row < 0) | ((before - places).abs() > self.reach).any(1))[:, 0]
            values = self.values[row]
            if len(stale):
                values[stale] = function(places[stale])
            places = before.index_copy_(0, stale, places[stale])
        else:
            values = function(places)
        self.row[self.edge] = -1
        self.row[edge] = torch.arange(len(edge), dtype=torch.int32, device=edge.device)
        self.edge, self.places, self.values = edge, places, values
        return values
