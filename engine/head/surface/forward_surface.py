"""Surfaces of heads that deform forward: one canonical mesh per identity, whose vertices move with the expression."""

from __future__ import annotations

import torch
from torch import Tensor

from ..head import Array, NeuralHead
from .extract import Surface, require_memory, triangulate
from .narrow_band import NarrowBand, sample_narrow_band

# Between anchors the blend is steeper than a distance. On random weights, whose members disagree most, 1.1 gives the
# signs of the dense grid; twice that is the margin, as the canonical surface is made only once.
LIPSCHITZ = 2.2


class ForwardSurfaceExtractor:
    """Moves one identity's canonical surface, frame after frame: vertices and faces correspond in every frame."""

    def __init__(
        self, head: NeuralHead, identity: Array | None = None, resolution: int = 128, lipschitz: float = LIPSCHITZ
    ):
        """Raises EngineError when the grid does not fit in memory; resolution is in grid points a side."""
        require_memory(resolution, head.device)
        self.head, self.identity, self.resolution, self.lipschitz = head, identity, resolution, lipschitz
        self._canonical: Surface | None = None

    def extract(self, expression: Array | None = None) -> Surface:
        """The surface of an expression code (E,). Raises EngineError when the field has no surface in the box."""
        if self._canonical is None:
            self._canonical = self._canonical_surface()
        surface = self._canonical
        vertices = torch.as_tensor(surface.canonical, device=self.head.device)
        with torch.no_grad():
            offsets = self.head.pose(self.identity, expression).deformation(vertices)  # (V, 3)
        mask = self.head.mask_weights(vertices)
        moved = vertices + (offsets if mask is None else mask[:, None] * offsets)
        return Surface(moved.cpu().numpy(), surface.faces, surface.canonical, surface.regions, surface.evaluated)

    def _canonical_surface(self) -> Surface:
        head = self.head
        posed = head.pose(self.identity)
        fading = posed.prepared.fading

        def unfaded(points: Tensor) -> tuple[Tensor, Tensor]:
            # A faded distance would be too small to say how far the surface is.
            return posed.canonical_distance(points) / fading(points), points

        with torch.no_grad():
            band = sample_narrow_band(unfaded, *head.box, self.resolution, self.lipschitz, head.device)
            known = band.row >= 0
            band.values[known] *= fading(band.canonical[band.row[known].long()])
        return self._surface(band)

    def _surface(self, band: NarrowBand) -> Surface:
        vertices, faces, _ = triangulate(band, *self.head.box)
        points = torch.from_numpy(vertices).to(self.head.device)
        regions = self.head.prepare_identity(self.identity).regions.weights(points)
        return Surface(vertices, faces, vertices, regions.mul(255).round().byte().cpu().numpy(), len(band.canonical))
