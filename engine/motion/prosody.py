"""Prosody of a voice at the code rate: level, voicing, pitch, spectral tilt and prominence.

The speech features say which sounds are spoken; these say how. Level and pitch count relative to the clip's own, so
neither the microphone nor the speaker matters. Pitch is the lag of the highest normalised autocorrelation (Boersma
1993, without its path search); prominence follows what makes a syllable stand out in English: louder than its
surroundings and higher than the pitch around it (Terken 1991; Kochanski et al. 2005).

Shape letters: S samples at 16 kHz, H analysis frames every 10 ms, N code frames.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.fft import irfft, rfft
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, median_filter
from torch import Tensor

from ..shared.units import CODE_RATE, SAMPLE_RATE

PROSODY_DIMENSIONS = 6
LEVEL, VOICING, PITCH, SLOPE, TILT, PROMINENCE = range(PROSODY_DIMENSIONS)

_DECIMATION = 2  # analysis runs at 8 kHz
_RATE = SAMPLE_RATE // _DECIMATION
_HOP = _RATE // 100
_WINDOW = 320  # 40 ms: two periods of 50 Hz
_FFT = 1024
_LOWEST, _HIGHEST = 70.0, 420.0  # Hz of a speaking voice
_QUIET = -50.0  # dB: a reference below it means that nobody speaks
_BLOCK = 6000  # analysis frames at a time, so that an hour takes little memory
ACCENT = 0.55  # prominence of a pitch accent
ACCENT_SPACING = 0.22  # seconds
# The most prominent twentieth of a lively reading begins at LIVELY; a flatter voice's syllables stand out against its
# own flatness, so its prominence is raised to that, up to a factor.
LIVELY, LARGEST_RAISE = 0.8, 2.2


def prosody(samples: np.ndarray, frames: int, rate: float = CODE_RATE) -> np.ndarray:
    """Prosody (N, 6) float32 of mono samples (S,) at 16 kHz for N = `frames` code frames.

    Columns: level (0 in silence, 1 at the clip's loud syllables), voicing 0 to 1, pitch and its change in 0.1 s
    (quarter octaves from the clip's median), spectral tilt (10 dB from the clip's mean, more is more effort),
    prominence (about 1 at a syllable that this voice accents).
    """
    level, high, voicing, pitch = analysed(np.asarray(samples, np.float32))
    reference = max(float(np.percentile(level, 92)), _QUIET)
    relative = np.clip((level - reference) / 40 + 1, 0, 1.25)
    voicing = voicing * np.clip((relative - 0.35) / 0.2, 0, 1)
    voiced = voicing > 0.5
    semitones = _filled_pitch(pitch, voiced)
    tilt = np.clip((high - level - _mean(high - level, voiced)) / 10, -2, 2) * np.clip(relative, 0, 1)
    fine = np.zeros((PROSODY_DIMENSIONS, len(level)))
    fine[LEVEL], fine[VOICING], fine[PITCH], fine[TILT] = relative, voicing, semitones / 3, tilt
    fine[SLOPE] = np.clip(gaussian_filter1d(semitones, 5, order=1) * 10 / 3, -2, 2)
    fine[PROMINENCE] = _prominence(level, semitones, voiced, relative)
    smooth = gaussian_filter1d(fine, 1.5, axis=1)
    times = np.arange(frames) / rate
    return np.stack([np.interp(times, np.arange(len(level)) / 100, row) for row in smooth], 1).astype(np.float32)


def with_prosody(features: Tensor, samples: np.ndarray, rate: float = CODE_RATE) -> Tensor:
    """Speech features (N, A) beside the prosody of their samples (S,) at 16 kHz: (N, A + 6)."""
    measured = torch.from_numpy(prosody(samples, len(features), rate))
    return torch.cat([features, measured.to(features)], dim=-1)


def accents(table: np.ndarray, rate: float = CODE_RATE) -> tuple[np.ndarray, np.ndarray]:
    """Times in seconds (K,) and strengths (K,) of the accents that a prosody (N, 6) shows: peaks of prominence."""
    prominence = np.asarray(table, np.float64)[:, PROMINENCE]
    size = 2 * round(ACCENT_SPACING * rate) + 1
    peaks = np.flatnonzero((prominence == maximum_filter1d(prominence, size)) & (prominence > ACCENT))
    peaks = peaks[np.insert(np.diff(peaks) > size // 2, 0, True)] if len(peaks) else peaks
    inner = np.clip(peaks, 1, max(len(prominence) - 2, 1))
    before, top, after = (prominence[np.clip(inner + i, 0, len(prominence) - 1)] for i in (-1, 0, 1))
    bow = before - 2 * top + after
    shift = np.where(bow < -1e-9, 0.5 * (before - after) / np.where(bow < -1e-9, bow, -1.0), 0.0)
    return (peaks + np.clip(shift, -0.5, 0.5)) / rate, prominence[peaks]


def analysed(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Level and level above 1 kHz in dB, voicing and pitch in Hz, (H,) each."""
    pairs = samples[: len(samples) // _DECIMATION * _DECIMATION].reshape(-1, _DECIMATION)
    signal = np.pad(pairs.mean(axis=1), (_WINDOW // 2, _WINDOW))
    count = max(1, (len(signal) - _WINDOW) // _HOP)
    windows = np.lib.stride_tricks.sliding_window_view(signal, _WINDOW)[::_HOP][:count]
    parts = [_spectral(windows[first : first + _BLOCK]) for first in range(0, len(windows), _BLOCK)]
    level, above, voicing, pitch = (np.concatenate(part) for part in zip(*parts, strict=True))
    return level, above, voicing, pitch


_HANN = np.hanning(_WINDOW).astype(np.float32)
_HANN_CORRELATION = irfft(np.abs(rfft(_HANN, _FFT)) ** 2) / np.square(_HANN).sum()  # 1 at lag 0
_LAGS = slice(int(_RATE / _HIGHEST), int(_RATE / _LOWEST) + 2)


def _spectral(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    centred = (windows - windows.mean(axis=1, keepdims=True)) * _HANN
    power = np.abs(rfft(centred, _FFT, axis=1)) ** 2
    scale = 2 / (_FFT * np.square(_HANN).sum())
    level = 10 * np.log10(power.sum(axis=1) * scale + 1e-9)
    high = 10 * np.log10(power[:, _FFT // 8 :].sum(axis=1) * scale + 1e-9)
    correlation = irfft(power, axis=1)[:, : _LAGS.stop + 1] / _HANN_CORRELATION[: _LAGS.stop + 1]
    normalised = correlation / (correlation[:, :1] + 1e-6)
    lags = np.arange(_LAGS.start, _LAGS.stop)
    scores = normalised[:, _LAGS] - 0.02 * np.log2(lags / lags[0])  # of two octaves the higher, when they are alike
    best = scores.argmax(axis=1) + _LAGS.start
    rows = np.arange(len(best))
    before, top, after = (normalised[rows, best + i] for i in (-1, 0, 1))
    bow = np.minimum(before - 2 * top + after, -1e-6)
    lag = best + np.clip(0.5 * (before - after) / bow, -0.5, 0.5)
    return level, high, np.clip((top - 0.3) / 0.4, 0, 1), _RATE / lag


def _filled_pitch(pitch: np.ndarray, voiced: np.ndarray) -> np.ndarray:
    """Semitones from the median of the voiced frames (H,), those between filled in; 0 where nobody speaks."""
    if voiced.sum() < 5:
        return np.zeros(len(pitch))
    octaves = np.log2(median_filter(pitch, 5))
    places = np.flatnonzero(voiced)
    semitones = 12 * (octaves[places] - np.median(octaves[places]))
    # An octave slip is farther than a speaker goes.
    filled = np.interp(np.arange(len(pitch)), places, np.clip(semitones, -9, 12))
    return gaussian_filter1d(filled, 2)


def _mean(values: np.ndarray, voiced: np.ndarray) -> float:
    return float(values[voiced].mean()) if voiced.any() else float(values.mean())


def _prominence(level: np.ndarray, semitones: np.ndarray, voiced: np.ndarray, relative: np.ndarray) -> np.ndarray:
    """(H,): how much a syllable is louder and higher than what surrounds it within a second."""
    speaking = gaussian_filter1d(np.clip((relative - 0.4) / 0.2, 0, 1), 3)
    around = gaussian_filter1d(speaking, 45) + 1e-3

    def above(values: np.ndarray, width: float) -> np.ndarray:
        local = gaussian_filter1d(values * speaking, 45) / around
        return gaussian_filter1d(values, width) - local

    nucleus = gaussian_filter1d(voiced.astype(float), 4)
    loud, raised = above(level, 6) / 8, above(semitones, 6) / 3
    absolute = np.clip(0.6 * loud + 0.6 * raised, 0, 2) * nucleus * speaking
    top = float(np.percentile(absolute[relative > 0.4], 95)) if (relative > 0.4).any() else 0.0
    return np.clip(absolute * np.clip(LIVELY / max(top, 1e-3), 1, LARGEST_RAISE), 0, 2)
