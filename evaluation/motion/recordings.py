"""Recordings with phone labels that no training has seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.shared.units import CODE_RATE, SAMPLE_RATE
from training.data import instruments
from training.data.corpus import Clip, Corpus, load_recordings
from training.data.recorded import FESTVOX_RU
from training.phones import Segment

VOICELESS_SECONDS, VOICELESS_SEED = 8.0, 1
# First program of each kind of General MIDI's sounds.
KINDS = {
    "keys, bells, organs": 0, "guitars and basses": 24, "strings": 40, "brass": 56, "reeds": 64, "flutes, whistles": 72,
    "synthesisers": 80, "other plucked and struck": 104, "breath, sea, birds, helicopter, applause, shots": 120,
}  # fmt: skip


@dataclass(frozen=True)
class Recording:
    """key: corpus and utterance. audio: (S,) float32 at 16 kHz. segments: its phones."""

    key: str
    audio: np.ndarray
    segments: list[Segment]

    @property
    def frames(self) -> int:
        """Number of code frames."""
        return round(len(self.audio) / SAMPLE_RATE * CODE_RATE)


def recordings_of(corpus: Corpus, clips: list[Clip]) -> list[Recording]:
    """Clips with their audio and phones."""
    return [Recording(clip.key, corpus.audio(clip), corpus.segments(clip)) for clip in clips]


def native_speech(data: Path) -> list[Recording]:
    """The 32 recordings of LJ Speech in the data folder: a native speaker of US English, phone times from MFA."""
    corpus = load_recordings(data, "lj32")
    return recordings_of(corpus, corpus.clips)


def held_out_speech(data: Path) -> dict[str, list[Recording]]:
    """Recordings by corpus that no training has seen, besides LJ Speech; the Russian ones where they are installed."""
    english = load_recordings(data, "so762")
    result = {"speechocean762": recordings_of(english, english.select("so762", held_out=True))}
    if FESTVOX_RU.is_dir():
        russian = load_recordings(data, "festvox-ru")
        result["festvox-ru"] = recordings_of(russian, russian.select("festvox-ru", held_out=True))
    return result | kokoro_speech(data)


def kokoro_speech(data: Path) -> dict[str, list[Recording]]:
    """Sentences by Kokoro's held-out voices, by language; none where the data folder has none."""
    corpus = load_recordings(data, "kokoro")
    result: dict[str, list[Recording]] = {}
    for recording in recordings_of(corpus, corpus.select("kokoro", held_out=True)):
        language = Path(recording.key).name.split("_")[0]
        result.setdefault(f"Kokoro, {language}", []).append(recording)
    return result


def sounds_without_voice() -> dict[str, list[np.ndarray]]:
    """16 kHz samples (S,) by kind, from a soundfont that no training has used; none where it is not installed."""
    if not (instruments.SOUNDFONTS / instruments.HELD_OUT).is_file():
        return {}
    sounds: dict[str, list[np.ndarray]] = {}
    for clip in instruments.played(instruments.HELD_OUT, VOICELESS_SECONDS, VOICELESS_SEED):
        program = int(clip.key[-3:])
        kind = next(name for name, first in reversed(KINDS.items()) if program >= first)
        sounds.setdefault(kind, []).append(clip.samples.astype(np.float32) / 32768)
    return sounds
