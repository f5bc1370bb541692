"""One sequence of a dataset against what its rendered capture knows of itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.engine import Engine
from engine.motion.codes import codes_from_weights, weights_from_codes
from engine.shared.errors import EngineError
from engine.shared.hostile_files import UNREADABLE, read_npz
from engine.shared.units import METRES_PER_UNIT, MILLIMETRES_PER_UNIT
from engine.shared.weights import WEIGHT_NAMES
from evaluation.motion.metrics import code_step, code_step_rms
from training.capture.alignment import Similarity
from training.capture.expression_fitting import IDENTITY, read_identity
from training.capture.flame_fitting import FlameFit, read_fit
from training.capture.flame_model import KIT_SUBMESHES, FlameModel
from training.capture.layout import FACE, Sequence
from training.capture.talking_head import TalkingHead
from training.head.ict import FaceKit
from training.paper_dataset import CODES, read_codes

SURFACE_STEP = 9  # of the face's vertices every ninth is measured
MOUTH_WEIGHTS = [number for number, name in enumerate(WEIGHT_NAMES) if name.startswith(("jaw", "mouth"))]


@dataclass(frozen=True)
class Measured:
    """Figures of one sequence, or of several together, by name; lengths are millimetres."""

    figures: dict[str, float]
    frames: int


def read_head(sequence: Sequence, face_kit: FaceKit) -> TalkingHead:
    """What a rendered capture shows. Raises EngineError when it has no truth."""
    try:
        truth = read_npz(sequence.truth)
        return TalkingHead(face_kit, truth["coefficients"], truth["weights"], truth["poses"])
    except UNREADABLE as error:
        raise EngineError(
            f"{sequence.truth} is missing or damaged; only captures that were rendered here can be compared with the "
            "truth."
        ) from error


def measured_codes(head: TalkingHead, folder: Path, engine: Engine) -> Measured:
    """Fitted codes against the true ones, whose surface is that of the true weights."""
    codes, basis = read_codes(folder), engine.head.arkit_map.basis
    if len(codes) != len(head.weights) or codes.shape[1] != basis.shape[0]:
        raise EngineError(f"{folder} has codes {codes.shape} for {len(head.weights)} frames; fit it again.")
    true = codes_from_weights(head.weights, basis)
    weights = weights_from_codes(codes, basis)
    identity = read_identity(folder / CODES.parent / IDENTITY, engine.head)
    openings = [engine.lip_opening(values, identity) for values in (codes, true)]
    if openings[0] is None or openings[1] is None:
        raise EngineError("This head does not tell the lip opening; use one that does.")
    opening = np.abs(openings[0] - openings[1])
    face = face_vertices(head)[::SURFACE_STEP]
    pose = read_fit(folder)
    own, placed = [], []
    for frame, code in enumerate(codes):
        vertices = head.model_vertices(frame)[face]
        own.append(engine.head.signed_distance(vertices.astype(np.float32), identity, code))
        fitted = from_world(pose.pose(frame), head.world_vertices(frame)[face])
        placed.append(engine.head.signed_distance(fitted.astype(np.float32), identity, code))
    figures = {
        "MAE": code_step(codes),
        "RMSE": code_step_rms(codes),
        "MAE of the true codes": code_step(true),
        "RMSE of the true codes": code_step_rms(true),
        "neighbours' correlation": neighbours_correlation(codes),
        "code error": float(np.sqrt(((codes - true) ** 2).mean())),
        "weight error": float(np.abs(weights - head.weights).mean()),
        "mouth weight error": float(np.abs(weights - head.weights)[:, MOUTH_WEIGHTS].mean()),
        "lip opening, mean": float(opening.mean()),
        "lip opening, 95 %": float(np.percentile(opening, 95)),
    }
    figures |= _lengths("surface", np.abs(np.stack(own)) * MILLIMETRES_PER_UNIT)
    figures |= _lengths("surface with its pose", np.abs(np.stack(placed)) * MILLIMETRES_PER_UNIT)
    return Measured(figures, len(codes))


def measured_flame(head: TalkingHead, folder: Path, model: FlameModel) -> Measured:
    """The fitted model's vertices against the true ones of the same number, on the face, in the world."""
    fit: FlameFit = read_fit(folder)
    if len(fit.shape) != len(model.shapes):
        raise EngineError(f"{folder} was fitted with another model than that of ICT-FaceKit, whose truth is known.")
    kept = np.unique(head.face_kit.submesh(*KIT_SUBMESHES))
    face = face_vertices(head)
    rows = np.searchsorted(kept, face)
    errors = [
        np.linalg.norm(fit.pose(frame).apply(fit.still(model, frame)[rows]) - head.world_vertices(frame)[face], axis=1)
        for frame in range(len(head.weights))
    ]
    return Measured(_lengths("FLAME vertices", 1000 * np.stack(errors)), len(errors))


def face_vertices(head: TalkingHead) -> np.ndarray:
    """Numbers of the vertices that a segmentation calls face."""
    start, end = head.face_kit.submesh_vertices[head.face_kit.submesh_names.index("face")]
    found = np.unique(head.triangles[head.labels == FACE])
    return found[(found >= start) & (found < end)]


def from_world(pose: Similarity, points: np.ndarray) -> np.ndarray:
    """Points (P, 3) of the world in model units, by a fitted pose."""
    return pose.inverse(points) / METRES_PER_UNIT


def neighbours_correlation(codes: np.ndarray) -> float:
    """Correlation of codes (N, D) with those of the next frame, mean over what varies (the paper's Fig. 9)."""
    centred = codes - codes.mean(0)
    power = (centred**2).mean(0)
    shared = (centred[1:] * centred[:-1]).mean(0)
    varying = power > 1e-12
    return float((shared[varying] / power[varying]).mean()) if varying.any() else 1.0


def together(measured: list[Measured]) -> Measured:
    """Figures of several sequences, each counted by its frames."""
    frames = sum(one.frames for one in measured)
    names = measured[0].figures
    return Measured({n: sum(one.figures[n] * one.frames for one in measured) / frames for n in names}, frames)


def _lengths(name: str, millimetres: np.ndarray) -> dict[str, float]:
    return {
        f"{name}, mean": float(millimetres.mean()),
        f"{name}, 95 %": float(np.percentile(millimetres, 95)),
    }
