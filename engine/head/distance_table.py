"""An identity's signed distances around its surface in canonical space, by table: a tenth of the network's cost.

Nodes lie 1 mm apart in blocks along the surface. Between them the mean of two interpolations counts, a linear one of
the values and a linear one of what each node's value and slope foretell: their errors of second order are opposite. A
cell whose slopes differ is checked at four points and left out where table and network disagree; a crease, as between
closed lips, is left out at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..shared.hostile_files import UNREADABLE
from ..shared.units import UNITS_PER_MILLIMETRE

SPACING = 1.0 * UNITS_PER_MILLIMETRE
BLOCK = 4  # nodes a side
REACH = 4.5 * UNITS_PER_MILLIMETRE  # how far from the surface: a cell of the coarsest grid
# A cell is checked where slopes at its corners differ by DOUBTFUL, and then may be off by GREATEST_ERROR at PROBES; a
# difference of CREASE is one.
DOUBTFUL, CREASE, GREATEST_ERROR = 0.12, 0.5, 0.008 * UNITS_PER_MILLIMETRE
PROBES = ((0.25, 0.25, 0.25), (0.75, 0.75, 0.25), (0.75, 0.25, 0.75), (0.25, 0.75, 0.75))
AT_ONCE = 8192  # points of one step
VERSION = 1  # of the stored form
KEPT_FILES = 16
Distance = Callable[[Tensor], Tensor]


class DistanceTable:
    """Signed distances (P,) at canonical points (P, 3) in a box, from nodes in blocks of BLOCK nodes a side."""

    def __init__(self, low: Sequence[float], high: Sequence[float], blocks: Tensor, values: Tensor):
        """low, high: corners of the box. blocks: (B,) numbers, ascending. values: (B, BLOCK^3) at their nodes."""
        self.low, self.blocks, self.values = torch.tensor(low), blocks, values.flatten()
        self.counts = block_counts(low, high)
        self.size = [BLOCK * count for count in self.counts]
        self.strides = torch.tensor([self.size[1] * self.size[2], self.size[2], 1])
        place = block_nodes(self.counts, blocks)  # (N, 3)
        self.row = torch.full((self.size[0] * self.size[1] * self.size[2],), -1, dtype=torch.int32)
        self.row[place @ self.strides] = torch.arange(len(place), dtype=torch.int32)
        self.corners = torch.tensor(list(product((0, 1), repeat=3)))  # (8, 3)
        slopes = torch.stack([self._slope(place, axis) for axis in range(3)], 1)
        self.coefficients = torch.cat(
            [(self.values - 0.5 * (slopes * place).sum(1))[:, None], 0.5 * slopes], 1
        )  # (N, 4): a value at the origin of grid coordinates and half a slope in them
        around = self._rows(place[:, None] + self.corners)  # (N, 8)
        self.complete = (around >= 0).all(1)  # (N,): the cell that begins at a node
        self.usable = self.complete.clone()

    def _rows(self, place: Tensor) -> Tensor:
        """Rows (...) of nodes (..., 3), -1 where there is none."""
        within = (place < torch.tensor(self.size)).all(-1) & (place >= 0).all(-1)
        return torch.where(within, self.row[(place @ self.strides).clamp(0, len(self.row) - 1)].long(), -1)

    def _slope(self, place: Tensor, axis: int) -> Tensor:
        """Differences (N,) between the neighbours of nodes (N, 3) along an axis, for one step."""
        step = torch.eye(3, dtype=torch.int64)[axis]
        before, after = self._rows(place - step), self._rows(place + step)
        own = torch.arange(len(place))
        ends = torch.where(after >= 0, after, own), torch.where(before >= 0, before, own)
        steps = (after >= 0).float() + (before >= 0).float()
        return (self.values[ends[0]] - self.values[ends[1]]) / steps.clamp_min(1.0)

    def checked(self, distance: Distance) -> Iterator[None]:
        """Compare doubtful cells with distances (P,) at points (P, 3), step by step; then only good ones are used."""
        begin = torch.nonzero(self.complete)[:, 0]
        place = block_nodes(self.counts, self.blocks)[begin]
        slopes = 2 * self.coefficients[:, 1:] / SPACING
        least, greatest = (torch.full((len(begin), 3), sign * torch.inf) for sign in (1, -1))
        for corner in self.corners:
            at_corner = slopes[self._rows(place + corner)]
            torch.minimum(least, at_corner, out=least)
            torch.maximum(greatest, at_corner, out=greatest)
        apart = (greatest - least).amax(1)
        self.usable[begin[apart > CREASE]] = False
        doubtful = (apart > DOUBTFUL) & (apart <= CREASE)
        for rows, cells in zip(begin[doubtful].split(AT_ONCE), place[doubtful].split(AT_ONCE), strict=True):
            for probe in PROBES:
                places = cells + torch.tensor(probe)
                error = self._interpolated(places) - distance(places * SPACING + self.low)
                self.usable[rows[error.abs() > GREATEST_ERROR]] = False
                yield

    def _interpolated(self, places: Tensor) -> Tensor:
        """Distances (P,) at grid coordinates (P, 3) in complete cells."""
        cell = places.long()
        rows = self.row[(cell @ self.strides)[:, None] + self.corners @ self.strides].long()  # (P, 8)
        share = places - cell
        pairs = torch.stack([1 - share, share], 2)  # (P, 3, 2)
        weight = (pairs[:, 0, :, None, None] * pairs[:, 1, None, :, None] * pairs[:, 2, None, None]).flatten(1)
        joined = functional.embedding_bag(rows, self.coefficients, mode="sum", per_sample_weights=weight)  # (P, 4)
        return joined[:, 0] + (joined[:, 1:] * places).sum(1)

    def __call__(self, points: Tensor, distance: Distance) -> Tensor:
        """Distances (P,) at points (P, 3); those beside usable cells by `distance`, a function of points."""
        places = (points - self.low) / SPACING
        within = ((places >= 0) & (places < torch.tensor(self.size) - 1)).all(1)
        begin = self.row[torch.where(within, places.long() @ self.strides, 0)].long()
        known = within & (begin >= 0) & self.usable[begin]
        inside, outside = torch.nonzero(known)[:, 0], torch.nonzero(~known)[:, 0]
        values = points.new_empty(len(points))
        values[inside] = self._interpolated(places[inside])
        if len(outside):
            values[outside] = distance(points[outside])
        return values

    def save(self, path: Path, key: str) -> None:
        """Write the table into a file, for whoever asks with the same `key`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".part")
        arrays = {"blocks": self.blocks.int(), "values": self.values.half(), "unusable": ~self.usable}
        with beside.open("wb") as file:
            packed = {name: array.numpy() for name, array in arrays.items()}
            packed["unusable"] = np.packbits(packed["unusable"])
            np.savez(file, key=np.array(key), **packed)
        beside.replace(path)
        for old in sorted(path.parent.glob("*.npz"), key=lambda each: each.stat().st_mtime)[:-KEPT_FILES]:
            old.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path, key: str, low: Sequence[float], high: Sequence[float]) -> DistanceTable | None:
        """The table of a file; None when it is not there, damaged, or was not saved with this `key`."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                if str(arrays["key"]) != key:
                    return None
                blocks, values, unusable = (torch.from_numpy(arrays[n]) for n in ("blocks", "values", "unusable"))
            table = cls(low, high, blocks.long(), values.float())
            bits = np.unpackbits(unusable.numpy(), count=len(table.usable)).astype(bool)
            table.usable &= ~torch.from_numpy(bits)
        except UNREADABLE:
            return None
        return table


def block_counts(low: Sequence[float], high: Sequence[float]) -> list[int]:
    """How many blocks cover a box along each axis."""
    return [int((b - a) / (SPACING * BLOCK)) + 1 for a, b in zip(low, high, strict=True)]


def block_nodes(counts: Sequence[int], blocks: Tensor) -> Tensor:
    """Grid coordinates (B BLOCK^3, 3) of the nodes of blocks (B,)."""
    corner = torch.stack([blocks // (counts[1] * counts[2]), blocks // counts[2] % counts[1], blocks % counts[2]], 1)
    step = torch.arange(BLOCK)
    return (corner[:, None] * BLOCK + torch.cartesian_prod(step, step, step)).flatten(0, 1)


def tabulated(
    distance: Distance, points: Tensor, low: Sequence[float], high: Sequence[float]
) -> Iterator[DistanceTable | None]:
    """Make the table of `distance` around a surface, step by step: None after each, and at last the table.

    points: (P, 3) canonical points close to the surface, no more than a block's side apart. low, high: the box.
    """
    counts = block_counts(low, high)
    cell = ((points - torch.tensor(low)) / (SPACING * BLOCK)).long()
    x, y, z = cell[((cell >= 0) & (cell < torch.tensor(counts))).all(1)].T
    marked = torch.zeros(1, *counts)
    marked[0, x, y, z] = 1.0
    near = functional.max_pool3d(marked, 5, stride=1, padding=2)[0]
    blocks = torch.nonzero(near.flatten())[:, 0]
    corner = block_nodes(counts, blocks)[:: BLOCK**3]
    middles = (corner + (BLOCK - 1) / 2) * SPACING + torch.tensor(low)
    reach = REACH + 1.1 * 3**0.5 * (BLOCK - 1) / 2 * SPACING
    kept = []
    for part in middles.split(AT_ONCE):
        kept.append(distance(part).abs() < reach)
        yield None
    blocks = blocks[torch.cat(kept)]
    values = []
    for part in (block_nodes(counts, blocks) * SPACING + torch.tensor(low)).split(AT_ONCE):
        values.append(distance(part))
        yield None
    table = DistanceTable(low, high, blocks, torch.cat(values) if values else points.new_zeros(0))
    for _ in table.checked(distance):
        yield None
    yield table


def table_key(weights: dict[str, Tensor], code: Tensor, box: object) -> str:
    """What a stored table depends on: the identity network's weights, a code (1, L), the box, and this module."""
    digest = sha256(repr((VERSION, SPACING, BLOCK, REACH, GREATEST_ERROR, box)).encode())
    for name, value in sorted(weights.items()):
        digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    digest.update(code.cpu().numpy().tobytes())
    return digest.hexdigest()
