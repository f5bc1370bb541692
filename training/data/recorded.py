"""Recorded speech: the labelled corpora of the data folder, and the Russian speaker of Debian's festvox-ru."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.shared.errors import EngineError
from training.data.phone_sets import RUSSIAN, from_table, rows
from training.data.utterance import Utterance, read_audio, shifted

FESTVOX_RU = Path("/usr/share/festival/voices/russian/msu_ru_nsh_clunits")
RUSSIAN_OFFSET = 0.005  # seconds by which the labels run ahead of the sound (see alignment.sibilant_offset)


def read_labels(data: Path) -> dict[str, dict]:
    """The data folder's labels by utterance. Raises EngineError when the file is missing."""
    path = data / "speech" / "labels.json.gz"
    if not path.is_file():
        raise EngineError(f"{path} is missing; name the folder that holds the speech data with --data.")
    return json.loads(gzip.decompress(path.read_bytes()))


def labelled_recordings(data: Path, labels: dict[str, dict]) -> Iterator[Utterance]:
    """Utterances of the data folder that passed its quality check; their labels are ARPABET already."""
    for key, entry in labels.items():
        if entry["qc_ok"] is not False:
            samples = read_audio(data / "speech" / entry["file"])
            yield Utterance(key, entry["corpus"], entry["spk"], entry["phones"] or [], samples)


def russian_recordings(folder: Path = FESTVOX_RU) -> Iterator[Utterance]:
    """The recordings of festvox-ru, one male speaker. Raises EngineError when the package is not installed."""
    paths = sorted((folder / "wav").glob("ru_*.wav"))
    if not paths:
        raise EngineError("The Russian recordings are missing; install Debian's package festvox-ru.")
    for path in paths:
        lines = (folder / "lab" / f"{path.stem}.lab").read_text("utf-8").splitlines()
        phones = shifted(phone_ends(line.split() for line in lines), RUSSIAN_OFFSET)
        yield Utterance(f"festvox-ru/{path.stem}", "festvox-ru", "festvox-ru", phones, read_audio(path))


def phone_ends(fields: Iterable[list[str]]) -> list:
    """Phone rows from the fields of an EST label file: end time, colour, label; other lines are its header."""
    labels, start = [], 0.0
    for parts in fields:
        if len(parts) == 3:
            end = float(parts[0])
            labels.append((from_table(parts[2], RUSSIAN, "festvox-ru"), start, end))
            start = end
    return rows(labels)
