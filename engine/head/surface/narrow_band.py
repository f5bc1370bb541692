"""Grid values of a signed distance field near its surface, with the sign known everywhere, frame after frame.

A grid of R points a side is refined from a stride of 16 to a stride of 1. A new point inherits a sign and a lower bound
of |f| from known ones, because a field with Lipschitz constant L changes by at most L times the distance; the field is
evaluated only where the bounds leave the sign open. In the end every grid point whose value marching cubes reads is
made exact; where that turns a sign, the surface is followed until it closes. Marching cubes of the result is then
marching cubes of the dense grid.

The next frame starts from these bounds, lowered by how much the field has changed (`FieldChange`). The change is
measured at a part of the exact points and at the centre of every block of the grid. Every other exact point then tests
the bounds that follow; where one breaks them, the bounds around are lowered further and what they leave open is
evaluated, until all points agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import reduce
from itertools import product
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from .field_change import FieldChange

COARSEST_STRIDE = 16
# The change between frames is measured at every n-th exact point.
MEASURED = 8
# More open points than this share of the grid are found faster from coarse to fine.
GREATEST_OPEN_SHARE = 1 / 8

AROUND = tuple((a, b) for a, b in product((-1, 0, 1), repeat=2) if a or b)  # steps along two axes

Step = tuple[int, int, int]
Part = tuple[slice, slice, slice]
Field = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass
class NarrowBand:
    """Values on a grid of R points a side, both ends of the box included, x slowest.

    values: (R, R, R) exact where row >= 0, elsewhere of the right sign and not greater in magnitude than the field.
    row: (R, R, R) int32 index into `canonical`, -1 where the field was not evaluated.
    canonical: (K, 3) canonical points of the K grid points with a row.
    evaluated: how often the field was evaluated for this frame.
    """

    values: Tensor
    row: Tensor
    canonical: Tensor
    evaluated: int


class BandSequence:
    """Narrow bands of a field that changes from frame to frame, on one grid.

    `values` are signed lower bounds of the field's magnitude, zero where nothing is known. `carried` says whether the
    last band started from the one before. `needed` (R, R, R) marks the points whose value marching cubes reads.
    """

    needed: Tensor

    def __init__(
        self,
        minimum: Sequence[float],
        maximum: Sequence[float],
        resolution: int,
        lipschitz: float,
        device: torch.device | str = "cpu",
    ):
        """`resolution` points a side of a box. lipschitz: bound of |f(a) - f(b)| / |a - b|.

        Where a field breaks the bound, a part of the surface is lost only if no evaluated grid point touches that part.
        """
        self.axes = [
            torch.linspace(low, high, resolution, dtype=torch.float64, device=device).float()
            for low, high in zip(minimum, maximum, strict=True)
        ]
        self.resolution, self.lipschitz, self.carried = resolution, lipschitz, False
        self.spacing = [float(axis[1] - axis[0]) for axis in self.axes]
        self.values = torch.zeros(3 * (resolution,), device=device)
        self.row = torch.empty(3 * (resolution,), dtype=torch.int32, device=device)
        self.field_change = FieldChange(resolution, device)
        self.centres = self._flat(self.field_change.centres)
        self.evaluated: list[Tensor] = []
        self.canonical: list[Tensor] = []
        self.rows = self.measured = 0

    def copy(self) -> Self:
        """Another sequence that goes on from the same frame."""
        other = copy(self)
        other.values, other.row = self.values.clone(), self.row.clone()
        return other

    def sample(self, field: Field) -> NarrowBand:
        """The band of this frame's field, which maps points (P, 3) to distances (P,) and canonical points (P, 3).

        Its tensors are valid until the next call.
        """
        self.field, self.measured = field, 0
        self.carried = bool(self.evaluated) and self._carry()
        if not self.carried:
            self._begin()
            self.values.zero_()
            self._refine()
        return NarrowBand(self.values, self.row, torch.cat(self.canonical), self.measured)

    def canonical_points(self) -> Tensor:
        """Canonical points (K, 3) of the last frame's evaluated grid points."""
        return torch.cat(self.canonical) if self.canonical else torch.empty(0, 3)

    def _begin(self) -> None:
        self.evaluated, self.canonical, self.rows = [], [], 0
        self.row.fill_(-1)

    def _refine(self) -> None:
        """Everything from coarse to fine."""
        stride = COARSEST_STRIDE
        while stride:
            if stride < COARSEST_STRIDE:
                self._fill(stride)
            self._settle(self._flat(torch.nonzero(self.values[::stride, ::stride, ::stride] == 0) * stride), stride)
            stride //= 2
        self._evaluate(self.centres[self.row.view(-1)[self.centres] < 0])
        self._close()

    def _carry(self) -> bool:
        """Start from the last band; False when too little of it remains."""
        values, before = self.values.view(-1), torch.cat(self.evaluated)
        known = values[before]  # exact values of the last frame
        self._begin()
        probes = torch.cat([before[::MEASURED], self.centres]).unique()
        exact, canonical = self._measure(probes)
        fall, rise = self.field_change.bounds(self._coordinates(probes), exact - values[probes])
        self._lower(fall, rise)
        if torch.count_nonzero(values) < (1 - GREATEST_OPEN_SHARE) * len(values):
            return False
        self._store(probes, exact, canonical)
        while True:
            self._settle_open(torch.nonzero(values == 0)[:, 0])
            self._close()
            again = self.row.view(-1)[before] >= 0
            places, moved = before[again], (values[before] - known)[again]
            if bool(((moved >= -fall[places]) & (moved <= rise[places])).all()):
                return True
            exact_now, further = self.row.view(-1) >= 0, self.field_change.bounds(self._coordinates(places), moved)
            for bound, greater in zip((fall, rise), further, strict=True):
                greater.sub_(bound).clamp_min_(0.0)
                bound.add_(greater)
                greater.masked_fill_(exact_now, 0.0)
            self._lower(*further)

    def _lower(self, fall: Tensor, rise: Tensor) -> None:
        """Lower the bounds where the field may have changed by -fall to rise (R^3,); zero where nothing remains."""
        values = self.values.view(-1)
        values.sub_(torch.clamp(values, -rise, fall))

    def _settle_open(self, unknown: Tensor) -> None:
        """Make points (flat indices) known whose bounds are used up."""
        for stride in (2, 1):
            on_lattice = (self._coordinates(unknown) % stride == 0).all(1)
            self._settle(unknown[on_lattice & (self.values.view(-1)[unknown] == 0)], stride, at_once=True)

    def _fill(self, stride: int) -> None:
        """Bounds at the new points of a stride from the corners of the cells of twice that stride around them."""
        coarse = self.values[:: 2 * stride, :: 2 * stride, :: 2 * stride]
        for offset in product((0, 1), repeat=3):
            if not any(offset):
                continue
            target = self.values[tuple(slice(o * stride, None, 2 * stride) for o in offset)]
            bounds = functional.softshrink(coarse, self._reach(offset, stride))
            for corner in product(*((0, 1) if o else (0,) for o in offset)):
                lengths = [min(t, b - c) for t, b, c in zip(target.shape, bounds.shape, corner, strict=True)]
                part = target[tuple(slice(length) for length in lengths)]
                bound = bounds[tuple(slice(c, c + length) for c, length in zip(corner, lengths, strict=True))]
                part.copy_(torch.where(bound.abs() > part.abs(), bound, part))

    def _reach(self, offset: Sequence[int], stride: int) -> float:
        """How much the field can change over an offset of grid points times a stride."""
        squared = sum((o * stride * spacing) ** 2 for o, spacing in zip(offset, self.spacing, strict=True))
        return self.lipschitz * squared**0.5

    def _settle(self, flat: Tensor, stride: int, at_once: bool = False) -> None:
        """Make open points (flat indices) that are new at a stride known, at the last stride one axis after another.

        at_once: evaluate what bounds leave open after all three axes. Those are more points in one call instead of
        three, which is quicker where they are few.
        """
        if stride > 1:  # an exact value serves later bounds
            self._evaluate(flat)
            return
        odd = self._coordinates(flat) % 2 == 1  # (P, 3)
        left = []
        for dimension in range(3):
            chosen = flat[odd[:, dimension] & ~odd[:, dimension + 1 :].any(1)]
            for others in (((0, 0),), AROUND):
                bounds = self._neighbours_bound(chosen, dimension, others)
                self.values.view(-1)[chosen] = bounds
                chosen = chosen[bounds == 0]
            if at_once:
                left.append(chosen)
            else:
                self._evaluate(chosen)
        if left:
            self._evaluate(torch.cat(left))

    def _neighbours_bound(self, flat: Tensor, dimension: int, others: Sequence[tuple[int, int]]) -> Tensor:
        """Strongest signed bounds (P,) from neighbours one step away along a dimension and by `others` along the rest.

        Along the surface the value one step inwards or outwards says more than the value straight ahead. Zero where
        nothing is settled.
        """
        values, last = self.values.view(-1), self.resolution - 1
        strides = (self.resolution**2, self.resolution, 1)
        # Clamped to the grid a neighbour is nearer than its step, so the step's reach still holds.
        places = [
            {step: (place + step).clamp_(0, last).mul_(stride) for step in (-1, 0, 1)}
            for place, stride in zip(self._coordinates(flat).T.contiguous(), strides, strict=True)
        ]
        greatest, least = (torch.zeros(len(flat), device=flat.device) for _ in range(2))
        for reach, steps in self._by_reach(dimension, others).items():
            around = [values.index_select(0, places[0][x] + places[1][y] + places[2][z]) for x, y, z in steps]
            for extreme, of_both in ((greatest, torch.maximum), (least, torch.minimum)):
                of_both(extreme, functional.softshrink(reduce(of_both, around), reach), out=extreme)
        return torch.where(greatest > -least, greatest, least)

    def _by_reach(self, dimension: int, others: Sequence[tuple[int, int]]) -> dict[float, list[Step]]:
        """The steps of `_neighbours_bound` by how much the field can change over them."""
        steps: dict[float, list[Step]] = {}
        for along, rest in product((-1, 1), others):
            step = [*rest[:dimension], along, *rest[dimension:]]
            steps.setdefault(self._reach(step, 1), []).append((step[0], step[1], step[2]))
        return steps

    def _close(self) -> None:
        """Evaluate every grid point whose value marching cubes reads; follow the surface where a sign turns."""
        surprised = True
        while surprised:
            self.needed = needed_by_marching_cubes(self.values > 0)
            surprised = self._evaluate(torch.nonzero((self.needed & (self.row < 0)).view(-1))[:, 0])

    def _evaluate(self, flat: Tensor) -> bool:
        """Evaluate the field at grid points (flat indices); returns whether any sign came out otherwise."""
        if not len(flat):
            return False
        values, canonical = self._measure(flat)
        surprised = bool(((values > 0) != (self.values.view(-1)[flat] > 0)).any())
        self._store(flat, values, canonical)
        return surprised

    def _measure(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        """The field's values (P,) and canonical points (P, 3) at grid points (flat indices)."""
        self.measured += len(flat)
        return self.field(self._points(flat))

    def _store(self, flat: Tensor, values: Tensor, canonical: Tensor) -> None:
        self.values.view(-1)[flat] = values
        rows = torch.arange(self.rows, self.rows + len(flat), dtype=torch.int32, device=flat.device)
        self.row.view(-1)[flat] = rows
        self.evaluated.append(flat)
        self.canonical.append(canonical)
        self.rows += len(flat)

    def _coordinates(self, flat: Tensor) -> Tensor:
        """Grid coordinates (P, 3) of flat indices (P,)."""
        return torch.stack(
            [flat // self.resolution**2, flat // self.resolution % self.resolution, flat % self.resolution], 1
        )

    def _flat(self, coordinates: Tensor) -> Tensor:
        return (coordinates[:, 0] * self.resolution + coordinates[:, 1]) * self.resolution + coordinates[:, 2]

    def _points(self, flat: Tensor) -> Tensor:
        return torch.stack([axis[index] for axis, index in zip(self.axes, self._coordinates(flat).T, strict=True)], 1)


def sample_narrow_band(
    field: Field,
    minimum: Sequence[float],
    maximum: Sequence[float],
    resolution: int,
    lipschitz: float,
    device: torch.device | str = "cpu",
) -> NarrowBand:
    """The band of one field; the arguments are those of `BandSequence`."""
    return BandSequence(minimum, maximum, resolution, lipschitz, device).sample(field)


def needed_by_marching_cubes(positive: Tensor) -> Tensor:
    """Grid points (R, R, R) whose value, not only its sign, marching cubes reads.

    These are the ends of the edges that the surface crosses and, in cells where signs alone do not settle the
    topology, all corners.
    """
    everywhere = torch.zeros_like(positive)
    part = around_solid(positive)
    needed, positive = everywhere[part], positive[part]
    if not positive.numel():
        return everywhere
    some, every = positive, positive
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
    return everywhere


def around_solid(positive: Tensor) -> Part:
    """The part of a grid of signs (R, R, R) with every point that is not positive, and a point more on each side.

    Every cell that the surface crosses is in it. Empty when all are positive.
    """
    signs = positive.view(torch.uint8)
    columns = signs.amin(2)
    slices = []
    for line in (columns.amin(1), columns.amin(0), signs.amin(0).amin(0)):
        solid = torch.nonzero(line == 0)[:, 0].tolist()
        slices.append(slice(max(0, solid[0] - 1), solid[-1] + 2) if solid else slice(0, 0))
    x, y, z = slices
    return x, y, z


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
