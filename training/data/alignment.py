"""Do labels fit the sound? Two measurements per source that need no second labelling.

Sibilants fill the band above 4 kHz and little else does, so the shift of the labels that correlates best with that
band's share tells their offset. Bilabials close the mouth, so between 0.8 and 4 kHz it is quietest inside the label.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.signal import butter, sosfiltfilt

from engine.shared.units import SAMPLE_RATE
from training.phones import BILABIALS, PHONES, SILENCE, to_phone

HOP = 0.005  # seconds between levels
_SHIFTS = np.arange(-8, 9)
_TOLERANCE = 0.01
_SONORANT = {"vowel", "nasal", "approximant"}


def band_level(audio: np.ndarray, low: float, high: float) -> np.ndarray:
    """Level in dB of a band of audio (S,), every HOP seconds: (N,)."""
    band = sosfiltfilt(butter(4, (low, high), "bandpass", fs=SAMPLE_RATE, output="sos"), audio)
    hop = int(HOP * SAMPLE_RATE)
    frames = np.square(band[: len(band) // hop * hop]).reshape(-1, hop).mean(axis=1)
    return 10 * np.log10(np.convolve(frames, np.ones(3) / 3, "same") + 1e-9)


def sibilant_offset(clips: Iterable[tuple[np.ndarray, list]]) -> float:
    """Seconds by which labels run ahead of the sound (negative: behind), over clips of (audio (S,), phone rows).

    Only sibilants between vowels or sonorants count: pauses and bursts have high frequencies of their own.
    """
    levels, labels = [], []
    reach = len(_SHIFTS) // 2
    for audio, phones in clips:
        share = band_level(audio, 4000, 7500) - band_level(audio, 100, 4000)
        for (left, first, start), (label, _, end), (right, _, last) in _triples(phones):
            manners = [PHONES[to_phone(name)].manner for name in (left, label, right)]
            begin, stop = round(first / HOP) + reach, round(last / HOP) - reach
            if manners[1] == "sibilant" and {manners[0], manners[2]} <= _SONORANT and begin < stop:
                times = (np.arange(begin - reach, stop + reach) + 0.5) * HOP
                if begin >= reach and stop + reach <= len(share):
                    shifted = [share[begin + shift : stop + shift] for shift in _SHIFTS]
                    levels.append(np.stack(shifted))
                    labels.append(((times >= start) & (times < end))[reach : len(times) - reach])
    if not labels:
        return float("nan")
    sound, labelled = np.concatenate(levels, axis=1), np.concatenate(labels)
    fit = np.array([np.corrcoef(row, labelled)[0, 1] for row in sound])
    best = int(fit.argmax())
    peak = 0.0
    if 0 < best < len(fit) - 1:
        before, top, after = fit[best - 1 : best + 2]
        peak = 0.5 * (before - after) / (before - 2 * top + after)
    return float((_SHIFTS[best] + peak) * HOP)


def bilabial_dips(clips: Iterable[tuple[np.ndarray, list]]) -> np.ndarray:
    """For each bilabial between other phones: does the quietest moment from the middle of the phone before to the
    middle of the phone after lie inside the label, 10 ms of tolerance? (M,) bool. About half would by chance."""
    inside = []
    for audio, phones in clips:
        level = band_level(audio, 800, 4000)
        for (left, first, start), (label, _, end), (right, _, last) in _triples(phones):
            if to_phone(label) in BILABIALS and SILENCE not in (to_phone(left), to_phone(right)):
                begin, stop = int((first + start) / 2 / HOP), int((end + last) / 2 / HOP)
                if stop > begin and len(level) > stop:
                    quietest = (begin + level[begin:stop].argmin() + 0.5) * HOP
                    inside.append(start - _TOLERANCE <= quietest <= end + _TOLERANCE)
    return np.array(inside)


def _triples(phones: list) -> Iterable[tuple]:
    return zip(phones, phones[1:], phones[2:], strict=False)
