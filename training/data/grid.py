"""Sentences of GRID's speaker s1 (CC BY 4.0; Cooke, Barker, Cunningham and Shao, 2006) with phone times.

`DATA/grid` holds `audio/KEY.opus` and `labels.json`, {"phones": {KEY: [[ARPABET, start, end], ...]}}, by forced
alignment on a grid of 10 ms. Every tenth sentence of the corpus is not in the folder: it is kept for judging.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from training.data.utterance import Utterance, read_audio, shifted

OFFSET = 0.010  # seconds: lips are closest this much after the middle of their labels


def spoken(data: Path) -> Iterator[Utterance]:
    """Every labelled sentence of the data folder; none when it has no folder "grid"."""
    folder = data / "grid"
    if not folder.is_dir():
        return
    for key, phones in json.loads((folder / "labels.json").read_text("utf-8"))["phones"].items():
        yield Utterance(f"grid/{key}", "grid", "grid-s1", shifted(phones, OFFSET), samples_of(data, key))


def samples_of(data: Path, key: str) -> np.ndarray:
    """Sound (S,) int16 at 16 kHz of a sentence."""
    return read_audio(data / "grid" / "audio" / f"{key}.opus")
