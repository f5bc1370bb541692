"""How much a field on a grid may have changed from one frame to the next, from measurements at a part of its points."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# Blocks a side of the grid. Each is divided once more where there are enough measurements.
BLOCKS, ENOUGH = 12, 2
CHANGE_MARGIN = 0.5
ROUNDING = 1e-6


class FieldChange:
    """Bounds of a field's fall and rise on a grid of `resolution` points a side.

    The grid is divided into blocks. A block takes the greatest fall and rise in itself and in the blocks around it, and
    adds CHANGE_MARGIN times the greater of both. A block of half the side takes less, if it holds ENOUGH measurements.
    """

    def __init__(self, resolution: int, device: torch.device | str = "cpu"):
        self.resolution, self.half_block = resolution, -(-resolution // (2 * BLOCKS))
        middles = torch.arange(self.half_block, resolution, 2 * self.half_block, device=device)
        self.centres = torch.cartesian_prod(middles, middles, middles)  # (C, 3): grid coordinates to measure at, always

    def bounds(self, coordinates: Tensor, measured: Tensor) -> list[Tensor]:
        """Bounds (R^3,) of fall and rise from changes (P,) measured at grid coordinates (P, 3)."""
        whole, _ = self._bounds_of_blocks(coordinates, measured, 2 * self.half_block)
        half, measurements = self._bounds_of_blocks(coordinates, measured, self.half_block)
        within = 3 * (slice(len(measurements)),)
        whole = functional.interpolate(whole[None], scale_factor=2)[0][:, *within]
        bounds = torch.where(measurements < ENOUGH, whole, torch.minimum(whole, half))
        within = 3 * (slice(self.resolution),)
        return [
            functional.interpolate(way[None, None], scale_factor=self.half_block)[0, 0][within].reshape(-1)
            for way in bounds
        ]

    def _bounds_of_blocks(self, coordinates: Tensor, measured: Tensor, block: int) -> tuple[Tensor, Tensor]:
        """Bounds (2, n, n, n) of fall and rise in blocks of a size, and how many were measured in each (n, n, n)."""
        count = -(-self.resolution // block)
        x, y, z = (coordinates // block).T
        number = (x * count + y) * count + z
        greatest = torch.stack(
            [measured.new_zeros(count**3).scatter_reduce_(0, number, way, "amax") for way in (-measured, measured)]
        )
        around = functional.max_pool3d(greatest.view(2, count, count, count), 3, stride=1, padding=1)
        measurements = torch.bincount(number, minlength=count**3).view(count, count, count)
        return around + CHANGE_MARGIN * around.amax(0) + ROUNDING, measurements
