"""Changes of recordings that leave the spoken phones as they are: noise, rooms, narrow bands, another tempo."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

SAMPLE_RATE = 16000


class Augmenter:
    """Draws random recording conditions. Noises and rooms are made once, from a seed.

    seconds: length of the longest clip that will be augmented.
    """

    def __init__(self, seconds: float, seed: int) -> None:
        generator = np.random.default_rng((seed, 77))
        length = int(seconds * SAMPLE_RATE)
        self.noises = [_coloured_noise(length, exponent, generator) for exponent in np.linspace(0.0, 2.2, 24)]
        self.noises += [_hum(length, generator) for _ in range(4)]
        self.rooms = [_room(generator) for _ in range(24)]

    def noise(self, length: int, generator: np.random.Generator) -> np.ndarray:
        """Room tone of unit root mean square, float32 (length,)."""
        noise = self.noises[generator.integers(len(self.noises))]
        return np.roll(noise, int(generator.integers(len(noise))))[:length]

    def speech(self, audio: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """A recording (S,) under other conditions, same length and timing."""
        if generator.random() < 0.3:
            room = self.rooms[generator.integers(len(self.rooms))]
            audio = fftconvolve(audio, room)[: len(audio)]
        if generator.random() < 0.2:
            audio = self._narrow_band(audio, generator)
        if generator.random() < 0.55:
            level = np.sqrt(np.mean(audio**2)) + 1e-6
            ratio = 10 ** (-generator.uniform(6, 40) / 20)
            audio = audio + level * ratio * self.noise(len(audio), generator)
        if generator.random() < 0.1:
            limit = generator.uniform(0.2, 0.8) * np.abs(audio).max()
            audio = np.clip(audio, -limit, limit)
        return audio.astype(np.float32)

    def silence(self, length: int, generator: np.random.Generator) -> np.ndarray:
        """A recording without speech, float32 (length,): digital silence, room tone, or tone with clicks."""
        kind = generator.random()
        if kind < 0.25:
            return np.zeros(length, np.float32)
        audio = 10 ** generator.uniform(-4, -1) * self.noise(length, generator)
        if kind > 0.8:
            clicks = generator.integers(0, length, 3)
            audio = audio.copy()
            audio[clicks] += generator.uniform(-0.5, 0.5, 3)
        return audio.astype(np.float32)

    def _narrow_band(self, audio: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        low, high = generator.uniform(60, 300), generator.uniform(3000, 7000)
        return sosfilt(butter(2, (low, high), "bandpass", fs=SAMPLE_RATE, output="sos"), audio)


def _coloured_noise(length: int, exponent: float, generator: np.random.Generator) -> np.ndarray:
    """Noise whose power falls with frequency to the given exponent; unit root mean square."""
    spectrum = np.fft.rfft(generator.standard_normal(length))
    frequencies = np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE), 40.0)
    noise = np.fft.irfft(spectrum * frequencies ** (-exponent / 2), length)
    return (noise / noise.std()).astype(np.float32)


def _hum(length: int, generator: np.random.Generator) -> np.ndarray:
    """Mains hum with harmonics over a little hiss; unit root mean square."""
    times = np.arange(length) / SAMPLE_RATE
    base = generator.choice((50.0, 60.0))
    hum = sum(
        generator.random() / order * np.sin(2 * np.pi * (base * order * times + generator.random()))
        for order in range(1, 8)
    )
    hum = hum + 0.1 * generator.standard_normal(length)
    return (hum / hum.std()).astype(np.float32)


def _room(generator: np.random.Generator) -> np.ndarray:
    """Impulse response of a small room; the direct sound comes at sample 0, so timing is kept."""
    decay = generator.uniform(0.08, 0.4)
    times = np.arange(int(decay * SAMPLE_RATE)) / SAMPLE_RATE
    tail = generator.standard_normal(len(times)) * 10 ** (-3 * times / decay)
    tail[: int(0.002 * SAMPLE_RATE)] = 0
    tail *= generator.uniform(0.15, 0.7) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return tail.astype(np.float32)
