"""Figures of one method over clips, as the paper's tables have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor, nn

from evaluation.motion.metrics import Diversity, code_step, code_step_rms
from evaluation.tables.crops import face_pictures, mouth_pictures
from evaluation.tables.inception import frechet_distance, kernel_distance, picture_features
from evaluation.tables.intervals import Estimate, mean_over_clips
from evaluation.tables.methods import Clip, Method
from evaluation.tables.syncnet import PICTURE_RATE, SyncNet, lip_sync

AUTOCORRELATION_LAGS = 10


@dataclass
class Measured:
    """Figures of a method.

    estimates: by name; figures that cannot be had are missing.
    features: InceptionV3's (N, F) of the mouth pictures of each clip; empty without its weights.
    autocorrelation: of the codes (LAGS + 1,), mean over clips, None without codes.
    """

    name: str
    estimates: dict[str, Estimate] = field(default_factory=dict)
    features: list[Tensor] = field(default_factory=list)
    autocorrelation: np.ndarray | None = None


@dataclass(frozen=True)
class Judges:
    """Networks that only a user can supply; None leaves their figures out."""

    syncnet: SyncNet | None = None
    inception: nn.Module | None = None


def measure(method: Method, clips: Sequence[Clip], judges: Judges, seed: int, takes: int) -> Measured:
    """Figures of a method. takes: sampled of each clip for the diversity, where it has codes."""
    measured = Measured(method.name)
    _measure_codes(measured, method, clips, seed, takes)
    if judges.syncnet is None and judges.inception is None:
        return measured
    distances, confidences = [], []
    for clip in clips:
        faces = face_pictures(method.frames(clip, seed, PICTURE_RATE), method.mouth)
        if judges.syncnet is not None:
            score = lip_sync(judges.syncnet, faces, clip.samples)
            distances.append(score.distance)
            confidences.append(score.confidence)
        if judges.inception is not None:
            measured.features.append(picture_features(judges.inception, mouth_pictures(faces)))
    if distances:
        measured.estimates |= {"LSE-D": mean_over_clips(distances), "LSE-C": mean_over_clips(confidences)}
    return measured


def compare_pictures(measured: Sequence[Measured], reference: Measured) -> None:
    """Add FID and KID against the reference to all methods but itself."""
    for method in measured:
        if method is not reference and method.features and reference.features:
            method.estimates["FID"] = frechet_distance(method.features, reference.features)
            method.estimates["KID"] = kernel_distance(method.features, reference.features)


def autocorrelation(codes: np.ndarray, lags: int = AUTOCORRELATION_LAGS) -> np.ndarray:
    """Autocorrelation (lags + 1,) of codes (N, D) about their mean over time, all dimensions together (Fig. 9).

    Zero where nothing moves, and beyond the sequence's end.
    """
    moved = codes - codes.mean(axis=0)
    scale = float(np.square(moved).sum())
    if not scale:
        return np.zeros(lags + 1)
    shifted = [(moved[lag:], moved[: max(len(moved) - lag, 0)]) for lag in range(lags + 1)]
    return np.array([float((late * early).sum()) for late, early in shifted]) / scale


def _measure_codes(measured: Measured, method: Method, clips: Sequence[Clip], seed: int, takes: int) -> None:
    first = [method.codes(clip, seed) for clip in clips]
    found = [codes[0] for codes in first if codes is not None]
    if not found:
        return
    measured.estimates["MAE"] = mean_over_clips([code_step(codes) for codes in found])
    measured.estimates["RMSE"] = mean_over_clips([code_step_rms(codes) for codes in found])
    measured.autocorrelation = np.mean([autocorrelation(codes) for codes in found], axis=0)
    if takes > 1:
        values = []
        for clip, codes in zip(clips, found, strict=True):
            further = [method.codes(clip, seed + take) for take in range(1, takes)]
            values.append(Diversity.of([[codes, *(other[0] for other in further if other is not None)]]))
        measured.estimates["Diversity"] = mean_over_clips([value.per_frame for value in values])
        measured.estimates["Diversity, whole clip"] = mean_over_clips([value.per_sequence for value in values])
