"""Recordings with phone labels that no training has seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.shared.units import CODE_RATE, SAMPLE_RATE
from training.data import instruments, voiceless
from training.data.corpus import Clip, Corpus, load_recordings
from training.data.recorded import FESTVOX_RU
from training.phones import Segment

VOICELESS_SECONDS, VOICELESS_SEED = 8.0, 1
LARGEST_KIND = 24  # clips
SHORTEST_SECONDS = 3.0  # shorter sounds are heard again and again for so long
AGAIN_SECONDS = 0.3  # between two times
EFFECT_TAKES = 8
CROWDS, CROWD_VOICES = 16, 12
# First program of each kind of General MIDI's sounds.
KINDS = {
    "keys, bells, organs": 0, "guitars and basses": 24, "strings": 40, "brass": 56, "reeds": 64, "flutes, whistles": 72,
    "synthesisers": 80, "other plucked and struck": 104,
}  # fmt: skip
# General MIDI's effects, each of which is played for several seeds.
EFFECTS = {
    "fret noise": 120, "breath": 121, "sea": 122, "birds": 123, "telephone": 124, "helicopter": 125, "applause": 126,
    "gunshots": 127,
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
    result = {"speechocean762": held_out_english(data)}
    if FESTVOX_RU.is_dir():
        russian = load_recordings(data, "festvox-ru")
        result["festvox-ru"] = recordings_of(russian, russian.select("festvox-ru", held_out=True))
    return result | kokoro_speech(data)


def held_out_english(data: Path) -> list[Recording]:
    """Recordings of the speakers of speechocean762 that no training has seen."""
    english = load_recordings(data, "so762")
    return recordings_of(english, english.select("so762", held_out=True))


def kokoro_speech(data: Path) -> dict[str, list[Recording]]:
    """Sentences by Kokoro's held-out voices, by language; none where the data folder has none."""
    corpus = load_recordings(data, "kokoro")
    result: dict[str, list[Recording]] = {}
    for recording in recordings_of(corpus, corpus.select("kokoro", held_out=True)):
        language = Path(recording.key).name.split("_")[0]
        result.setdefault(f"Kokoro, {language}", []).append(recording)
    return result


def sounds_without_voice(data: Path) -> dict[str, list[np.ndarray]]:
    """16 kHz samples (S,) by kind, of soundfonts, packages and voices that no training has used.

    Kinds whose Debian package is not installed are left out.
    """
    sounds: dict[str, list[np.ndarray]] = {}
    if (instruments.SOUNDFONTS / instruments.HELD_OUT).is_file():
        sounds |= _instruments() | _effects()
    for kind, source in voiceless.HELD_OUT.items():
        if source.installed:
            clips = [part for samples in voiceless.recorded([source]) for part in _parts(samples)]
            sounds[kind] = clips[:: -(-len(clips) // LARGEST_KIND)]
    return sounds | {"crowds of twelve voices": _crowds(data)}


def _instruments() -> dict[str, list[np.ndarray]]:
    sounds: dict[str, list[np.ndarray]] = {}
    programs = [program for program in instruments.programs() if program < min(EFFECTS.values())]
    for program in programs:
        kind = next(name for name, first in reversed(KINDS.items()) if program >= first)
        sounds.setdefault(kind, []).append(_played(program, VOICELESS_SEED))
    return sounds


def _effects() -> dict[str, list[np.ndarray]]:
    seeds = range(VOICELESS_SEED, VOICELESS_SEED + EFFECT_TAKES)
    return {kind: [_played(program, seed) for seed in seeds] for kind, program in EFFECTS.items()}


def _played(program: int, seed: int) -> np.ndarray:
    clip = instruments.played_alone(instruments.HELD_OUT, program, VOICELESS_SECONDS, seed)
    return clip.samples.astype(np.float32) / 32768


def _parts(samples: np.ndarray) -> list[np.ndarray]:
    """A sound in parts of VOICELESS_SECONDS; a short one again and again."""
    longest, pause = int(VOICELESS_SECONDS * SAMPLE_RATE), np.zeros(int(AGAIN_SECONDS * SAMPLE_RATE), np.float32)
    again = np.concatenate([samples, pause])
    shortest = int(SHORTEST_SECONDS * SAMPLE_RATE)
    if len(samples) < shortest:
        return [np.tile(again, -(-shortest // len(again)))]
    return [samples[start : start + longest] for start in range(0, len(samples) - shortest + 1, longest)]


def _crowds(data: Path) -> list[np.ndarray]:
    """Held-out voices of speechocean762, none of them near."""
    voices = [recording.audio for recording in held_out_english(data)]
    generator = np.random.default_rng(VOICELESS_SEED)
    length, crowds = int(VOICELESS_SECONDS * SAMPLE_RATE), []
    for _ in range(CROWDS):
        chosen = [voices[index] for index in generator.choice(len(voices), CROWD_VOICES, replace=False)]
        parts = [np.roll(np.resize(a / a.std(), length), generator.integers(length)) for a in chosen]
        crowds.append((0.02 * np.sum(parts, axis=0)).astype(np.float32))
    return crowds
