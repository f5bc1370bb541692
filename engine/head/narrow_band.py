"""Grid values of a signed distance field near its surface, from coarse to fine, with the sign known everywhere.

A grid of R points a side is refined from a stride of 16 to a stride of 1, one axis at a time. A new point between two
known ones inherits a sign and a lower bound of |f| from them, because a field with Lipschitz constant L changes by at
most L times the distance; the field is evaluated only where the bound leaves the sign open. In the end every cell with
corners of both signs gets exact values at all eight corners, and its neighbours follow until no such cell is left
without. Marching cubes of the result is then marching cubes of the dense grid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

COARSEST_STRIDE = 16

Field = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass
class NarrowBand:
    """Values on a grid of R points a side, both ends of the box included, x slowest.

    values: (R, R, R) exact where row >= 0, elsewhere of the right sign and not greater in magnitude than the field.
    row: (R, R, R) int32 index into `canonical`, -1 where the field was not evaluated.
    canonical: (E, 3) canonical points of the E evaluated grid points.
    """

    values: Tensor
    row: Tensor
    canonical: Tensor


class _Lattice:
    """The grid points that are known at one stage of the refinement."""

    def __init__(self, field: Field, axes: list[Tensor], stride: int):
        self.field, self.axes = field, axes
        self.indices = [_strided(len(axis), stride, axis.device) for axis in axes]
        shape = [len(indices) for indices in self.indices]
        self.values = torch.zeros(shape, device=axes[0].device)
        self.row = torch.full(shape, -1, dtype=torch.int32, device=axes[0].device)
        self.canonical: list[Tensor] = []
        self.evaluated = 0
        self.evaluate(torch.ones_like(self.values, dtype=torch.bool))

    def evaluate(self, chosen: Tensor) -> bool:
        """Evaluate the field at the chosen points (a mask); returns whether any sign came out otherwise."""
        places = torch.nonzero(chosen, as_tuple=True)
        count = len(places[0])
        if not count:
            return False
        points = torch.stack([axis[indices[place]] for axis, indices, place
                              in zip(self.axes, self.indices, places, strict=True)], -1)  # (count, 3)
        values, canonical = self.field(points)
        surprised = bool(((values > 0) != (self.values[places] > 0)).any())
        self.values[places] = values
        rows = torch.arange(self.evaluated, self.evaluated + count, dtype=torch.int32, device=values.device)
        self.row[places] = rows
        self.canonical.append(canonical)
        self.evaluated += count
        return surprised

    def refine(self, dimension: int, stride: int, lipschitz: float) -> None:
        """Add the points of a finer stride along one axis: bounds where they settle the sign, else exact values."""
        coarse = self.indices[dimension]
        fine = _strided(len(self.axes[dimension]), stride, coarse.device)
        right = torch.searchsorted(coarse, fine)
        kept = coarse[right] == fine
        left = torch.where(kept, right, right - 1)
        coordinates = self.axes[dimension]
        shape = [-1 if axis == dimension else 1 for axis in range(3)]
        fall_left, fall_right = (lipschitz * (coordinates[fine] - coordinates[coarse[side]]).abs().view(shape)
                                 for side in (left, right))
        from_left, from_right = (self.values.index_select(dimension, side) for side in (left, right))
        bound = torch.maximum(from_left.abs() - fall_left, from_right.abs() - fall_right)
        positive = from_left > 0
        unknown = (positive != (from_right > 0)) | (bound <= 0) & ~kept.view(shape)
        self.row = self.row.index_select(dimension, right).masked_fill_(~kept.view(shape), -1)
        self.values = torch.where(positive, bound, -bound)
        self.indices[dimension] = fine
        self.evaluate(unknown)

    def close(self) -> None:
        """Evaluate all corners of the cells that the surface crosses; follow the surface where it goes on."""
        surprised = True
        while surprised:
            surprised = self.evaluate(corners_of_crossed_cells(self.values > 0) & (self.row < 0))


def sample_narrow_band(field: Field, minimum: Sequence[float], maximum: Sequence[float], resolution: int,
                       lipschitz: float, device: torch.device | str = "cpu") -> NarrowBand:
    """Sample a field near its surface on `resolution` points a side of a box.

    field: maps points (P, 3) to signed distances (P,) and canonical points (P, 3).
    lipschitz: bound of |f(a) - f(b)| / |a - b|. Where a field breaks it, a part of the surface is lost only if no
        evaluated cell touches that part.
    """
    axes = [torch.linspace(low, high, resolution, dtype=torch.float64, device=device).float()
            for low, high in zip(minimum, maximum, strict=True)]
    stride = COARSEST_STRIDE
    lattice = _Lattice(field, axes, stride)
    while stride > 1:
        stride //= 2
        for dimension in range(3):
            lattice.refine(dimension, stride, lipschitz)
    lattice.close()
    return NarrowBand(lattice.values, lattice.row, torch.cat(lattice.canonical))


def corners_of_crossed_cells(positive: Tensor) -> Tensor:
    """Grid points (R, R, R) that are corners of cells whose eight corners have both signs."""
    some, every = positive, positive
    for dimension in range(3):
        length = some.shape[dimension] - 1
        some = some.narrow(dimension, 0, length) | some.narrow(dimension, 1, length)
        every = every.narrow(dimension, 0, length) & every.narrow(dimension, 1, length)
    corners = some & ~every  # (R - 1, R - 1, R - 1)
    for dimension in range(3):
        length = corners.shape[dimension]
        grown = corners.new_zeros([size + (axis == dimension) for axis, size in enumerate(corners.shape)])
        grown.narrow(dimension, 0, length).copy_(corners)
        grown.narrow(dimension, 1, length).logical_or_(corners)
        corners = grown
    return corners


def _strided(length: int, stride: int, device: torch.device) -> Tensor:
    """Every stride-th index, and the last one."""
    indices = torch.arange(0, length, stride, device=device)
    return indices if indices[-1] == length - 1 else torch.cat([indices, indices.new_tensor([length - 1])])
