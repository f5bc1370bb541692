"""The face points of a head: how its template moves them."""

from __future__ import annotations

import numpy as np
import torch

from ..head import NeuralHead
from ..shared.weights import WEIGHT_NAMES
from .correspondence import FACE_POINTS, LIP_PAIRS
from .evidence import PointModel


def point_model(head: NeuralHead) -> PointModel:
    """The point model of a head with a template. Raises EngineError when it has none."""
    template = head.fixed_topology()
    places = torch.tensor([point.place for point in FACE_POINTS], device=template.vertices.device)
    moved = template.interpolated(places, template.displacements(len(WEIGHT_NAMES))).cpu().numpy().astype(np.float64)
    heights = places.cpu().numpy()[:, 1] + moved[:, -1, 1]  # of the neutral head
    place = {point.number: row for row, point in enumerate(FACE_POINTS)}
    opening = float(np.mean([heights[place[upper]] - heights[place[lower]] for upper, lower in LIP_PAIRS]))
    return PointModel(FACE_POINTS, moved[:, :-1], opening)
