"""Calls of animals and of crowds, synthesised: what recordings of a few dozen animals leave out.

Birds sing motifs of sweeps, trills and squawks; mammals call through a vocal tract of any size, which opens and closes
once while the pitch glides; a crowd holds one vowel with many throats.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from engine.shared.units import SAMPLE_RATE
from training.data.voiceless import resonance

GRAIN = 1280  # samples, 80 ms
THROATS = (8, 50)


def birdsong(length: int, generator: np.random.Generator) -> np.ndarray:
    """A motif of notes, sung again and again with pauses, by one bird or two; (length,)."""
    audio = np.zeros(length)
    for _ in range(int(generator.integers(1, 3))):
        motif = [_bird_note(generator) for _ in range(int(generator.integers(1, 6)))]
        gap, pause = generator.uniform(0.0, 0.15), generator.exponential(0.6)
        level, place = generator.uniform(0.3, 1.0), int(generator.uniform(0, 0.5) * SAMPLE_RATE)
        while place < length:
            for note in motif:
                place = _lay(audio, generator.uniform(0.7, 1) * level * note, place, gap)
            place += int(pause * generator.uniform(0.7, 1.3) * SAMPLE_RATE)
    return audio


def _bird_note(generator: np.random.Generator) -> np.ndarray:
    """A sweep, a trill, a coo or a squawk."""
    kind = generator.random()
    if kind < 0.35:
        return _sweep(np.exp(generator.uniform(np.log(900), np.log(6500))), generator.uniform(0.03, 0.35), generator)
    if kind < 0.55:
        note = _sweep(np.exp(generator.uniform(np.log(900), np.log(6000))), generator.uniform(0.02, 0.09), generator)
        silence = np.zeros(int(generator.uniform(0.1, 1.0) * len(note)))
        return np.tile(np.concatenate([note, silence]), int(generator.integers(4, 25)))
    if kind < 0.7:
        return _sweep(generator.uniform(220, 900), generator.uniform(0.12, 0.8), generator)
    return _squawk(generator)


def _sweep(pitch: float, seconds: float, generator: np.random.Generator) -> np.ndarray:
    """A nearly pure tone that glides."""
    share = np.linspace(0, 1, max(int(seconds * SAMPLE_RATE), 64))
    knots = pitch * np.exp(generator.uniform(-0.35, 0.35, 4))
    frequency = np.interp(share, np.linspace(0, 1, 4), knots)
    frequency = frequency * (1 + generator.uniform(0, 0.04) * np.sin(2 * np.pi * generator.uniform(8, 45) * share))
    phase = 2 * np.pi * np.cumsum(np.minimum(frequency, 7600)) / SAMPLE_RATE
    overtone = generator.uniform(0, 0.5) * np.sin(2 * phase) * (2 * frequency < 7800)
    return (np.sin(phase) + overtone) * np.sin(np.pi * share) ** generator.uniform(0.3, 1.5)


def _squawk(generator: np.random.Generator) -> np.ndarray:
    """A crow, gull, duck or hen: rough, rich in overtones, of one or two resonances, without a mouth that moves."""
    seconds = np.exp(generator.uniform(np.log(0.06), np.log(0.7)))
    share = np.linspace(0, 1, int(seconds * SAMPLE_RATE))
    base = np.exp(generator.uniform(np.log(150), np.log(1300)))
    pitch = base * np.exp(generator.uniform(0, 0.5) * np.sin(np.pi * share ** generator.uniform(0.4, 2.0)))
    source = _rough_source(pitch, share * seconds, generator)
    for _ in range(int(generator.integers(1, 3))):
        source = source + generator.uniform(1, 4) * resonance(source, generator.uniform(700, 4500), 400.0)
    return source * np.minimum(share / 0.08, 1) * (1 - share) ** generator.uniform(0.2, 1.0)


def mammal(length: int, generator: np.random.Generator) -> np.ndarray:
    """One animal that calls: lows, bleats, mews, whinnies, howls, squeals, roars; (length,)."""
    audio, place = np.zeros(length), int(generator.uniform(0, 0.5) * SAMPLE_RATE)
    tract = np.exp(generator.uniform(np.log(0.35), np.log(3.5)))  # times as long as a man's
    base = np.exp(generator.uniform(np.log(45), np.log(1400)))
    seconds = np.exp(generator.uniform(np.log(0.1), np.log(3.0)))
    contour, opening = generator.normal(0, 0.3, 5).cumsum(), generator.uniform(0, 0.6)
    tremor = (generator.uniform(0.1, 0.9), generator.uniform(6, 16)) if generator.random() < 0.35 else (0.0, 1.0)
    while place < length:
        lasting = seconds * generator.uniform(0.7, 1.3)
        share = np.linspace(0, 1, int(lasting * SAMPLE_RATE))
        pitch = base * np.exp(np.interp(share, np.linspace(0, 1, 5), contour - contour.mean()))
        pitch = np.clip(pitch * generator.uniform(0.9, 1.1), 30, 3500)
        source = _rough_source(pitch, share * lasting, generator)
        piece = _through_tract(source, tract, opening)
        piece = piece * (1 - tremor[0] * (0.5 + 0.5 * np.sin(2 * np.pi * tremor[1] * share * lasting)))
        place = _lay(audio, piece * np.minimum(share / 0.1, 1) * (1 - share) ** 0.5, place, 0.0)
        place += int(generator.exponential(0.5) * SAMPLE_RATE)
    return audio


def _rough_source(pitch: np.ndarray, times: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A throat's pulses (S,) for a pitch (S,) in Hz: with jitter, at times of double period, at times with breath."""
    jitter = np.repeat(generator.normal(0, generator.uniform(0, 0.06), len(pitch) // 160 + 1), 160)[: len(pitch)]
    phase = np.cumsum(pitch * (1 + jitter)) / SAMPLE_RATE
    pulses = phase % 1 - 0.5
    if generator.random() < 0.3:
        pulses = pulses + generator.uniform(0.2, 1.0) * (phase / 2 % 1 - 0.5)
    if generator.random() < 0.3:
        pulses = pulses * (1 + generator.uniform(0.3, 1) * np.sin(2 * np.pi * generator.uniform(25, 130) * times))
    return pulses + generator.uniform(0.01, 0.6) * generator.standard_normal(len(pitch))


def _through_tract(source: np.ndarray, tract: float, opening: float) -> np.ndarray:
    """A source (S,) through a tube of a length of its own, whose resonances rise while the mouth opens, once."""
    parts, blocks = [], np.array_split(source, max(len(source) // 800, 1))
    states = [np.zeros(2) for _ in range(4)]
    for index, block in enumerate(blocks):
        rise = 1 + opening * np.sin(np.pi * (index + 0.5) / len(blocks))
        voiced = 0.05 * block
        for order, state in enumerate(states):
            frequency = min((2 * order + 1) * 500 * (rise if order < 2 else 1.0) / tract, 7500.0)
            radius = np.exp(-np.pi * (60 + 0.06 * frequency) / SAMPLE_RATE)
            poles = [1, -2 * radius * np.cos(2 * np.pi * frequency / SAMPLE_RATE), radius**2]
            part, state[:] = lfilter([1 - radius], poles, block, zi=state)
            voiced = voiced + part / (1 + order)
        parts.append(voiced)
    return np.concatenate(parts)


def crowd_call(vowels: list[np.ndarray], length: int, generator: np.random.Generator) -> np.ndarray:
    """Many throats that hold vowels (S,) for seconds, begin nearly together and end raggedly; (length,)."""
    audio, place = np.zeros(length), int(generator.uniform(0, 0.8) * SAMPLE_RATE)
    together, seconds = generator.uniform(0.02, 1.2), np.exp(generator.uniform(np.log(0.4), np.log(5.0)))
    lift = np.exp(generator.uniform(-0.15, 0.5))  # who shouts speaks higher
    while place < length:
        chosen = [vowels[index] for index in generator.integers(len(vowels), size=generator.integers(1, 5))]
        for _ in range(int(generator.integers(*THROATS))):
            vowel = chosen[generator.integers(len(chosen))]
            held = _held(vowel, seconds * generator.uniform(0.5, 1.2), lift * generator.uniform(0.75, 1.35), generator)
            _lay(audio, generator.uniform(0.3, 1) * held, place + int(generator.exponential(together) * SAMPLE_RATE), 0)
        place += int((seconds + generator.exponential(0.5)) * SAMPLE_RATE)
    return audio


def _held(vowel: np.ndarray, seconds: float, speed: float, generator: np.random.Generator) -> np.ndarray:
    """A vowel (S,) that goes on, from grains of it, higher by a factor."""
    count = max(int(seconds * SAMPLE_RATE), GRAIN)
    grains = count // (GRAIN // 2) + 1
    window, held = np.hanning(GRAIN), np.zeros((grains + 1) * GRAIN // 2)
    source = np.interp(np.arange(0, len(vowel) - 1, speed), np.arange(len(vowel)), vowel)
    source = np.tile(source, GRAIN // max(len(source), 1) + 2)
    starts = generator.integers(0, len(source) - GRAIN, grains)
    for index, start in enumerate(starts):
        held[index * GRAIN // 2 :][:GRAIN] += window * source[start : start + GRAIN]
    share = np.linspace(0, 1, count)
    return held[:count] / (vowel.std() + 1e-6) * np.minimum(share / 0.1, 1) * np.minimum((1 - share) / 0.3, 1)


def _lay(audio: np.ndarray, piece: np.ndarray, place: int, gap: float) -> int:
    """Add a piece to an audio (S,) from a place on, which may lie behind its end; returns where the next one goes."""
    if place < len(audio):
        taken = piece[: len(audio) - place]
        audio[place : place + len(taken)] += taken
    return place + len(piece) + int(gap * SAMPLE_RATE)
