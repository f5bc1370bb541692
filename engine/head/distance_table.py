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
AT_ONCE, CELLS_AT_ONCE = 8192, 1 << 17  # points, and cells to look at, of one step
VERSION = 1  # of the stored form
KEPT_FILES = 16
Distance = Callable[[Tensor], Tensor]


class DistanceTable:
    """Signed distances (P,) at canonical points (P, 3) in a box, from nodes in blocks of BLOCK nodes a side."""

    def __init__(self, low: Sequence[float], high: Sequence[float], blocks: Tensor, values: Tensor):
        """low, high: corners of the box. blocks: (B,) numbers, ascending. values: (B, BLOCK^3) at their nodes."""
        self.low, self.blocks, self.values = torch.tensor(low), blocks, values.reshape(-1)
        self.counts = block_counts(low, high)
        size = [BLOCK * count for count in self.counts]
        self.last_cell = torch.tensor(size) - 2
        self.strides = size[1] * size[2], size[2], 1
        self.node = block_nodes(self.counts, blocks)  # (N,)
        # Beyond the last node, so that the neighbours of every node have a place.
        self.row = torch.full((size[0] * size[1] * size[2] + sum(self.strides),), -1, dtype=torch.int32)
        self.row[self.node] = torch.arange(len(self.node), dtype=torch.int32)
        self.corners = torch.tensor(
            [sum(a * b for a, b in zip(corner, self.strides, strict=True)) for corner in product((0, 1), repeat=3)]
        )
        place = self._places(self.node)
        base, slopes = self.values.clone(), []
        for axis, stride in enumerate(self.strides):
            half = 0.5 * self._slope(stride)
            slopes.append(half)
            base.addcmul_(half, place[axis].float(), value=-1)
        # (N, 4): a value at the origin of grid coordinates, and half of the slope in them.
        self.coefficients = torch.stack([base, *slopes], 1)
        within = torch.ones(len(self.node), dtype=torch.bool)
        for axis, last in enumerate(self.last_cell.tolist()):
            within &= place[axis] <= last
        for corner in self.corners.tolist():
            within &= self.row[self.node + corner] >= 0
        self.complete = within  # (N,): whether all nodes are there of the cell that begins at a node
        self.usable = within.clone()

    def _places(self, node: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Grid coordinates (N,) three times of nodes (N,)."""
        layer, line, _ = self.strides
        return node // layer, node // line % (layer // line), node % line

    def _slope(self, stride: int) -> Tensor:
        """Differences (N,) between the neighbours of nodes along an axis, for one step.

        At the ends of the box a node meets the other end's, which is far from the surface and so has no row.
        """
        own = torch.arange(len(self.node), dtype=torch.int32)
        after, before = self.row[self.node + stride], self.row[(self.node - stride).clamp_min_(0)]
        steps = (after >= 0).float() + (before >= 0).float()
        ends = (torch.where(row >= 0, row, own).long() for row in (after, before))
        greater, lesser = (self.values.index_select(0, end) for end in ends)
        return (greater - lesser).div_(steps.clamp_min_(1.0))

    def checked(self, distance: Distance) -> Iterator[None]:
        """Compare doubtful cells with distances (P,) at points (P, 3), step by step; then only good ones are used."""
        doubtful = []
        for begin in torch.nonzero(self.complete)[:, 0].split(CELLS_AT_ONCE):
            slopes = self.coefficients[self.row[self.node[begin][:, None] + self.corners].long()][..., 1:]  # (C, 8, 3)
            apart = (slopes.amax(1) - slopes.amin(1)).amax(1) * (2 / SPACING)
            self.usable[begin[apart > CREASE]] = False
            doubtful.append(begin[(apart > DOUBTFUL) & (apart <= CREASE)])
            yield
        for begin in torch.cat(doubtful).split(AT_ONCE) if doubtful else ():
            cells = torch.stack(self._places(self.node[begin]), 1)
            for probe in PROBES:
                places = cells + torch.tensor(probe)
                error = self._interpolated(places) - distance(places * SPACING + self.low)
                self.usable[begin[error.abs() > GREATEST_ERROR]] = False
                yield

    def _flat(self, cell: Tensor) -> Tensor:
        """Numbers (P,) of the nodes at which cells (P, 3) begin."""
        return cell[:, 0] * self.strides[0] + cell[:, 1] * self.strides[1] + cell[:, 2]

    def _interpolated(self, places: Tensor) -> Tensor:
        """Distances (P,) at grid coordinates (P, 3) in complete cells."""
        cell = places.long()
        rows = self.row[self._flat(cell)[:, None] + self.corners].long()  # (P, 8)
        share = places - cell
        pairs = torch.stack([1 - share, share], 2)  # (P, 3, 2)
        weight = (pairs[:, 0, :, None, None] * pairs[:, 1, None, :, None] * pairs[:, 2, None, None]).flatten(1)
        joined = functional.embedding_bag(rows, self.coefficients, mode="sum", per_sample_weights=weight)  # (P, 4)
        return joined[:, 0] + (joined[:, 1:] * places).sum(1)

    def __call__(self, points: Tensor, distance: Distance) -> Tensor:
        """Distances (P,) at points (P, 3); those beside usable cells by `distance`, a function of points."""
        places = (points - self.low) / SPACING
        cell = places.long()
        within = ((places >= 0) & (cell <= self.last_cell)).all(1)
        begin = self.row[torch.where(within, self._flat(cell), 0)].long()
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
    """Numbers (B BLOCK^3,) of the nodes of blocks (B,), in a grid that blocks fill."""
    line, step = BLOCK * counts[2], torch.arange(BLOCK)
    layer = BLOCK * counts[1] * line
    x, y, z = blocks // (counts[1] * counts[2]), blocks // counts[2] % counts[1], blocks % counts[2]
    offsets = (step[:, None, None] * layer + step[:, None] * line + step).flatten()
    return ((x * layer + y * line + z)[:, None] * BLOCK + offsets).flatten()


def node_points(counts: Sequence[int], nodes: Tensor, low: Sequence[float]) -> Tensor:
    """Where nodes (N,) lie, (N, 3)."""
    line = BLOCK * counts[2]
    places = torch.stack([nodes // (BLOCK * counts[1] * line), nodes // line % (BLOCK * counts[1]), nodes % line], 1)
    return places * SPACING + torch.tensor(low)


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
    middles = node_points(counts, block_nodes(counts, blocks)[:: BLOCK**3], low) + (BLOCK - 1) / 2 * SPACING
    reach = REACH + 1.1 * 3**0.5 * (BLOCK - 1) / 2 * SPACING
    kept = []
    for part in middles.split(AT_ONCE):
        kept.append(distance(part).abs() < reach)
        yield None
    blocks = blocks[torch.cat(kept)]
    values = []
    for part in block_nodes(counts, blocks).split(AT_ONCE):
        values.append(distance(node_points(counts, part, low)))
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
