"""Recording conditions that leave phones and their times as they are: noise, music, rooms, narrow bands, codecs."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

from engine.shared.units import SAMPLE_RATE


class Augmenter:
    """Draws random recording conditions. Noises, music and rooms are made once, from a seed.

    seconds: length of the longest clip that will be augmented.
    """

    def __init__(self, seconds: float, seed: int) -> None:
        generator = np.random.default_rng((seed, 77))
        length = int(seconds * SAMPLE_RATE)
        self.noises = [_coloured_noise(length, exponent, generator) for exponent in np.linspace(0.0, 2.2, 24)]
        self.noises += [_hum(length, generator) for _ in range(4)]
        self.rooms = [_room(generator) for _ in range(24)]
        self.pieces = [music(length, generator) for _ in range(8)]

    def noise(self, length: int, generator: np.random.Generator) -> np.ndarray:
        """Room tone of unit root mean square, float32 (length,)."""
        return _excerpt(self.noises, length, generator)

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
            sounds = self.pieces if generator.random() < 0.15 else self.noises
            audio = audio + level * ratio * _excerpt(sounds, len(audio), generator)
        if generator.random() < 0.1:
            limit = generator.uniform(0.2, 0.8) * np.abs(audio).max()
            audio = np.clip(audio, -limit, limit)
        if generator.random() < 0.1:
            audio = drifting_gain(audio, generator)
        if generator.random() < 0.08:
            audio = telephone(audio) if generator.random() < 0.6 else companded(audio)
        return audio.astype(np.float32)

    def silence(self, length: int, generator: np.random.Generator) -> np.ndarray:
        """A recording without speech, float32 (length,): digital silence, room tone, tone with clicks, or music."""
        kind = generator.random()
        if kind < 0.2:
            return np.zeros(length, np.float32)
        if kind < 0.4:
            return 10 ** generator.uniform(-3, -1) * _excerpt(self.pieces, length, generator)
        audio = 10 ** generator.uniform(-4, -1) * self.noise(length, generator)
        if kind > 0.8:
            clicks = generator.integers(0, length, 3)
            audio = audio.copy()
            audio[clicks] += generator.uniform(-0.5, 0.5, 3)
        return audio.astype(np.float32)

    def _narrow_band(self, audio: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        low, high = generator.uniform(60, 300), generator.uniform(3000, 7000)
        return sosfilt(butter(2, (low, high), "bandpass", fs=SAMPLE_RATE, output="sos"), audio)


def telephone(audio: np.ndarray) -> np.ndarray:
    """Audio (S,) as a telephone line carries it: sampled at 8 kHz, eight bits by the mu-law (ITU-T G.711)."""
    return resample_poly(companded(resample_poly(audio, 1, 2)), 2, 1)[: len(audio)]


def companded(audio: np.ndarray) -> np.ndarray:
    """Audio (S,) quantised to eight bits by the mu-law with mu = 255, full scale at its peak."""
    peak = np.abs(audio).max() + 1e-9
    compressed = np.sign(audio) * np.log1p(255 * np.abs(audio) / peak) / np.log(256)
    quantised = np.round(compressed * 127) / 127
    return peak * np.sign(quantised) * np.expm1(np.abs(quantised) * np.log(256)) / 255


def drifting_gain(audio: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Audio (S,) whose level wanders within 8 dB to both sides, as when a speaker moves about the microphone."""
    knots = generator.uniform(-8, 8, 2 + len(audio) // SAMPLE_RATE)
    decibels = np.interp(np.linspace(0, len(knots) - 1, len(audio)), np.arange(len(knots)), knots)
    return audio * 10 ** (decibels / 20)


def music(length: int, generator: np.random.Generator) -> np.ndarray:
    """Chords and a melody of plucked and sustained tones, float32 (length,); unit root mean square."""
    piece = np.zeros(length)
    beat = int(generator.uniform(0.25, 0.6) * SAMPLE_RATE)
    root = generator.uniform(36, 55)  # MIDI note number
    scale = np.array((0, 2, 4, 5, 7, 9, 11) if generator.random() < 0.6 else (0, 2, 3, 5, 7, 8, 10))
    decay = generator.uniform(1.0, 6.0)
    for start in range(0, length, beat):
        degree = generator.integers(7)
        notes = [root + 24 + scale[generator.integers(7)]]
        if start // beat % 4 == 0:
            notes += [root + scale[(degree + third) % 7] for third in (0, 2, 4)]
        times = np.arange(min(4 * beat, length - start)) / SAMPLE_RATE
        envelope = np.minimum(times / 0.01, 1.0) * np.exp(-decay * times)
        for note in notes:
            frequency = 440 * 2 ** ((note - 69) / 12)
            partials = sum(np.sin(2 * np.pi * order * frequency * times) / order**1.3 for order in range(1, 6))
            piece[start : start + len(times)] += envelope * partials
    return (piece / piece.std()).astype(np.float32)


def _excerpt(sounds: list[np.ndarray], length: int, generator: np.random.Generator) -> np.ndarray:
    sound = sounds[generator.integers(len(sounds))]
    return np.roll(sound, int(generator.integers(len(sound))))[:length]


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
