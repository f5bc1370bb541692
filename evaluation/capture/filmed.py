"""The filmed speaker of GRID: tracked points and scores with the phones that he says, and what a fit makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.engine import Engine
from engine.motion.codes import codes_from_weights
from engine.shared.errors import EngineError
from engine.shared.weights import WEIGHT_NAMES
from training.data.films import load_films
from training.data.grid import spoken
from training.data.utterance import Utterance
from training.phones import BILABIALS, OPEN_CONSONANTS, Segment, segments_from_labels

RATE = 25.0
CLOSED_MM = 1.0
ROUNDING = [WEIGHT_NAMES.index(name) for name in ("mouthPucker", "mouthFunnel")]


@dataclass(frozen=True)
class FilmedSentence:
    """points: (F, 174, 3) pixels, NaN where the face was lost. scores: (F, 52) of ARKIT_NAMES. segments: its phones."""

    utterance: Utterance
    points: np.ndarray
    scores: np.ndarray

    @property
    def segments(self) -> list[Segment]:
        """What is said when."""
        return segments_from_labels(self.utterance.phones, len(self.points) / RATE)

    @property
    def times(self) -> np.ndarray:
        """Of the pictures, in seconds."""
        return np.arange(len(self.points)) / RATE


@dataclass(frozen=True)
class Heard:
    """What lips do while phones are said, one number for each phone or frame; lengths are millimetres.

    nearest: the lips during /p b m/. elsewhere: during consonants that need no contact. rounding: on /w/. changes: of
    all weights from frame to frame.
    """

    nearest: np.ndarray
    elsewhere: np.ndarray
    rounding: np.ndarray
    changes: np.ndarray


def filmed_sentences(data: Path, step: int) -> tuple[list[int], Iterator[FilmedSentence]]:
    """Which face points were tracked, and every so many sentences. Raises EngineError when the folder is missing."""
    films = load_films(data)
    if films is None:
        raise EngineError(f"{data / 'grid'} has no motion.npz; see docs/train.md for GRID's sentences.")
    place = {key: number for number, key in enumerate(films.keys)}

    def sentences() -> Iterator[FilmedSentence]:
        for number, utterance in enumerate(spoken(data)):
            row = place.get(utterance.key.split("/")[-1])
            if row is not None and not number % step:
                part = films.frames(row)
                yield FilmedSentence(utterance, films.points[part].astype(float), films.scores[part])

    return films.numbers, sentences()


def heard(sentence: FilmedSentence, weights: np.ndarray, engine: Engine) -> Heard:
    """What lips of weights (F, W) do while a sentence is said, measured on the surface of the mean head."""
    full = np.zeros((len(weights), len(WEIGHT_NAMES)), np.float32)
    full[:, : weights.shape[1]] = np.nan_to_num(weights)
    opening = engine.lip_opening(codes_from_weights(full, engine.head.arkit_map.basis))
    if opening is None:
        raise EngineError("This head does not tell the lip opening; use one that does.")
    rounding = full[:, ROUNDING].sum(1)
    near, far, rounded = [], [], []
    segments = sentence.segments
    for before, segment, after in zip([None, *segments[:-1]], segments, [*segments[1:], None], strict=True):
        wide, inside = _frames(segment, 1, len(full)), _frames(segment, 0, len(full))
        if segment.phone in BILABIALS:
            near.append(opening[wide].min())
        if segment.phone == "W":
            rounded.append(rounding[wide].max())
        if segment.phone in OPEN_CONSONANTS and _open(before) and _open(after):
            far.append(opening[inside].min())
    changes = np.abs(np.diff(full, axis=0)).mean(1)
    return Heard(np.array(near), np.array(far), np.array(rounded), changes)


def figures_of(found: list[Heard]) -> dict[str, float]:
    """Figures of all sentences together."""
    near, far, rounded, changes = (
        np.concatenate([getattr(one, name) for one in found])
        for name in ("nearest", "elsewhere", "rounding", "changes")
    )
    return {
        "median": float(np.median(near)),
        "p90": float(np.percentile(near, 90)),
        "closed": float((near <= CLOSED_MM).mean()),
        "bilabials": len(near),
        "needless": float((far <= CLOSED_MM).mean()),
        "consonants": len(far),
        "rounding": float(np.median(rounded)),
        "change": float(changes.mean()),
    }


def _open(neighbour: Segment | None) -> bool:
    """Whether a neighbour asks for no contact of the lips and is no pause."""
    return neighbour is not None and neighbour.phone not in BILABIALS and neighbour.phone not in {"F", "V", "sil"}


def _frames(segment: Segment, margin: int, count: int) -> slice:
    first = int(np.ceil(segment.start * RATE - 1e-6)) - margin
    last = int(np.floor(segment.end * RATE + 1e-6)) + margin
    return slice(max(first, 0), min(max(last, first) + 1, count))
