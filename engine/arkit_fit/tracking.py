"""Where points of a head's surface go with its expression codes, for heads that deform either way."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..head.head import NeuralHead
from ..head.topology.correspondence import FRAMES_AT_ONCE, backward_map, find_roots
from ..shared.errors import EngineError
from ..shared.units import MILLIMETRES_PER_UNIT

# Shares of a code along which points are followed from rest; the first is small, as it has no motion to go on.
PATH = (0.03, 0.15, 0.4, 0.7, 1.0)
STEPS = 3
INVERTING_STEPS = 12  # once, without motion to go on
REACH = 4 / MILLIMETRES_PER_UNIT  # how far a root may lie from where the motion so far leads
LOST = 0.2 / MILLIMETRES_PER_UNIT  # residual of a point that could not be followed


class PointTracker:
    """Points of a mean head's surface, given at rest (code zero) as (P, 3) in model units.

    A head that deforms backward has no closed form: points are followed from rest along the code, so that a point on
    one lip does not end on the other.
    """

    def __init__(self, head: NeuralHead, points: np.ndarray):
        """Raises EngineError when the head's deformation is not finite."""
        self.head, self._prepared = head, head.prepare_identity(None)
        self.rest = torch.as_tensor(points, dtype=torch.float32, device=head.device)
        at_rest = self._map(torch.zeros(1, head.expression_dimensions, device=head.device))
        with torch.no_grad():
            if head.deforms_forward:
                roots = find_roots(at_rest, self.rest, self.rest[None], INVERTING_STEPS, float("inf"))
                self.canonical, self._lost = roots.points[0], roots.residual[0] > LOST
            else:
                self.canonical, self._lost = at_rest(self.rest[None])[0], torch.zeros_like(self.rest[:, 0]).bool()
        require_finite(self.canonical)

    def posed(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places (N, P, 3) in model units under codes (N, E), and which were lost (N, P) bool.

        Raises EngineError when the deformation is not finite.
        """
        given = torch.as_tensor(codes, dtype=torch.float32, device=self.head.device)
        with torch.no_grad():
            found = [self._followed(chunk) for chunk in given.split(FRAMES_AT_ONCE)]
        points = torch.cat([points for points, _ in found])
        require_finite(points)
        return points.cpu().numpy(), torch.cat([lost for _, lost in found]).cpu().numpy()

    def _map(self, codes: Tensor):
        return backward_map(self.head, self._prepared, codes)

    def _followed(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        if self.head.deforms_forward:
            canonical = self.canonical.expand(len(codes), -1, -1)
            return self._map(codes)(canonical), self._lost.expand(len(codes), -1)
        before, here = 0.0, self.rest.expand(len(codes), -1, -1)
        speed = torch.zeros_like(here)
        for share in PATH:
            guess = here + speed * (share - before)
            roots = find_roots(self._map(share * codes), self.canonical, guess, STEPS, REACH)
            speed = (roots.points - here) / (share - before)
            before, here = share, roots.points
        return here, self._lost | (roots.residual > LOST)


def require_finite(points: Tensor) -> None:
    """Raise EngineError when places (..., 3) are not finite."""
    if not torch.isfinite(points).all():
        raise EngineError("This head moves points to NaN or infinity; get its weights from their authors again.")
