"""How GRID's filmed speaker moves his mouth, as ARKit weights at the code rate.

The head's points are fitted to the tracked ones (`engine.face_capture`), whose smoothing in time is taken back first.
A camera of 25 Hz misses half of the closures, and the tongue behind the teeth: lips that close or tuck for a phone, and
the tongue, are those of the articulation prior.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from engine.bundle import Bundle
from engine.face_capture.evidence import PointModel
from engine.face_capture.fitting import fit_weights
from engine.face_capture.points_of_head import point_model
from engine.head import load_head
from engine.shared.errors import EngineError
from engine.shared.options import STARTER
from engine.shared.units import CODE_RATE, MILLIMETRES_PER_UNIT, SAMPLE_RATE
from engine.shared.weights import WEIGHT_NAMES
from training.data.films import Films, load_films, unsmoothed
from training.data.grid import spoken
from training.data.utterance import Utterance
from training.phones import BILABIALS, LABIODENTALS, Segment, segments_from_labels
from training.prior.articulation import expected_mouth
from training.prior.captured_motion import sealed_lips
from training.prior.gestures import lip_gestures
from training.prior.grid import GRID_RATE, OVERSAMPLING

CLOSURE_SECONDS = 0.02  # around a bilabial in which the pictures are asked for a touch
_FILMED = [index for index, name in enumerate(WEIGHT_NAMES) if name.startswith(("jaw", "mouth"))]
_TONGUE = [index for index, name in enumerate(WEIGHT_NAMES) if name.startswith("tongue")]


@dataclass(frozen=True)
class FilmedSentence:
    """utterance: its sound. segments: its phones. weights: (N, 57) of the mouth at the code rate."""

    utterance: Utterance
    segments: list[Segment]
    weights: np.ndarray


@dataclass(frozen=True)
class Residual:
    """How far the head's points are from the tracked ones in all sentences, medians."""

    pixels: float
    millimetres: float


def filmed_sentences(data: Path, cache: Path) -> tuple[list[FilmedSentence], Residual]:
    """All sentences but those kept out; none without the films. cache: folder in which the fit is kept."""
    films = load_films(data)
    if films is None:
        return [], Residual(0.0, 0.0)
    utterances = {utterance.key.split("/")[-1]: utterance for utterance in spoken(data)}
    fitted = _fitted(films, utterances, cache)
    parts = dict(zip(fitted["keys"].tolist(), pairwise(fitted["first"].tolist()), strict=True))
    sentences = []
    for key, utterance in utterances.items():
        if key in parts:
            weights = fitted["weights"][slice(*parts[key])].astype(np.float32)
            segments = segments_from_labels(utterance.phones, len(utterance.samples) / SAMPLE_RATE)
            sentences.append(FilmedSentence(utterance, segments, weights))
    return sentences, Residual(*fitted["residual"].tolist())


def _fitted(films: Films, utterances: dict[str, Utterance], cache: Path) -> dict:
    """Arrays keys (K,), first (K + 1,), weights (F, 57) and residual (2,) of the sentences that may be learnt from."""
    path = cache / "films.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    model = point_model(load_head(Bundle.open(STARTER), "cpu"))
    keys, weights, errors = [], [], []
    kept_out = set(films.kept_out())
    for index, key in enumerate(films.keys):
        if index in kept_out or key not in utterances:
            continue
        try:
            found, error = fitted_mouth(films, index, utterances[key], model)
        except EngineError:  # the face was lost in most of it
            continue
        keys.append(key)
        weights.append(found)
        errors.append(error)
    first = np.cumsum([0, *map(len, weights)])
    residual = np.median(np.array(errors), axis=0)
    arrays = {"keys": np.array(keys), "first": first, "weights": np.concatenate(weights).astype(np.float16)}
    arrays["residual"] = residual
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return arrays


def fitted_mouth(
    films: Films, index: int, utterance: Utterance, model: PointModel
) -> tuple[np.ndarray, tuple[float, float]]:
    """Weights (N, 57) of a sentence's mouth, and how far the points are then off, in pixels and millimetres.

    Raises EngineError when the face was lost in most of it.
    """
    part = films.frames(index)
    points = unsmoothed(films.points[part])
    count = len(points)
    segments = segments_from_labels(utterance.phones, count / films.rate)
    times = np.arange(count) / films.rate
    touching = np.zeros(count, bool)
    for segment in segments:
        if segment.phone in BILABIALS:
            touching |= (times >= segment.start - CLOSURE_SECONDS) & (times <= segment.end + CLOSURE_SECONDS)
    fitted = fit_weights(points, films.scores[part], films.numbers, model, films.rate, touching)
    frames = int((count - 1) / films.rate * CODE_RATE)
    wanted = np.arange(frames) / CODE_RATE
    weights = np.clip(CubicSpline(times, fitted.weights)(wanted), 0, 1).astype(np.float32)
    error = float(np.nanmedian(fitted.residual))
    return with_closures(weights, segments), (error / _units_per_pixel(films, points), error * MILLIMETRES_PER_UNIT)


def with_closures(weights: np.ndarray, segments: list[Segment]) -> np.ndarray:
    """Weights (N, 57) of a filmed mouth with the tongue and the closed or tucked lips that its phones ask for."""
    frames = len(weights)
    written = expected_mouth(segments, frames)
    grid = np.arange(frames * OVERSAMPLING) / GRID_RATE
    closed = lip_gestures(segments, grid, BILABIALS, approach=0.075, release=0.055)
    tucked = lip_gestures(segments, grid, LABIODENTALS, approach=0.070, release=0.060)
    share = np.maximum(closed, tucked)[::OVERSAMPLING][:frames, None]
    result = np.zeros_like(weights)
    result[:, _FILMED] = sealed_lips(weights)[:, _FILMED]
    result[:, _FILMED] += share * (written - result)[:, _FILMED]
    result[:, _TONGUE] = written[:, _TONGUE]
    return result


def _units_per_pixel(films: Films, points: np.ndarray) -> float:
    """Model units that a pixel stands for, by the corners of the eyes."""
    left, right = (points[:, films.numbers.index(number), :2] for number in (33, 263))
    apart = float(np.nanmedian(np.linalg.norm(left - right, axis=1)))
    return 2 * 0.1784 / apart
