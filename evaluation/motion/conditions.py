"""Recording conditions and voices under which motion is evaluated, each as a function of audio (S,) at 16 kHz.

They return the changed audio and by how much faster it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

from engine.shared.units import SAMPLE_RATE
from evaluation.motion.recordings import Recording
from training.data.augmentation import Augmenter, telephone
from training.data.voice_changes import VoiceChange

Condition = Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, float]]
NOISE_SECONDS = 20.0
NOISE_SEED = 4000  # not the training's


def spoken_softly(audio: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, float]:
    """Little effort: the voice falls by 6 dB an octave more above 500 Hz, and the room's noise is 20 dB below it."""
    soft = sosfilt(butter(1, 500, fs=SAMPLE_RATE, output="sos"), audio).astype(np.float32)
    noise = Augmenter(NOISE_SECONDS, NOISE_SEED).noise(int(NOISE_SECONDS * SAMPLE_RATE), generator)
    return 0.1 * (soft + np.float32(soft.std() * 10 ** (-20 / 20)) * np.resize(noise, len(soft))), 1.0


def in_noise(audio: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, float]:
    """Room noise 5 dB below the speech."""
    noise = np.resize(
        Augmenter(NOISE_SECONDS, NOISE_SEED).noise(int(NOISE_SECONDS * SAMPLE_RATE), generator), len(audio)
    )
    return audio + np.float32(np.sqrt(np.mean(audio**2)) * 10 ** (-5 / 20)) * noise, 1.0


def in_room(audio: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, float]:
    """A room with much reverberation; the direct sound keeps its time."""
    room = max(Augmenter(1.0, NOISE_SEED).rooms, key=len)
    return fftconvolve(audio, room)[: len(audio)].astype(np.float32), 1.0


def over_telephone(audio: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, float]:
    """8 kHz and eight bits."""
    return telephone(audio).astype(np.float32), 1.0


def with_voice(change: VoiceChange, audio: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, float]:
    """Another tempo, pitch or excitation."""
    return change.apply(audio, generator), change.speed


class Among:
    """Five voices behind the speaker, 3 dB softer than it."""

    NAME = "five voices 3 dB softer"
    VOICES, DECIBELS = 5, 3.0

    def __init__(self, voices: list[np.ndarray]) -> None:
        self._voices = voices  # (S,) each, of other speakers

    def __call__(self, audio: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, float]:
        """The audio among voices drawn at random, which begin anywhere and go on without a pause."""
        babble = np.zeros(len(audio), np.float32)
        for index in generator.choice(len(self._voices), self.VOICES):
            voice = self._voices[index] / (self._voices[index].std() + 1e-9)
            babble += np.roll(np.resize(voice, len(audio)), generator.integers(len(audio)))
        level = audio.std() * 10 ** (-self.DECIBELS / 20) / babble.std()
        return audio + np.float32(level) * babble, 1.0


CONDITIONS: dict[str, Condition] = {
    "noise at 5 dB": in_noise,
    "reverberation": in_room,
    "telephone, 8 kHz": over_telephone,
    "tempo 0.8": partial(with_voice, VoiceChange(tempo=0.8)),
    "tempo 1.5": partial(with_voice, VoiceChange(tempo=1.5)),
    "pitch and formants 25 % up": partial(with_voice, VoiceChange(varispeed=1.25, tempo=0.8)),
    "pitch and formants 25 % down": partial(with_voice, VoiceChange(varispeed=0.75, tempo=1 / 0.75)),
    "whispered": partial(with_voice, VoiceChange(whispered=True)),
    "spoken softly": spoken_softly,
}


def under_condition(change: Condition, recording: Recording, seed: int) -> Recording:
    """The recording as it sounds under another condition, its phones where they are then."""
    audio, speed = change(recording.audio, np.random.default_rng(seed))
    segments = [replace(s, start=s.start / speed, end=s.end / speed) for s in recording.segments]
    return Recording(recording.key, audio, segments)
