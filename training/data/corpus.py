"""Speech with phone times, decoded once into a cache that `training.data` builds.

Corpora: speechocean762 ("so762"), one Russian speaker ("festvox-ru"), sentences spoken by the voices of Kokoro, flite,
festival and espeak-ng ("kokoro", "flite", "festival", "espeak"), sound without a voice ("instruments"), LJ Speech
("lj32", evaluation only) and FACEGOOD-Audio2Face ("facegood", speech with captured mouth motion). Eight whole speakers
of so762, 22 utterances of festvox-ru and up to one voice a language of Kokoro are held out of every training.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.shared.units import SAMPLE_RATE
from training.data import kokoro
from training.data.build import build_cache
from training.data.recorded import labelled_recordings, read_labels, russian_recordings
from training.phones import PHONES, Segment, is_stressed, segments_from_labels, to_phone

# Every 30th of the sorted speakers, from the 16th on: 8 of 242.
HELD_OUT_SPEAKERS = slice(15, None, 30)
# Utterances ru_0610 to ru_0620, and ru_0831 and later.
HELD_OUT_RUSSIAN = (range(610, 621), range(831, 1000))


@dataclass(frozen=True)
class Clip:
    """One utterance: where its samples lie in the cache, and its phones."""

    key: str
    corpus: str
    speaker: str
    start: int
    samples: int
    phones: list  # rows [label, start seconds, end seconds]; empty where nobody labelled them

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.samples / SAMPLE_RATE


@dataclass(frozen=True)
class Corpus:
    """All clips and one memory-mapped int16 array with their samples."""

    clips: list[Clip]
    samples: np.ndarray

    def audio(self, clip: Clip) -> np.ndarray:
        """Samples of a clip, float32 (S,) in -1..1."""
        return self.samples[clip.start : clip.start + clip.samples].astype(np.float32) / 32768

    def segments(self, clip: Clip) -> list[Segment]:
        """Phone segments of a clip with the emphasis heard in its samples."""
        return segments_from_labels(clip.phones, clip.duration, emphasis(clip.phones, self.audio(clip)))

    def select(self, corpus: str, held_out: bool | None = None) -> list[Clip]:
        """Clips of one corpus: all, only the held-out ones or only those for training."""
        clips = [clip for clip in self.clips if clip.corpus == corpus]
        if held_out is None:
            return clips
        kept_out = _held_out(clips, corpus)
        return [clip for clip in clips if (clip.key in kept_out) == held_out]


def _held_out(clips: list[Clip], corpus: str) -> set[str]:
    """Keys of a corpus's clips that no training may use."""
    if corpus == "so762":
        speakers = set(sorted({clip.speaker for clip in clips})[HELD_OUT_SPEAKERS])
        return {clip.key for clip in clips if clip.speaker in speakers}
    if corpus == "festvox-ru":
        numbers = {clip.key: int(clip.key[-4:]) for clip in clips}
        return {key for key, number in numbers.items() if any(number in kept_out for kept_out in HELD_OUT_RUSSIAN)}
    if corpus == "kokoro":
        return {clip.key for clip in clips if kokoro.is_held_out(clip.key)}
    return set()


def emphasis(phones: list, audio: np.ndarray) -> list[float]:
    """How strongly each labelled phone is spoken, 0.75 to 1.25 (1 = the clip's median), from loudness and stress."""
    levels = []
    for _, start, end in phones:
        part = audio[int(start * SAMPLE_RATE) : max(int(end * SAMPLE_RATE), int(start * SAMPLE_RATE) + 1)]
        levels.append(10 * np.log10(float(np.mean(part**2)) + 1e-9) if len(part) else -90.0)
    vowel = [PHONES[to_phone(label)].manner == "vowel" for label, _, _ in phones]
    reference = np.median([level for level, is_vowel in zip(levels, vowel, strict=True) if is_vowel] or [0.0])
    strengths = []
    for (label, _, _), level, is_vowel in zip(phones, levels, vowel, strict=True):
        stress = {None: 0.0, True: 0.04, False: -0.08}[is_stressed(label)]
        strengths.append(float(np.clip(1 + 0.02 * (level - reference) + stress, 0.75, 1.25)) if is_vowel else 1.0)
    return strengths


def load_corpus(data: Path, cache: Path, synthesised: int = 3600) -> Corpus:
    """The corpus from the cache folder, which is built from the data folder on first use.

    synthesised: number of sentences spoken by natural voices (`data.build.utterances`). Raises EngineError when the
    data folder lacks the labels or a Debian package is not installed.
    """
    index = cache / "clips.json"
    if not index.is_file():
        build_cache(data, cache, synthesised)
    clips = [Clip(**entry) for entry in json.loads(index.read_text("utf-8"))]
    return Corpus(clips, np.load(cache / "samples.npy", mmap_mode="r", allow_pickle=False))


def load_recordings(data: Path, corpus: str) -> Corpus:
    """One corpus without a cache: straight from the data folder ("kokoro" too), or the installed "festvox-ru"."""
    clips: list[Clip] = []
    parts: list[np.ndarray] = []
    position = 0
    if corpus == "festvox-ru":
        utterances = russian_recordings()
    elif corpus == "kokoro":
        utterances = kokoro.spoken(data)
    else:
        chosen = {key: entry for key, entry in read_labels(data).items() if entry["corpus"] == corpus}
        utterances = labelled_recordings(data, chosen)
    for utterance in utterances:
        count = len(utterance.samples)
        clips.append(Clip(utterance.key, corpus, utterance.speaker, position, count, utterance.phones))
        parts.append(utterance.samples)
        position += count
    return Corpus(clips, np.concatenate([np.zeros(0, np.int16), *parts]))
