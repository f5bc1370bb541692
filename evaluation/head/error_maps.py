"""Pictures of where extracted surfaces are off."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps

from engine.head.surface.extract import extract_surface
from engine.shared.units import UNITS_PER_MILLIMETRE
from evaluation.head.measurement import HeadEvaluation
from evaluation.head.poses import JUDGED_POSES, SHOWN_POSES
from evaluation.head.report import BRIGHTEST
from evaluation.shared.render import View, shade
from training.head.ground_truth import HeadSolid
from training.head.ict import named_weights

VIEWS = (View((0.0, 0.0, 1.0)), View((0.7, 0.0, 0.7)))
PIXELS = 300


def error_maps(evaluation: HeadEvaluation, resolution: int) -> np.ndarray:
    """(H, W, 3) picture in 0..1: the first head in SHOWN_POSES from two sides, brighter the further from the truth."""
    identity, neutral, canonical = evaluation.identity(0)
    columns = []
    for name in SHOWN_POSES:
        weights = named_weights(JUDGED_POSES[name])
        truth = HeadSolid(evaluation.topology, evaluation.face_kit.posed(neutral, weights), canonical.throat)
        surface = extract_surface(evaluation.head, identity, evaluation.code(weights), resolution)
        distance = truth.distance(surface.vertices) / UNITS_PER_MILLIMETRE
        colours = colormaps["viridis"](np.clip(distance / BRIGHTEST, 0, 1))[:, :3]
        columns.append(
            np.concatenate([shade(surface.vertices, surface.faces, colours, view, PIXELS) for view in VIEWS])
        )
    return np.concatenate(columns, 1)
