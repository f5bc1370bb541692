"""Grid values of a signed distance field near its surface, from coarse to fine, with the sign known everywhere.

A grid of R points a side is refined from a stride of 16 to a stride of 1, one axis at a time. A new point between two
known ones inherits a sign and a lower bound of |f| from them, because a field with Lipschitz constant L changes by at
most L times the distance; the field is evaluated only where the bound leaves the sign open. In the end every grid point
whose value marching cubes reads is made exact; where that turns a sign, the surface is followed until it closes.
Marching cubes of the result is then marching cubes of the dense grid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

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
        points = torch.stack(
            [axis[indices[place]] for axis, indices, place in zip(self.axes, self.indices, places, strict=True)], -1
        )  # (count, 3)
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
        kept = kept.view(shape)
        fall_left, fall_right = (
            lipschitz * (coordinates[fine] - coordinates[coarse[side]]).abs().view(shape) for side in (left, right)
        )
        from_left, from_right = (self.values.index_select(dimension, side) for side in (left, right))
        bound = torch.maximum(from_left.abs() - fall_left, from_right.abs() - fall_right)
        unknown = ((from_left > 0) != (from_right > 0)) | (bound <= 0) & ~kept
        refined = torch.where(from_left > 0, bound, -bound)
        before, coarse_values = self.indices, self.values
        self.row = self.row.index_select(dimension, right).masked_fill_(~kept, -1)
        self.values, self.indices = refined, [*before[:dimension], fine, *before[dimension + 1 :]]
        if stride == 1:
            places = torch.nonzero(unknown)  # (U, 3)
            bounds = torch.stack(
                [
                    self._diagonal_bound(places, before, coarse_values, dimension, side, lipschitz)
                    for side in (left, right)
                ]
            )  # (2, U)
            strongest = bounds.gather(0, bounds.abs().argmax(0)[None])[0]
            settled = strongest != 0
            chosen = tuple(places[settled].T)
            self.values[chosen], unknown[chosen] = strongest[settled], False
        self.evaluate(unknown)

    def _diagonal_bound(
        self,
        places: Tensor,
        before: list[Tensor],
        coarse_values: Tensor,
        dimension: int,
        side: Tensor,
        lipschitz: float,
    ) -> Tensor:
        """Signed bounds (U,) at places (U, 3) from the eight diagonal neighbours on one side along the refined axis.

        Along the surface the value one step inwards or outwards says more than the value straight ahead. Zero where
        nothing is settled. Worth its cost at the last stride only: before it, an exact value serves later bounds.
        """
        here = list(places.T)
        here[dimension] = side[here[dimension]]
        fine = [axis[indices[place]] for axis, indices, place in zip(self.axes, self.indices, places.T, strict=True)]
        strongest = torch.zeros(len(places), device=places.device)
        others = [axis for axis in range(3) if axis != dimension]
        for step in product((-1, 0, 1), repeat=2):
            there = list(here)
            for axis, move in zip(others, step, strict=True):
                there[axis] = (here[axis] + move).clamp(0, len(before[axis]) - 1)
            distance = sum(
                (self.axes[axis][before[axis][there[axis]]] - fine[axis]).square() for axis in range(3)
            ).sqrt()  # (U,)
            value = coarse_values[tuple(there)]
            bound = value.abs() - lipschitz * distance
            strongest = torch.where(bound > strongest.abs(), bound * value.sign(), strongest)
        return strongest

    def close(self) -> None:
        """Evaluate every grid point whose value marching cubes reads; follow the surface where a sign turns."""
        surprised = True
        while surprised:
            surprised = self.evaluate(needed_by_marching_cubes(self.values > 0) & (self.row < 0))


def sample_narrow_band(
    field: Field,
    minimum: Sequence[float],
    maximum: Sequence[float],
    resolution: int,
    lipschitz: float,
    device: torch.device | str = "cpu",
) -> NarrowBand:
    """Sample a field near its surface on `resolution` points a side of a box.

    field: maps points (P, 3) to signed distances (P,) and canonical points (P, 3).
    lipschitz: bound of |f(a) - f(b)| / |a - b|. Where a field breaks it, a part of the surface is lost only if no
        evaluated grid point touches that part.
    """
    axes = [
        torch.linspace(low, high, resolution, dtype=torch.float64, device=device).float()
        for low, high in zip(minimum, maximum, strict=True)
    ]
    stride = COARSEST_STRIDE
    lattice = _Lattice(field, axes, stride)
    while stride > 1:
        stride //= 2
        for dimension in range(3):
            lattice.refine(dimension, stride, lipschitz)
    lattice.close()
    return NarrowBand(lattice.values, lattice.row, torch.cat(lattice.canonical))


def needed_by_marching_cubes(positive: Tensor) -> Tensor:
    """Grid points (R, R, R) whose value, not only its sign, marching cubes reads.

    These are the ends of the edges that the surface crosses and, in cells where signs alone do not settle the
    topology, all corners.
    """
    needed, some, every = torch.zeros_like(positive), positive, positive
    for dimension in range(3):
        length = positive.shape[dimension] - 1
        crossed = positive.narrow(dimension, 0, length) ^ positive.narrow(dimension, 1, length)
        needed.narrow(dimension, 0, length).logical_or_(crossed)
        needed.narrow(dimension, 1, length).logical_or_(crossed)
        some = some.narrow(dimension, 0, length) | some.narrow(dimension, 1, length)
        every = every.narrow(dimension, 0, length) & every.narrow(dimension, 1, length)
    x, y, z = torch.nonzero(some & ~every, as_tuple=True)  # (C,): cells with corners of both signs
    signs = torch.stack([positive[x + (k >> 2 & 1), y + (k >> 1 & 1), z + (k & 1)] for k in range(8)], -1)  # (C, 8)
    pattern = (signs.int() << torch.arange(8, device=signs.device)).sum(-1)
    ambiguous = AMBIGUOUS.to(signs.device)[pattern]
    x, y, z = x[ambiguous], y[ambiguous], z[ambiguous]
    for k in range(8):
        needed[x + (k >> 2 & 1), y + (k >> 1 & 1), z + (k & 1)] = True
    return needed


def _ambiguous_patterns() -> Tensor:
    """Which of the 256 sign patterns of a cell leave its topology open: bit k is corner (k >> 2, k >> 1 & 1, k & 1).

    Either a face has equal signs on one diagonal and the other signs on the other, or two opposite corners of the cell
    differ from all others (Chernyaev's case 4).
    """
    faces = [
        (start, start + first, start + first + second, start + second)
        for first, second, normal in ((1, 2, 4), (1, 4, 2), (2, 4, 1))
        for start in (0, normal)
    ]
    open_patterns = torch.zeros(256, dtype=torch.bool)
    for pattern in range(256):
        sign = [pattern >> corner & 1 for corner in range(8)]
        across = any(sign[a] == sign[c] != sign[b] == sign[d] for a, b, c, d in faces)
        opposite = sum(sign) in (2, 6) and any(sign[k] == sign[7 - k] == (sum(sign) == 2) for k in range(4))
        open_patterns[pattern] = across or opposite
    return open_patterns


AMBIGUOUS = _ambiguous_patterns()


def _strided(length: int, stride: int, device: torch.device) -> Tensor:
    """Every stride-th index, and the last one."""
    indices = torch.arange(0, length, stride, device=device)
    return indices if indices[-1] == length - 1 else torch.cat([indices, indices.new_tensor([length - 1])])
