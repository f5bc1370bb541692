"""Training examples of the speech encoder: augmented audio with what is expected of it per code frame.

That is phones, articulation and, where a teacher heard the clip, its features.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch

from engine.motion.speech import normalise
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.lip_opening import lip_opening_mm
from engine.shared.units import CODE_RATE, SAMPLE_RATE
from training.data.augmentation import Augmenter
from training.data.corpus import Clip, Corpus
from training.data.voice_changes import VoiceChange
from training.phones import PHONE_INDEX, SILENCE
from training.prior.articulation import expected_mouth
from training.teacher import DIMENSIONS, RATE, Teacher

# Mouth weights whose expected course the encoder learns, besides the lip opening.
REGRESSED = (
    "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRollLower", "mouthPressLeft", "mouthLowerDownLeft",
    "mouthUpperUpLeft", "mouthStretchLeft",
)  # fmt: skip
TARGETS = len(REGRESSED) + 1
_COLUMNS = [ARKIT_NAMES.index(name) for name in REGRESSED]
# Typical deviations in speech, so that every target weighs alike.
_SCALES = np.array([0.12, 0.03, 0.08, 0.12, 0.10, 0.07, 0.05, 0.03, 0.05, 4.0], np.float32)
PHONE_OFFSETS = (-1, 0, 1)  # frames whose phone is asked for at every frame
LENGTHS = (3.0, 4.0, 6.0, 8.0)  # seconds
# Share of the time of each corpus: people and natural voices seven tenths, the rest older and formant voices and sound
# without a voice.
SHARES = {
    "so762": 0.25,
    "festvox-ru": 0.16,
    "kokoro": 0.24,
    "grid": 0.05,
    "flite": 0.11,
    "festival": 0.07,
    "espeak": 0.06,
    "instruments": 0.06,
}
# Voices behind a voice, and how far their level lies below its own, decibels; a crowd is many voices and none near.
BABBLE_SHARE, BABBLE_VOICES, BABBLE_DECIBELS = 0.12, (2, 5), (2.0, 18.0)
SILENT_SHARE, CROWD_SHARE, CROWD_VOICES = 0.06, 0.3, (8, 14)


@dataclass(frozen=True)
class LabelledClip:
    """Labels of a clip at twice the code rate: phone class (M,) and standardised expected articulation (M, TARGETS).

    taught: the teacher's features (T, DIMENSIONS) at their own rate; None when it did not hear the clip.
    """

    clip: Clip
    phones: np.ndarray
    articulation: np.ndarray
    taught: np.ndarray | None = None


@dataclass(frozen=True)
class Batch:
    """waveforms (B, S) normalised; phones (B, N, 3) classes at PHONE_OFFSETS; articulation (B, N, TARGETS).

    taught: the teacher's features (B, N, DIMENSIONS), NaN where it heard nothing.
    """

    waveforms: torch.Tensor
    phones: torch.Tensor
    articulation: torch.Tensor
    taught: torch.Tensor


LABEL_RATE = 2 * CODE_RATE


def label_clip(corpus: Corpus, clip: Clip, teacher: Teacher | None = None) -> LabelledClip:
    """Phones, the neutral speaker's articulation and the teacher's features of one clip."""
    segments = corpus.segments(clip)
    frames = int(np.ceil(clip.duration * CODE_RATE)) + 1
    starts = np.array([segment.start for segment in segments])
    times = np.arange(2 * frames) / LABEL_RATE
    order = np.array([PHONE_INDEX[segment.phone] for segment in segments])
    phones = order[np.searchsorted(starts[1:], times, side="right")]
    weights = expected_mouth(segments, frames)
    fine = np.stack([np.interp(times, times[::2], column) for column in _standardised(weights).T], axis=1)
    taught = teacher.features(clip) if teacher else None
    return LabelledClip(clip, phones.astype(np.int64), fine.astype(np.float32), taught)


def training_pools(corpus: Corpus, teacher: Teacher | None = None) -> dict[str, list[LabelledClip]]:
    """Labelled clips of every corpus of SHARES, without what is held out."""
    return {
        name: [label_clip(corpus, clip, teacher) for clip in corpus.select(name, held_out=False)] for name in SHARES
    }


def _standardised(weights: np.ndarray) -> np.ndarray:
    """Weights (N, 52) to the regression targets (N, TARGETS)."""
    opening = np.maximum(lip_opening_mm(weights), 0.0)
    return np.concatenate([weights[:, _COLUMNS], opening[:, None]], axis=1) / _SCALES


class ExampleMaker:
    """Draws batches; the same seed and step always give the same batch.

    pools: labelled clips of each corpus; an absent or empty corpus leaves its share to the others.
    """

    def __init__(self, corpus: Corpus, pools: dict[str, list[LabelledClip]], seed: int) -> None:
        self.corpus, self.seed = corpus, seed
        self.pools = [pool for pool in pools.values() if pool]
        shares = np.array([SHARES[name] for name, pool in pools.items() if pool])
        # Clips are drawn whole, so a corpus of short clips is drawn more often for the same time.
        draws = shares / [np.mean([labelled.clip.duration for labelled in pool]) for pool in self.pools]
        self.draws = np.cumsum(draws / draws.sum())
        self.augmenter = Augmenter(max(LENGTHS), seed)
        rest = _standardised(np.zeros((1, len(ARKIT_NAMES)), np.float32))[0]
        rest[-1] = 0.0
        self.rest = rest.astype(np.float32)

    def batch(self, step: int, seconds_of_audio: float) -> Batch:
        """One training batch of about `seconds_of_audio`; all its examples have one length."""
        generator = np.random.default_rng((self.seed, step))
        seconds = float(generator.choice(LENGTHS))
        count = max(1, round(seconds_of_audio / seconds))
        return self.collate([self.example(seconds, generator) for _ in range(count)])

    @staticmethod
    def collate(examples: list[Example]) -> Batch:
        """Stack examples of one length; waveforms get zero mean and unit variance."""
        parts = {
            field.name: torch.from_numpy(np.stack([getattr(example, field.name) for example in examples]))
            for field in fields(Example)
        }
        return Batch(normalise(parts["audio"]), parts["phones"], parts["articulation"], parts["taught"])

    def example(self, seconds: float, generator: np.random.Generator) -> Example:
        """Clips with pauses between them, or no speech at all."""
        example = Example.silent(seconds, self.rest)
        length = len(example.audio)
        if generator.random() < SILENT_SHARE:
            crowded = generator.random() < CROWD_SHARE
            example.audio = (
                self.augmenter.speech(self._voices(length, CROWD_VOICES, generator), generator)
                if crowded
                else self.augmenter.silence(length, generator)
            )
            return example
        position = int(generator.uniform(-1.5, 0.5) * SAMPLE_RATE)
        while position < length:
            position = self._place(self._draw(generator), position, generator, example)
            position += int(max(generator.uniform(-0.3, 0.9), 0) * SAMPLE_RATE)
        if generator.random() < BABBLE_SHARE:
            level = np.sqrt(np.mean(example.audio**2)) * 10 ** (-generator.uniform(*BABBLE_DECIBELS) / 20)
            example.audio += np.float32(level) * self._voices(length, BABBLE_VOICES, generator)
        example.audio = self.augmenter.speech(example.audio, generator)
        return example

    def _draw(self, generator: np.random.Generator) -> LabelledClip:
        pool = self.pools[min(int(np.searchsorted(self.draws, generator.random())), len(self.pools) - 1)]
        return pool[generator.integers(len(pool))]

    def _voices(self, length: int, count: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
        """Several clips at once, each without a pause: float32 (length,) of unit root mean square."""
        total = np.zeros(length, np.float32)
        for _ in range(generator.integers(*count)):
            samples = self.corpus.audio(self._draw(generator).clip)
            total += np.roll(np.resize(samples, length), generator.integers(length)) / (samples.std() + 1e-5)
        return total / (total.std() + 1e-5)

    def _place(self, source: LabelledClip, position: int, generator: np.random.Generator, example: Example) -> int:
        """Put one clip, in another voice and level, at a sample position; returns where it ends."""
        voice, audio = VoiceChange.draw(generator), example.audio
        level = 10 ** generator.uniform(-0.3, 0.3) * 0.05
        tempo, count = voice.speed, int(source.clip.samples / voice.speed)
        begin, end = max(position, 0), min(position + count, len(audio))
        if end <= begin:
            return position + count
        needed = self.corpus.audio(source.clip)[: int((end - position) * tempo) + 1]
        samples = voice.apply(needed, generator)[begin - position : end - position]
        audio[begin : begin + len(samples)] = level / (needed.std() + 1e-5) * samples
        frame_times = np.arange(len(example.phones)) / CODE_RATE
        inside = np.flatnonzero((frame_times >= begin / SAMPLE_RATE) & (frame_times < end / SAMPLE_RATE))
        example.label(inside, source, (frame_times[inside] - position / SAMPLE_RATE) * tempo, tempo)
        return position + count


@dataclass
class Example:
    """Audio (S,), phones (N, 3), articulation (N, TARGETS) and the teacher's features (N, DIMENSIONS) or NaN."""

    audio: np.ndarray
    phones: np.ndarray
    articulation: np.ndarray
    taught: np.ndarray

    @classmethod
    def silent(cls, seconds: float, rest: np.ndarray) -> Example:
        """Digital silence with a face at rest."""
        frames = round(seconds * CODE_RATE)
        return cls(
            np.zeros(int(seconds * SAMPLE_RATE), np.float32),
            np.full((frames, len(PHONE_OFFSETS)), PHONE_INDEX[SILENCE]),
            np.repeat(rest[None], frames, axis=0),
            np.full((frames, DIMENSIONS), np.nan, np.float32),
        )

    def label(self, inside: np.ndarray, source: LabelledClip, times: np.ndarray, tempo: float) -> None:
        """Labels of frames `inside` (K,) from a clip at its own times (K,) in seconds, run through at a tempo."""
        places = times * LABEL_RATE
        for column, offset in enumerate(PHONE_OFFSETS):
            shifted = np.round(places + offset * tempo * LABEL_RATE / CODE_RATE).astype(int)
            self.phones[inside, column] = source.phones[np.clip(shifted, 0, len(source.phones) - 1)]
        self.articulation[inside] = _between(source.articulation, places)
        if source.taught is not None and len(source.taught) > 1:
            # A feature is the mean of two of Whisper's, half a period after its number.
            self.taught[inside] = _between(source.taught, np.maximum(times * RATE - 0.25, 0.0))


def _between(rows: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Rows (M, D) at fractional places (K,), linear between two: float32 (K, D)."""
    low = np.clip(np.floor(places).astype(int), 0, len(rows) - 2)
    share = np.clip(places - low, 0.0, 1.0)[:, None].astype(np.float32)
    return (1 - share) * rows[low].astype(np.float32) + share * rows[low + 1].astype(np.float32)
