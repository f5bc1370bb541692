"""One labelled utterance on its way into the cache, and the reading of sound files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
from scipy.signal import resample_poly

from engine.shared.units import SAMPLE_RATE


@dataclass(frozen=True)
class Utterance:
    """A recording or a synthesised sentence.

    key: unique name. corpus, speaker: names. phones: rows [phone of the inventory, start seconds, end seconds], empty
    where nobody labelled them. samples: int16 (S,) at 16 kHz.
    """

    key: str
    corpus: str
    speaker: str
    phones: list
    samples: np.ndarray


def to_samples(audio: np.ndarray, rate: int) -> np.ndarray:
    """int16 samples (S,) at 16 kHz of mono audio (T,) float in -1..1 at another rate."""
    if rate != SAMPLE_RATE:
        divisor = int(np.gcd(rate, SAMPLE_RATE))
        audio = resample_poly(audio, SAMPLE_RATE // divisor, rate // divisor)
    return np.clip(np.round(audio * 32767), -32768, 32767).astype(np.int16)


def read_audio(file: Path | BinaryIO) -> np.ndarray:
    """int16 samples (S,) at 16 kHz of a sound file, channels mixed down."""
    samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    return to_samples(samples.mean(axis=1), rate)


def shifted(phones: list, offset: float) -> list:
    """Phone rows moved by `offset` seconds; the first row still starts at 0."""
    times = [(start + offset if start else 0.0, end + offset) for _, start, end in phones]
    return [[row[0], round(max(start, 0.0), 5), round(end, 5)] for row, (start, end) in zip(phones, times, strict=True)]
