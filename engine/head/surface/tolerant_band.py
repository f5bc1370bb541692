"""Narrow bands whose values are carried from frame to frame as long as they are off by less than a tolerance.

The grid is divided into blocks. The values that marching cubes reads in a block belong to one moment, its reference. In
every frame the change since then is measured at a few of them, others each time; while it stays below the tolerance,
the block is carried as it is, so that nothing accumulates. All values of the other blocks are evaluated again, which
tells how the field has changed there: the bounds of these blocks and of those around are moved by that, and what they
leave open is evaluated. Where a sign turns, the surface is followed.

A bound is never greater than what is left of it when a surface has come within `RINGS` blocks, so bounds further away
need not be moved at all. The tolerance is an estimate: between probes a value may have changed more.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from .narrow_band import GREATEST_OPEN_SHARE, BandSequence

# Side of a block in grid points, and how many blocks around one that has changed have their bounds moved.
SIDE, RINGS = 5, 2
# About this many known points are probes, others in every frame: at least every 24th and at most every 8th. A block
# with known points has at least one.
PROBES, FEWEST, MOST = 2048, 24, 8
# How much of the tolerance the greatest change at a block's probes may be, and what the blocks around it count.
SHARE_OF_TOLERANCE, AROUND_SHARE = 0.8, 0.5
# How far a point may move in canonical space, where it picks its colours, in tolerances.
CANONICAL_TOLERANCES = 10
# A block with fewer measured changes takes those around it. Both ends of their range are moved apart by a share of the
# range and of the greatest change.
ENOUGH, RANGE_MARGIN, CHANGE_MARGIN = 4, 0.25, 0.05
# A block with a change of more than LEAP of the greatest bound is open, with LEAP_RINGS blocks around: only values that
# are evaluated again count there. With a change of more than JUMP of it all is open: the next band starts anew.
LEAP, LEAP_RINGS, JUMP = 0.6, 3, 1.6


class TolerantBandSequence(BandSequence):
    """Narrow bands whose known values are off by about `tolerance` cells at most; see `BandSequence`."""

    def __init__(
        self,
        minimum: Sequence[float],
        maximum: Sequence[float],
        resolution: int,
        lipschitz: float,
        device: torch.device | str = "cpu",
        *,
        tolerance: float,
    ):
        """tolerance: in cells of the grid; the other arguments are those of `BandSequence`."""
        super().__init__(minimum, maximum, resolution, lipschitz, device)
        cell = min(self.spacing)
        self.tolerance, self.greatest_bound, self.frame = tolerance * cell, SIDE * cell, 0
        self.blocks = -(-resolution // SIDE)  # a side
        step = torch.arange(SIDE, device=device)
        self.inside = torch.cartesian_prod(step, step, step)  # (SIDE^3, 3)
        self.offsets = self._flat(self.inside)  # (SIDE^3,), from a block's first point

    def _carry(self) -> bool:
        """Start from the last band; False after a jump."""
        self.frame += 1
        values = self.values.view(-1)
        if not self.carried:
            values.clamp_(-self.greatest_bound, self.greatest_bound)
        flat, canonical = self._read_before()
        block = self._blocks(flat)
        probes = self._probes(block)
        exact = values[flat]
        exact[probes], canonical_now = self._measure(flat[probes])
        change = (exact - values[flat])[probes]
        if bool((change.abs() > JUMP * self.greatest_bound).any()):
            return False
        opened = self._opened(block[probes], change)
        changed = self._changed(block[probes], change, (canonical_now - canonical[probes]).norm(dim=1)) | opened
        chosen = changed[block]
        stored = probes[chosen[probes]]
        canonical[stored] = canonical_now[chosen[probes]]
        further = chosen.index_fill(0, probes, False)
        exact[further], canonical[further] = self._measure(flat[further])
        known = self._marked(block)
        moved = self._move_bounds(known, changed, block[chosen], (exact - values[flat])[chosen])
        if opened.any():
            inside, _ = self._points_of_blocks(torch.nonzero(opened)[:, 0])
            values[inside] = 0.0
            moved = torch.cat([moved[~opened[self._blocks(moved)]], inside])
        values[flat[chosen]] = exact[chosen]
        self.evaluated, self.canonical, self.rows = [flat], [canonical], len(flat)
        unknown = moved[values[moved] == 0]
        if len(unknown) > GREATEST_OPEN_SHARE * len(values):
            return False
        self._settle_open(unknown)
        self._close()
        return True

    def _read_before(self) -> tuple[Tensor, Tensor]:
        """The points (P,) whose values marching cubes read in the last frame, and their canonical points (P, 3)."""
        flat, canonical = torch.cat(self.evaluated), torch.cat(self.canonical)
        read = self.needed.view(-1)[flat]
        row = self.row.view(-1)
        row[flat] = -1
        flat, canonical = flat[read], canonical[read]
        row[flat] = torch.arange(len(flat), dtype=torch.int32, device=flat.device)
        return flat, canonical

    def _probes(self, block: Tensor) -> Tensor:
        """Which known points are measured in this frame, given the block (P,) of each."""
        number = torch.arange(len(block), device=block.device)
        step = min(FEWEST, max(MOST, len(block) // PROBES))
        chosen = number[self.frame % step :: step]
        only = torch.full((self.blocks**3,), -1, device=block.device)
        only[block] = number
        only[block[chosen]] = -1
        return torch.cat([chosen, only[only >= 0]])

    def _opened(self, block: Tensor, change: Tensor) -> Tensor:
        """Which blocks a surface may have reached that leapt, by changes (P,) of probes in blocks (P,)."""
        leapt = self._greatest(block, change.abs(), 0.0) > LEAP * self.greatest_bound
        return self._pooled(leapt.float(), LEAP_RINGS) > 0 if leapt.any() else leapt

    def _changed(self, block: Tensor, change: Tensor, moved: Tensor) -> Tensor:
        """Which blocks have left the tolerance, by changes and canonical movements (P,) of probes in blocks (P,)."""
        excess = torch.maximum(change.abs(), moved / CANONICAL_TOLERANCES)
        greatest = self._greatest(block, excess, 0.0)
        near = torch.maximum(greatest, AROUND_SHARE * self._pooled(greatest, 1))
        return self._marked(block) & (near > SHARE_OF_TOLERANCE * self.tolerance)

    def _move_bounds(self, known: Tensor, changed: Tensor, block: Tensor, change: Tensor) -> Tensor:
        """Move bounds by the range of changes (P,) in blocks (P,); returns the grid points whose bounds were moved.

        Those lie in blocks that are `changed`, and in blocks around them that are not `known` to be carried.
        """
        ends = torch.stack([self._greatest(block, way, -torch.inf) for way in (-change, change)])
        around = torch.stack([self._pooled(way, RINGS) for way in ends])  # (2, blocks^3): fall and rise
        own = torch.bincount(block, minlength=self.blocks**3) >= ENOUGH
        moved = torch.nonzero((around[0] > -torch.inf) & (changed | ~known))[:, 0]
        fall, rise = torch.where(own, ends, around)[:, moved]
        margin = RANGE_MARGIN * (rise + fall) + CHANGE_MARGIN * torch.maximum(rise.abs(), fall.abs()) + self.tolerance
        points, owner = self._points_of_blocks(moved)
        values = self.values.view(-1)
        before = values[points]
        positive = (before - (fall + margin)[owner]).clamp(0.0, self.greatest_bound)
        negative = (before + (rise + margin)[owner]).clamp(-self.greatest_bound, 0.0)
        values[points] = torch.where(before > 0, positive, negative)
        return points

    def _marked(self, block: Tensor) -> Tensor:
        marked = torch.zeros(self.blocks**3, dtype=torch.bool, device=block.device)
        marked[block] = True
        return marked

    def _greatest(self, block: Tensor, values: Tensor, least: float) -> Tensor:
        return values.new_full((self.blocks**3,), least).scatter_reduce_(0, block, values, "amax")

    def _pooled(self, values: Tensor, rings: int) -> Tensor:
        """The greatest value (blocks^3,) in each block and the rings around it."""
        grid = values.view(1, *3 * (self.blocks,))
        return functional.max_pool3d(grid, 2 * rings + 1, stride=1, padding=rings).view(-1)

    def _blocks(self, flat: Tensor) -> Tensor:
        """The blocks (P,) that grid points (P,) lie in."""
        x, y, z = (self._coordinates(flat) // SIDE).T
        return (x * self.blocks + y) * self.blocks + z

    def _points_of_blocks(self, blocks: Tensor) -> tuple[Tensor, Tensor]:
        """The grid points (Q,) in blocks (N,), and which of the blocks (Q,) each is in."""
        side = self.blocks
        corner = torch.stack([blocks // side**2, blocks // side % side, blocks % side], 1) * SIDE
        points = self._flat(corner)[:, None] + self.offsets  # (N, SIDE^3)
        owner = torch.arange(len(blocks), device=blocks.device)[:, None].expand_as(points)
        cut = (corner > self.resolution - SIDE).any(1)  # by the end of the grid
        if not cut.any():
            return points.view(-1), owner.reshape(-1)
        within = (corner[cut][:, None] + self.inside < self.resolution).all(2)
        points, owner = (torch.cat([part[~cut].view(-1), part[cut][within]]) for part in (points, owner))
        return points, owner
