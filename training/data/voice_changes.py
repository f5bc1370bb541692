"""Another voice for the same words: tempo, pitch, formants and whisper. Phones keep their times but for the tempo.

Formants and whisper work on short-time spectra whose envelope comes from linear prediction (Makhoul, Linear
Prediction: A Tutorial Review, 1975); tempo on overlapping frames aligned by waveform similarity (Verhelst and Roelands,
WSOLA, 1993).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.signal import istft, resample_poly, stft

from engine.shared.units import SAMPLE_RATE

_ORDER = 18  # poles of the vocal tract's envelope; two for each kHz and two for the glottis
_FRAME, _STEP = 640, 320  # WSOLA: 40 ms frames every 20 ms
_SEARCH = 128  # samples around the ideal place of a frame, a period of 125 Hz
_SPECTRUM = {"fs": SAMPLE_RATE, "nperseg": 512, "noverlap": 256}


@dataclass(frozen=True)
class VoiceChange:
    """varispeed: factor of pitch, formants and tempo together, in hundredths. tempo: factor of the tempo alone.
    formants: factor of the formants alone. whispered: without a pitch."""

    varispeed: float = 1.0
    tempo: float = 1.0
    formants: float = 1.0
    whispered: bool = False

    @classmethod
    def draw(cls, generator: np.random.Generator) -> VoiceChange:
        """Pitch and formants within 25 %, tempo 0.8 to 1.6; a third of the draws leaves the voice as it is."""
        kind = generator.random()
        if kind < 0.35:
            return cls()
        factor = round(float(np.exp(generator.uniform(np.log(0.8), np.log(1.25)))), 2)
        if kind < 0.65:
            return cls(varispeed=factor)
        if kind < 0.86:
            return cls(factor, tempo=float(np.exp(generator.uniform(np.log(0.8), np.log(1.6)))) / factor)
        if kind < 0.96:
            return cls(formants=factor)
        return cls(whispered=True)

    @property
    def speed(self) -> float:
        """Source seconds per second of the result."""
        return self.varispeed * self.tempo

    def apply(self, audio: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Changed audio (S,), about S / speed samples long."""
        if self.varispeed != 1.0:
            audio = varispeed(audio, self.varispeed)
        if self.tempo != 1.0:
            audio = stretch(audio, self.tempo)
        if self.formants != 1.0:
            audio = shift_formants(audio, self.formants)
        return whisper(audio, generator) if self.whispered else audio


def varispeed(audio: np.ndarray, factor: float) -> np.ndarray:
    """Audio (S,) played `factor` times as fast: pitch and formants rise, duration shrinks to int(S / factor).

    factor: in hundredths, so that sounds keep their times to the sample.
    """
    ratio = Fraction(round(100 * factor), 100)
    result = resample_poly(audio, ratio.denominator, ratio.numerator)
    return result[: int(len(audio) / factor)].astype(np.float32)


def stretch(audio: np.ndarray, tempo: float) -> np.ndarray:
    """Audio (S,) spoken `tempo` times as fast with its pitch and formants: int(S / tempo) samples. tempo: 0.5 to 2."""
    length = int(len(audio) / tempo)
    padded = np.pad(audio, (_SEARCH + _FRAME, 2 * _FRAME + _SEARCH)).astype(np.float32)
    window = np.hanning(_FRAME + 1)[:-1].astype(np.float32)
    result = np.zeros(length + 2 * _FRAME, np.float32)
    place = _SEARCH + _FRAME
    for start in range(0, length + _FRAME, _STEP):
        result[start : start + _FRAME] += window * padded[place : place + _FRAME]
        wanted = padded[place + _STEP : place + _STEP + _FRAME]
        ideal = _SEARCH + _FRAME + int((start + _STEP) * tempo)
        begin = min(ideal, len(padded) - _FRAME - _SEARCH) - _SEARCH
        around = padded[begin : begin + _FRAME + 2 * _SEARCH]
        # Every other sample finds the best lag as well and costs a quarter.
        place = begin + 2 * int(np.correlate(around[::2], wanted[::2], "valid").argmax())
        place = min(place, len(padded) - _FRAME - _STEP)
    return result[:length]


def shift_formants(audio: np.ndarray, factor: float) -> np.ndarray:
    """Audio (S,) with its formants at `factor` times their frequencies; pitch and times stay."""
    spectra = _spectra(audio)
    envelope = spectral_envelope(spectra)
    bins = np.arange(len(envelope))
    source = np.minimum(bins / factor, len(envelope) - 1)
    low = np.minimum(source.astype(int), len(envelope) - 2)
    share = (source - low)[:, None]
    moved = (1 - share) * envelope[low] + share * envelope[low + 1]
    # A factor below 1 reads beyond the band's end; the last envelope value goes on there.
    _, result = istft(spectra * np.minimum(moved / envelope, 10.0), **_SPECTRUM)
    return result[: len(audio)].astype(np.float32)


def whisper(audio: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Audio (S,) whispered: noise in place of the glottis, through the same vocal tract."""
    spectra, noise = _spectra(audio), _spectra(generator.standard_normal(len(audio)))
    unit = noise / np.sqrt(np.mean(np.abs(noise) ** 2))
    _, result = istft(spectral_envelope(spectra) * unit, **_SPECTRUM)
    return result[: len(audio)].astype(np.float32)


def _spectra(audio: np.ndarray) -> np.ndarray:
    """Short-time spectra (F, T) of audio (S,), which is padded to one frame at least."""
    return stft(np.pad(audio, (0, max(_SPECTRUM["nperseg"] - len(audio), 0))), **_SPECTRUM)[2]


def spectral_envelope(spectra: np.ndarray) -> np.ndarray:
    """Magnitude of the all-pole envelope of spectra (F, T): (F, T), by the autocorrelation method."""
    power = np.abs(spectra) ** 2
    correlation = np.fft.irfft(power, axis=0)[: _ORDER + 1]
    correlation[0] = correlation[0] * 1.0001 + 1e-12
    predictor, error = _levinson(correlation)
    response = np.fft.rfft(predictor, 2 * (len(spectra) - 1), axis=0)
    return np.sqrt(error) / np.maximum(np.abs(response), 1e-6)


def _levinson(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predictor polynomials (P + 1, T) and error powers (T,) of autocorrelations (P + 1, T), all columns at once."""
    order = len(correlation) - 1
    predictor = np.zeros_like(correlation)
    predictor[0] = 1.0
    error = correlation[0].copy()
    for step in range(1, order + 1):
        reflection = -(predictor[:step] * correlation[step:0:-1]).sum(axis=0) / error
        predictor[1 : step + 1] += reflection * predictor[step - 1 :: -1][:step]
        error = error * (1 - reflection**2)
    return predictor, error
