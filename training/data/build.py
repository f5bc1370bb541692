"""The cache of all speech: `samples.npy` (int16, 16 kHz, every utterance in a row) and `clips.json` (where, who, what).

The same data folder, seed and package versions give the same cache in a new process; espeak-ng carries a little of what
it spoke before into the next sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from training.data import espeak, festival, flite, grid, instruments, kokoro
from training.data.recorded import labelled_recordings, read_labels, russian_recordings
from training.data.sentences import FOREIGN, Sentences, foreign_sentences
from training.data.utterance import Utterance

# Share of the synthesised sentences for each natural voice; clustergen is the most natural, diphones the least.
NATURAL_SHARES = {
    **dict.fromkeys(flite.VOICES, 0.21),
    "cmu_us_slt_arctic_hts": 0.17,
    "kal_diphone": 0.10,
    "ked_diphone": 0.10,
}
# Sentences of the English formant voices together, and of each other language, for one of the natural voices.
ENGLISH_FORMANT_RATIO, FOREIGN_FORMANT_RATIO = 0.25, 0.05
ENGLISH_FORMANT_VOICES = ("en-us", "en-gb-scotland", "en-gb-x-rp")


def utterances(data: Path, synthesised: int, seed: int) -> Iterator[Utterance]:
    """Every utterance of every source; without synthesised sentences the recordings of the data folder alone.

    synthesised: number of sentences for the natural voices together.
    """
    labels = read_labels(data)
    yield from labelled_recordings(data, labels)
    if not synthesised:
        return
    yield from russian_recordings()
    yield from kokoro.spoken(data)
    yield from grid.spoken(data)
    yield from instruments.played(seed=seed)
    sentences = Sentences(data, [entry["text"] for entry in labels.values() if entry["corpus"] == "lj32"], seed)
    count = round(ENGLISH_FORMANT_RATIO * synthesised / len(ENGLISH_FORMANT_VOICES))
    for voice in ENGLISH_FORMANT_VOICES:
        yield from espeak.speak(voice, sentences.take(count), seed)
    for voice in FOREIGN:
        yield from espeak.speak(voice, foreign_sentences(voice, round(FOREIGN_FORMANT_RATIO * synthesised), seed), seed)
    for voice, share in NATURAL_SHARES.items():
        texts = sentences.take(round(share * synthesised))
        yield from (flite if voice in flite.VOICES else festival).speak(voice, texts)


def build_cache(data: Path, cache: Path, synthesised: int, seed: int = 0) -> None:
    """Write the cache folder. Raises EngineError, before it writes, when data or a Debian package is missing."""
    entries: list[dict] = []
    parts: list[np.ndarray] = []
    position = 0
    for utterance in utterances(data, synthesised, seed):
        count = len(utterance.samples)
        entries.append(
            {"key": utterance.key, "corpus": utterance.corpus, "speaker": utterance.speaker, "start": position}
            | {"samples": count, "phones": utterance.phones}
        )
        parts.append(utterance.samples)
        position += count
    cache.mkdir(parents=True, exist_ok=True)
    samples = np.lib.format.open_memmap(cache / "samples.npy", "w+", np.int16, (position,))
    for entry, part in zip(entries, parts, strict=True):
        samples[entry["start"] : entry["start"] + entry["samples"]] = part
    samples.flush()
    # The index comes last: its presence says that the cache is complete.
    (cache / "clips.json").write_text(json.dumps(entries), "utf-8")
