"""Weights as the CSV that Apple's Live Link Face app records, which most face-capture importers read.

One row per frame: time code, number of values, the 52 ARKit weights by name with a capital, in the app's order, then
the rotations of head and eyes in radians.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np

from ...engine.shared.arkit import ARKIT_NAMES
from ...engine.shared.errors import EngineError
from ...engine.shared.files import replaced
from ..takes.take import ROTATIONS

_SWAPPED = {"jawLeft": "jawRight", "jawRight": "jawLeft", "mouthLeft": "mouthRight", "mouthRight": "mouthLeft"}
# The app has right before left for the two movements to a side.
COLUMNS: tuple[str, ...] = tuple(_SWAPPED.get(name, name) for name in ARKIT_NAMES)
STANDARD_RATES = (24, 25, 30, 48, 50, 60, 90, 100, 120, 240)
SECONDS_OF_A_DAY = 86400.0
_TIME_CODE = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})[:;](\d{1,4}(?:\.\d{1,9})?)")


def write_csv(
    path: Path,
    weights: dict[str, np.ndarray],
    frames_per_second: float,
    first_frame: int = 0,
    rotations: np.ndarray | None = None,
) -> None:
    """Write weights (F,) by ARKit name, kept within 0..1; one that is missing is written as zero.

    first_frame: frames before the first row, for the time codes. rotations: (F, 9) radians in the order of ROTATIONS.
    Raises EngineError when the file cannot be written.
    """
    length = len(next(iter(weights.values())))
    header = ["Timecode", "BlendShapeCount", *(name[0].upper() + name[1:] for name in COLUMNS), *ROTATIONS]
    columns = np.stack([weights.get(name, np.zeros(length)) for name in COLUMNS], axis=1)
    turned = np.zeros((length, len(ROTATIONS))) if rotations is None else rotations
    table = np.concatenate([np.clip(columns, 0.0, 1.0), turned], axis=1) + 0.0  # (F, 61); no zero with a minus
    try:
        with replaced(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            for row, values in enumerate(table):
                code = time_code(first_frame + row, frames_per_second)
                writer.writerow([code, len(values), *(f"{value:.6f}" for value in values)])
    except OSError as error:
        raise EngineError(f"Cannot write {path}; choose another place.") from error


def time_code(frame: int, frames_per_second: float) -> str:
    """HH:MM:SS:FF.mmm without dropped frames; a fractional rate counts as the whole rate above it."""
    seconds, frames = divmod(frame, _whole(frames_per_second))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours % 24:02d}:{minutes:02d}:{seconds:02d}:{frames:02d}.000"


def _whole(rate: float) -> int:
    return int(np.ceil(rate - 1e-6))


def steps_of_time_codes(codes: list[str], likely_rate: float) -> tuple[np.ndarray, float]:
    """When each row was recorded, (N,) counted in rows, and how many rows there are in a second.

    likely_rate: the rate, e.g. the scene's, that is meant when the codes fit it. Raises ValueError for other texts.
    """
    found = [_TIME_CODE.fullmatch(code.strip()) for code in codes]
    if not all(found):
        raise ValueError(f"{codes[found.index(None)]!r} is no time code")
    hours, minutes, seconds, frames = np.array([match.groups() for match in found], float).T
    seconds = 3600.0 * hours + 60.0 * minutes + seconds
    rate = _rate(seconds, frames, likely_rate)
    times = np.unwrap(seconds + frames / _whole(rate), period=SECONDS_OF_A_DAY) * _whole(rate)
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    if step <= 0:
        raise ValueError("its time codes stand still")
    # A phone may record faster than its time code counts, or write every other frame.
    per_code = round(1.0 / step) if step < 1.0 else 1.0 / round(step)
    return (times - times[0]) * per_code, rate * per_code


def _rate(seconds: np.ndarray, frames: np.ndarray, likely_rate: float) -> float:
    """What the time codes count to: where a second ends, and above every frame of them."""
    whole = np.floor(frames)
    turns = np.flatnonzero((np.diff(seconds) == 1) & (whole[1:] == 0))
    counts, often = np.unique(whole[turns] + 1, return_counts=True)
    rate = int(counts[often.argmax()]) if len(counts) else 0
    if rate <= whole.max():
        likely = _whole(likely_rate) if not len(counts) else 0
        rates = (likely, *STANDARD_RATES, int(whole.max()) + 1)
        rate = next(rate for rate in rates if rate > whole.max())
    return likely_rate if rate == _whole(likely_rate) else float(rate)
