"""Training examples of the speech encoder: augmented audio with phones and expected articulation per code frame."""

from __future__ import annotations

from dataclasses import dataclass

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
# Share of the time of each corpus: recordings two fifths, natural voices nearly half, the rest formant voices and
# sound without a voice.
SHARES = {
    "so762": 0.25,
    "festvox-ru": 0.16,
    "kokoro": 0.21,
    "flite": 0.17,
    "festival": 0.07,
    "espeak": 0.08,
    "instruments": 0.06,
}


@dataclass(frozen=True)
class LabelledClip:
    """Labels of a clip at twice the code rate: phone class (M,) and standardised expected articulation (M, TARGETS)."""

    clip: Clip
    phones: np.ndarray
    articulation: np.ndarray


@dataclass(frozen=True)
class Batch:
    """waveforms (B, S) normalised; phones (B, N, 3) classes at PHONE_OFFSETS; articulation (B, N, TARGETS)."""

    waveforms: torch.Tensor
    phones: torch.Tensor
    articulation: torch.Tensor


LABEL_RATE = 2 * CODE_RATE


def label_clip(corpus: Corpus, clip: Clip) -> LabelledClip:
    """Phones and the neutral speaker's articulation of one clip."""
    segments = corpus.segments(clip)
    frames = int(np.ceil(clip.duration * CODE_RATE)) + 1
    starts = np.array([segment.start for segment in segments])
    times = np.arange(2 * frames) / LABEL_RATE
    order = np.array([PHONE_INDEX[segment.phone] for segment in segments])
    phones = order[np.searchsorted(starts[1:], times, side="right")]
    weights = expected_mouth(segments, frames)
    fine = np.stack([np.interp(times, times[::2], column) for column in _standardised(weights).T], axis=1)
    return LabelledClip(clip, phones.astype(np.int64), fine.astype(np.float32))


def training_pools(corpus: Corpus) -> dict[str, list[LabelledClip]]:
    """Labelled clips of every corpus of SHARES, without what is held out."""
    return {name: [label_clip(corpus, clip) for clip in corpus.select(name, held_out=False)] for name in SHARES}


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
    def collate(examples: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Batch:
        """Stack examples of one length; waveforms get zero mean and unit variance."""
        audio, phones, articulation = (torch.from_numpy(np.stack(part)) for part in zip(*examples, strict=True))
        return Batch(normalise(audio), phones, articulation)

    def example(self, seconds: float, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Audio (S,), phones (N, 3), articulation (N, TARGETS): clips with pauses between them, or no speech at all."""
        length, frames = int(seconds * SAMPLE_RATE), round(seconds * CODE_RATE)
        audio = np.zeros(length, np.float32)
        phones = np.full((frames, len(PHONE_OFFSETS)), PHONE_INDEX[SILENCE])
        articulation = np.repeat(self.rest[None], frames, axis=0)
        if generator.random() < 0.05:
            return self.augmenter.silence(length, generator), phones, articulation
        position = int(generator.uniform(-1.5, 0.5) * SAMPLE_RATE)
        while position < length:
            pool = self.pools[min(int(np.searchsorted(self.draws, generator.random())), len(self.pools) - 1)]
            source = pool[generator.integers(len(pool))]
            position = self._place(source, position, generator, audio, phones, articulation)
            position += int(max(generator.uniform(-0.3, 0.9), 0) * SAMPLE_RATE)
        return self.augmenter.speech(audio, generator), phones, articulation

    def _place(
        self, source: LabelledClip, position: int, generator: np.random.Generator,
        audio: np.ndarray, phones: np.ndarray, articulation: np.ndarray,
    ) -> int:  # fmt: skip
        """Put one clip, in another voice and level, at a sample position; returns where it ends."""
        voice = VoiceChange.draw(generator)
        level = 10 ** generator.uniform(-0.3, 0.3) * 0.05
        tempo, count = voice.speed, int(source.clip.samples / voice.speed)
        begin, end = max(position, 0), min(position + count, len(audio))
        if end <= begin:
            return position + count
        needed = self.corpus.audio(source.clip)[: int((end - position) * tempo) + 1]
        samples = voice.apply(needed, generator)[begin - position : end - position]
        audio[begin : begin + len(samples)] = level / (needed.std() + 1e-5) * samples
        start = position / SAMPLE_RATE
        frame_times = np.arange(len(phones)) / CODE_RATE
        inside = np.flatnonzero((frame_times >= begin / SAMPLE_RATE) & (frame_times < end / SAMPLE_RATE))
        places = (frame_times[inside] - start) * tempo * LABEL_RATE
        for column, offset in enumerate(PHONE_OFFSETS):
            shifted = np.round(places + offset * tempo * LABEL_RATE / CODE_RATE).astype(int)
            phones[inside, column] = source.phones[np.clip(shifted, 0, len(source.phones) - 1)]
        low = np.clip(np.floor(places).astype(int), 0, len(source.phones) - 2)
        share = (places - low)[:, None].astype(np.float32)
        articulation[inside] = (1 - share) * source.articulation[low] + share * source.articulation[low + 1]
        return position + count
