"""Weights as the CSV that Apple's Live Link Face app records, which most face-capture importers read.

One row per frame: time code, number of values, the 52 ARKit weights by name with a capital, in the app's order, then
the rotations of head and eyes in radians. A take has no rotations, so these are zero.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ...engine.shared.arkit import ARKIT_NAMES
from ...engine.shared.errors import EngineError
from ...engine.shared.files import replaced

_SWAPPED = {"jawLeft": "jawRight", "jawRight": "jawLeft", "mouthLeft": "mouthRight", "mouthRight": "mouthLeft"}
# The app has right before left for the two movements to a side.
COLUMNS: tuple[str, ...] = tuple(_SWAPPED.get(name, name) for name in ARKIT_NAMES)
ROTATIONS = tuple(f"{part}{axis}" for part in ("Head", "LeftEye", "RightEye") for axis in ("Yaw", "Pitch", "Roll"))


def write_csv(path: Path, weights: dict[str, np.ndarray], frames_per_second: float, first_frame: int = 0) -> None:
    """Write weights (F,) by ARKit name; one that is missing is written as zero.

    first_frame: frames before the first row, for the time codes. Raises EngineError when the file cannot be written.
    """
    length = len(next(iter(weights.values())))
    header = ["Timecode", "BlendShapeCount", *(name[0].upper() + name[1:] for name in COLUMNS), *ROTATIONS]
    weight_columns = [weights.get(name, np.zeros(length)) for name in COLUMNS]
    table = np.stack([*weight_columns, *np.zeros((len(ROTATIONS), length))], axis=1)  # (F, 61)
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
    rate = int(np.ceil(frames_per_second - 1e-6))
    seconds, frames = divmod(frame, rate)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours % 24:02d}:{minutes:02d}:{seconds:02d}:{frames:02d}.000"
