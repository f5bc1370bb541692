"""Pictures of where extracted surfaces are off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps

from engine.head.surface.extract import extract_surface
from evaluation.head.poses import JUDGED_POSES
from evaluation.render import shade
from training.head.ground_truth import HeadSolid
from training.head.ict import UNITS_PER_MILLIMETRE, named_weights

if TYPE_CHECKING:
    from evaluation.head.evaluate import HeadEvaluation

SHOWN_POSES = ("neutral", "jawOpen 1", "mouthFunnel", "mouthSmile", "pressed lips", "blink")
BRIGHTEST = 1.0  # mm
VIEWS = ((0.0, 0.0, 1.0), (0.7, 0.0, 0.7))


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
            np.concatenate([shade(surface.vertices, surface.faces, colours, towards, pixels=300) for towards in VIEWS])
        )
    return np.concatenate(columns, 1)
