"""Contact of the lower lip with the upper teeth, by which labiodentals are seen, on a head with a template."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from engine.head.head import NeuralHead
from engine.head.topology.template import canonical_vertices, vertex_displacements
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.units import MILLIMETRES_PER_UNIT

HALF_WIDTH_MM = 8.0  # the incisors, either side of the mid-line
# A jaw that opens fully carries the lower lip this far at least, and the upper teeth at most.
LOWER_MOVES_MM, UPPER_MOVES_MM = 15.0, 1.0


class LipToTeeth:
    """Distances between the middle of the lower lip and the upper incisors of the mean head."""

    def __init__(self, head: NeuralHead) -> None:
        vertices = canonical_vertices(head, None)
        displacements = vertex_displacements(head).numpy()  # (V, W + 1, 3)
        neutral = MILLIMETRES_PER_UNIT * (vertices.numpy() + displacements[:, -1])  # (V, 3)
        modes = MILLIMETRES_PER_UNIT * displacements[:, :-1]  # (V, W, 3)
        with_jaw = np.linalg.norm(modes[:, ARKIT_NAMES.index("jawOpen")], axis=1)
        region = head.template["regions"].numpy().argmax(axis=1)
        middle = np.abs(neutral[:, 0]) < HALF_WIDTH_MM
        teeth = middle & (region == head.region_names.index("teeth")) & (with_jaw < UPPER_MOVES_MM)
        lip = middle & (region == head.region_names.index("lips")) & (with_jaw > LOWER_MOVES_MM)
        self.teeth = cKDTree(neutral[teeth])
        self.lip, self.lip_modes = neutral[lip], modes[lip].transpose(1, 0, 2)  # (L, 3), (W, L, 3)

    def distance(self, weights: np.ndarray) -> np.ndarray:
        """Smallest distance (N,) in mm for ARKit weights (N, 52)."""
        posed = self.lip + np.tensordot(weights, self.lip_modes, axes=1)  # (N, L, 3)
        return np.array([self.teeth.query(points)[0].min() for points in posed])
