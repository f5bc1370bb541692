"""Surfaces of the neural head: marching cubes over a narrow band of the signed distance grid."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from skimage.measure import marching_cubes
from torch import Tensor

from ...shared.errors import EngineError
from ...shared.units import MILLIMETRES_PER_UNIT
from ..head import ACCELERATOR_CHUNK, DISTANCE_CHUNK, Array, NeuralHead
from ..parallel import in_chunks, undivided_operations
from ..regions import IdentityRegions
from .narrow_band import BandSequence, NarrowBand, around_solid
from .pieces import without_small_pieces
from .tolerant_band import TolerantBandSequence
from .vertex_memory import VertexMemory

# Distances are only roughly Lipschitz once deformed: on the starter 3 to 4 % of the points near the surface have slopes
# above 1.1, the greatest 2.1 where a wide open jaw stretches the inside of the mouth. In 25 strong expressions of
# random heads, 1.1 lost single air pockets of one grid point in 6 and 1.3 in 2; from 1.5 on all signs were the dense
# grid's. Where a slope is steeper still, the surface is followed.
LIPSCHITZ = 1.6
# Solid pieces below this, or below a cell of the grid, are faults of the field: the greatest seen had 147. Eyes, tongue
# and rows of teeth have thousands.
SMALL_PIECE_CUBIC_MILLIMETRES = 300
# Within so many tolerances in canonical space a vertex keeps its regions.
KEPT_REGIONS_TOLERANCES = 5
# Peak of grids, masks and the marching cubes' own copies; a fixed part for the networks' chunks and the mesh.
BYTES_PER_GRID_POINT, BYTES_BESIDES = 48, 300 << 20


@dataclass
class Surface:
    """A triangle mesh in model units.

    vertices: (V, 3) float32 posed; canonical: (V, 3) float32, where they lie in canonical space.
    faces: (F, 3) int32, counter-clockwise seen from outside.
    regions: (V, K) uint8 soft weights, 0..255, of the head's region_names.
    evaluated: grid points at which the networks were evaluated for this frame.
    """

    vertices: np.ndarray
    faces: np.ndarray
    canonical: np.ndarray
    regions: np.ndarray
    evaluated: int


class SurfaceExtractor:
    """Extracts surfaces of one identity at one resolution, frame after frame, each from the band of the last."""

    def __init__(
        self,
        head: NeuralHead,
        identity: Array | None = None,
        resolution: int = 128,
        lipschitz: float = LIPSCHITZ,
        tolerance: float = 0.0,
    ):
        """resolution: grid points a side. tolerance: how many cells distances may be off when they are carried from one
        frame to the next; 0 is the dense grid's surface. Raises EngineError when the grid does not fit in memory.
        """
        require_memory(resolution, head.device)
        self.head, self.identity, self.tolerance = head, identity, tolerance
        grid = (*head.box, resolution, lipschitz, head.device)
        self.band = TolerantBandSequence(*grid, tolerance=tolerance) if tolerance else BandSequence(*grid)
        reach = KEPT_REGIONS_TOLERANCES * tolerance * min(self.band.spacing)
        self.memory = VertexMemory(3 * resolution**3, reach, head.device) if tolerance else None

    def copy(self) -> SurfaceExtractor:
        """Another extractor that goes on from the same frame."""
        other = copy(self)
        other.band = self.band.copy()
        other.memory = None if self.memory is None else self.memory.copy()
        return other

    def extract(self, expression: Array | None = None, keep_small_pieces: bool = False) -> Surface:
        """The surface of an expression code (E,), `without_small_pieces` unless they are kept.

        Raises EngineError when the field has no surface in the box.
        """
        posed = self.head.pose(self.identity, expression)
        size = DISTANCE_CHUNK if self.head.device.type == "cpu" else ACCELERATOR_CHUNK

        def distance(points: Tensor) -> tuple[Tensor, Tensor]:
            canonical = posed.canonical(points)  # (P, 3 + h)
            values = posed.tabulated_distance if self.tolerance else posed.canonical_distance
            return values(canonical), canonical[:, :3]

        with torch.no_grad(), undivided_operations():
            band = self.band.sample(lambda points: in_chunks(distance, points, size))
        vertices, faces, canonical, edge = march(band, *self.head.box)
        if not keep_small_pieces:
            smallest = SMALL_PIECE_CUBIC_MILLIMETRES / MILLIMETRES_PER_UNIT**3
            low, high = np.array(self.head.box)
            cell = float(np.prod((high - low) / (np.array(band.values.shape) - 1)))
            vertices, faces, canonical, edge = without_small_pieces(
                vertices, faces, max(smallest, cell), self.head.box, canonical, edge
            )
        weights = rounded(self._regions(posed.prepared.regions, canonical, edge, expression, size))
        return Surface(vertices, faces, canonical, weights.cpu().numpy(), band.evaluated)

    def _regions(
        self, regions: IdentityRegions, canonical: np.ndarray, edge: np.ndarray, expression: Array | None, size: int
    ) -> Tensor:
        """Region weights (V, K) of vertices at canonical points (V, 3) on edges (V,) of the grid."""
        places = torch.from_numpy(canonical).to(self.head.device)

        def exact(points: Tensor) -> Tensor:
            return in_chunks(lambda chunk: (regions.network_weights(chunk),), points, size)[0]

        if self.memory is None:
            return regions.refined(places, exact(places), expression)
        function = regions.tabulated if self.band.carried else exact  # the first frame does not wait for a table
        with undivided_operations():
            weights = self.memory(torch.from_numpy(edge).to(self.head.device), places, function)
        return regions.refined(places, weights, expression)


def rounded(weights: Tensor) -> Tensor:
    """Weights 0..1 as whole numbers 0..255."""
    return weights.mul(255).round().byte()


def extract_surface(
    head: NeuralHead, identity: Array | None = None, expression: Array | None = None, resolution: int = 128
) -> Surface:
    """One surface of the head; use a `SurfaceExtractor` for a sequence."""
    return SurfaceExtractor(head, identity, resolution).extract(expression)


def triangulate(
    band: NarrowBand, minimum: tuple[float, ...], maximum: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Marching cubes at level 0: vertices (V, 3), outward faces (F, 3) int32 and canonical points (V, 3).

    Raises EngineError when the values have one sign only.
    """
    return march(band, minimum, maximum)[:3]


def march(
    band: NarrowBand, minimum: tuple[float, ...], maximum: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`triangulate`, and the edge (V,) int64 of the grid that each vertex lies on: 3 times its lower end, plus axis."""
    part = around_solid(band.values > 0)
    around, shape = band.values[part].contiguous().cpu().numpy(), np.array(band.values.shape)
    if not around.size or around.max() <= 0:
        raise EngineError("The head has no surface for these codes; lower the strength or use another identity.")
    places, faces, _, _ = marching_cubes(around, 0.0, gradient_direction="descent")
    places += np.array([axis.start for axis in part], places.dtype)
    low, high = np.asarray(minimum), np.asarray(maximum)
    vertices = (places * ((high - low) / (shape - 1)) + low).astype(np.float32)
    lower = places.astype(np.int64)  # (V, 3)
    shares = places - lower
    axis = shares.argmax(1)
    share = np.take_along_axis(shares, axis[:, None], 1)  # (V, 1): zero at a grid point
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    start = lower @ strides
    end = start + strides[axis] * (share[:, 0] > 0)
    row, known = band.row.view(-1).cpu().numpy(), band.canonical.cpu().numpy()
    at_start, at_end = known[row[start]], known[row[end]]
    canonical = (at_start + share * (at_end - at_start)).astype(np.float32)
    return vertices, faces.astype(np.int32), canonical, 3 * start + axis


def require_memory(resolution: int, device: torch.device) -> None:
    """Raise EngineError when a grid of `resolution` points a side does not fit in the device's free memory."""
    needed, free = estimated_bytes(resolution), free_bytes(device)
    if free is not None and needed > free:
        raise EngineError(
            f"A surface of {resolution} cells a side needs {needed / 2**30:.1f} GB of memory, but only "
            f"{free / 2**30:.1f} GB are free; choose a lower resolution or close other programs."
        )


def estimated_bytes(resolution: int) -> int:
    """Peak memory in bytes of extracting one surface on a grid of `resolution` points a side."""
    return BYTES_PER_GRID_POINT * resolution**3 + BYTES_BESIDES


def free_bytes(device: torch.device) -> int | None:
    """Free memory of a device in bytes; None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    report = Path("/proc/meminfo")
    if not report.is_file():
        return None
    available = next(line for line in report.read_text().splitlines() if line.startswith("MemAvailable"))
    return int(available.split()[1]) * 1024
