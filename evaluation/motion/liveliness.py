"""Figures of everything above and around the mouth: blinks, gaze, head, seeds, emotions, and how quickly things move.

Weights are (N, 57) of WEIGHT_NAMES and poses (N, 6) of POSE_NAMES at the code rate, frame i at i / 24 s.
"""

from __future__ import annotations

import numpy as np

from engine.motion.prosody import accents, prosody
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.controls import EMOTIONS
from engine.shared.pose import DEGREES_PER_LOOK, POSE_NAMES
from engine.shared.units import CODE_RATE
from evaluation.motion.metrics import correlation
from training.prior.emotion import action_table

CLOSED_LID = 0.95
SHIFT_DEGREES = 1.2  # in a frame, from which the gaze shifts
NOD_DEGREES, NOD_REACH = 1.0, 8  # that a nod comes down from its surroundings, and frames that these are
NEAR_ACCENT = 0.08  # seconds
MOVING = 0.015  # standard deviation from which a weight takes part in a comparison
BANDS = ((0.5, 2.0), (2.0, 4.0), (4.0, 6.0), (6.0, 8.0))  # Hz
_MOUTH = [i for i, name in enumerate(ARKIT_NAMES) if name.startswith(("jaw", "mouth"))]


def _column(weights: np.ndarray, name: str) -> np.ndarray:
    return weights[:, ARKIT_NAMES.index(name)]


def _peaks(values: np.ndarray, least: float) -> np.ndarray:
    inner = values[1:-1]
    return np.flatnonzero((inner > least) & (inner >= values[:-2]) & (inner > values[2:])) + 1


def blink_peaks(weights: np.ndarray) -> np.ndarray:
    """How far the lids close in every blink (K,)."""
    lids = np.minimum(_column(weights, "eyeBlinkLeft"), _column(weights, "eyeBlinkRight"))
    return lids[_peaks(lids, 0.5)]


def gaze_shifts(weights: np.ndarray) -> int:
    """How often the eyes jump by more than SHIFT_DEGREES."""
    left = _column(weights, "eyeLookOutLeft") - _column(weights, "eyeLookInLeft")
    up = _column(weights, "eyeLookUpLeft") - _column(weights, "eyeLookDownLeft")
    return len(_peaks(DEGREES_PER_LOOK * np.hypot(np.diff(left), np.diff(up)), SHIFT_DEGREES))


def nods(pose: np.ndarray) -> np.ndarray:
    """Seconds (K,) at which the head is lowest in a nod."""
    pitch = pose[:, POSE_NAMES.index("pitch")]
    around = [
        (pitch[max(i - NOD_REACH, 0) : i + 1].min(), pitch[i : i + NOD_REACH + 1].min()) for i in range(len(pitch))
    ]
    deep = [i for i in _peaks(pitch, -np.inf) if pitch[i] - max(around[i]) > NOD_DEGREES]
    return np.array(deep) / CODE_RATE


def nods_at_accents(pose: np.ndarray, audio: np.ndarray) -> tuple[int, int, float]:
    """Nods near a pitch accent of the voice (S,), all nods, and how many would be near one by chance."""
    found, (times, _) = nods(pose), accents(prosody(audio, len(pose)))
    seconds = len(pose) / CODE_RATE
    grid = np.arange(0, seconds, 0.005)
    if not len(found) or not len(times):
        return 0, len(found), 0.0
    near = np.abs(found[:, None] - times).min(axis=1) <= NEAR_ACCENT
    covered = np.abs(grid[:, None] - times).min(axis=1) <= NEAR_ACCENT
    return int(near.sum()), len(found), float(covered.mean() * len(found))


def mouth_likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Mean correlation of the moving weights of the mouth of two takes."""
    moving = [i for i in _MOUTH if min(one[:, i].std(), other[:, i].std()) > MOVING]
    return float(np.mean([correlation(one[:, i], other[:, i]) for i in moving])) if moving else 0.0


def named_emotion(weights: np.ndarray, neutral: np.ndarray) -> str:
    """The emotion whose facial actions are most like how a take's mean (W,) differs from a neutral one (W,)."""
    change = np.clip(weights - neutral, 0, None)[: len(ARKIT_NAMES)]
    likeness = []
    for side in (1.0, -1.0):
        table = action_table(side)[:, : len(ARKIT_NAMES)]
        likeness.append(table @ change / np.linalg.norm(table, axis=1))
    return EMOTIONS[int(np.max(likeness, axis=0).argmax())]


def band_powers(values: np.ndarray, rate: float = CODE_RATE) -> np.ndarray:
    """Power of a course (N,) in each of BANDS, mean squares."""
    centred = (values - values.mean()) * np.hanning(len(values))
    power = np.square(np.abs(np.fft.rfft(centred))) / np.square(np.hanning(len(values))).sum() / len(values) * 2
    frequencies = np.fft.rfftfreq(len(values), 1 / rate)
    return np.array([power[(frequencies >= low) & (frequencies < high)].sum() for low, high in BANDS])
