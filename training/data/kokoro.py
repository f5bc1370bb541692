"""Sentences spoken by the natural voices of Kokoro-82M (Apache-2.0), with phone times from its own durations.

`DATA/kokoro` holds them: `audio/KEY.opus` and `labels.json`, {KEY: {text, language, voice, tokens, frames}}. KEY is
language_voice_number, a frame lasts 25 ms, and there is one number of frames for every token.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from training.data.phone_sets import from_ipa, rows
from training.data.utterance import Utterance, read_audio, shifted
from training.phones import SILENCE

FRAME = 0.025  # seconds of one duration unit
OFFSET = -0.060  # the durations run behind the sound: with it sibilants fit best (see alignment.sibilant_offset)
SHORTEST_PAUSE = 0.100  # seconds; a shorter gap between words belongs to the phone before it
HELD_OUT_VOICES = ("af_nicole", "bm_daniel", "em_santa", "if_sara", "hm_psi")
ONLY_FRENCH_VOICE = "_ff_siwis_"  # of it, sentences whose number ends in 5 are held out
# Letters of Kokoro's alphabet that stand for two of the IPA.
LETTERS = {"I": "aɪ", "W": "aʊ", "A": "eɪ", "Q": "əʊ", "O": "oʊ", "Y": "ɔɪ", "ʤ": "dʒ", "ʧ": "tʃ", "ʦ": "ts", "ʣ": "dz"}
_BEFORE, _AFTER, _GAPS = "ˈˌ", "ːʰʲ\u0303", ' ,.;:!?—…"()“”'


def is_held_out(key: str) -> bool:
    """Whether no training may use the sentence of a key."""
    return any(f"_{voice}_" in key for voice in HELD_OUT_VOICES) or (ONLY_FRENCH_VOICE in key and key.endswith("5"))


def spoken(data: Path) -> Iterator[Utterance]:
    """Every sentence of the data folder; none when it has no folder "kokoro"."""
    folder = data / "kokoro"
    if not folder.is_dir():
        return
    for key, entry in json.loads((folder / "labels.json").read_text("utf-8")).items():
        phones = shifted(phone_rows(entry["tokens"], entry["frames"]), OFFSET)
        samples = read_audio(folder / "audio" / f"{key}.opus")
        yield Utterance(f"kokoro/{key}", "kokoro", f"kokoro-{entry['voice']}", phones, samples)


def phone_rows(tokens: list[str], frames: list[int]) -> list:
    """Phone rows from Kokoro's tokens and their durations in frames."""
    labels: list[tuple[list[str], float, float]] = []
    position, stress = 0, 0  # frames; those of a stress mark belong to the phone after it
    for letter, count in zip(tokens, frames, strict=True):
        start, end = (position - stress) * FRAME, (position + count) * FRAME
        position += count
        stress = stress + count if letter in _BEFORE else 0
        if letter not in _BEFORE:
            labels.append((_phones(letter, count * FRAME), start, end))
    return rows(labels)


def _phones(letter: str, seconds: float) -> list[str]:
    """Phones of the inventory for a letter; none where it only lengthens the phone before it."""
    if letter in "^$" or (letter in _GAPS and seconds >= SHORTEST_PAUSE):
        return [SILENCE]
    return [] if letter in _GAPS + _AFTER else from_ipa(LETTERS.get(letter, letter), "Kokoro")
