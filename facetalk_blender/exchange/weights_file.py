"""The one door for weights that other programs recorded: any file is looked at, and refused in one sentence.

Read are the CSV of Live Link Face, the blend shapes that Audio2Face exports as JSON (exportFps, facsNames, weightMat),
and the CSV of its microservice (timeCode in seconds, blendShapes.JawOpen). What a file is, its content says.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from ...engine.shared.errors import EngineError
from ...engine.shared.hostile_files import UNREADABLE, TooLarge, open_regular, parse_json
from ..takes.take import ROTATIONS
from .live_link import steps_of_time_codes
from .recording import LARGEST_RATE, MOST_ROWS, Recording, arkit_weights, evenly_spaced

LARGEST_FILE = 64 << 20  # bytes
MOST_COLUMNS = 1000
LARGEST_NUMBER = 1e6
LIVE_LINK_FACE, AUDIO2FACE = "Live Link Face", "Audio2Face"


def read_recording(path: Path, likely_rate: float, rate: float = 0.0) -> Recording:
    """A recording from a file.

    likely_rate: the scene's, which time codes that fit it mean. rate: rows per second whatever the file says, or 0.
    Raises EngineError when the file cannot be read or holds something else.
    """
    try:
        with open_regular(path, LARGEST_FILE) as file:
            text = file.read(LARGEST_FILE + 1).decode("utf-8-sig")
        return _of_json(text, rate) if text.lstrip().startswith("{") else _of_csv(text, likely_rate, rate)
    except FileNotFoundError as error:
        raise EngineError(f"There is no file {path}; choose an existing one.") from error
    except OSError as error:
        raise EngineError(f"Cannot read {path} ({error.strerror or error}); choose another file.") from error
    except (*UNREADABLE, csv.Error) as error:
        reason = str(error) if type(error) in (ValueError, TooLarge) else "it is damaged or something else"
        raise EngineError(
            f"{path.name} is no recording of ARKit weights ({reason}); choose a CSV of Live Link Face, or blend shapes "
            "that Audio2Face exported."
        ) from error


def _of_json(text: str, rate: float) -> Recording:
    try:
        content = parse_json(text, LARGEST_FILE)
        names, rows, stated = content["facsNames"], content["weightMat"], content.get("exportFps", rate)
    except (json.JSONDecodeError, KeyError) as error:
        raise ValueError("it has no facsNames and weightMat") from error
    if not isinstance(names, list) or not isinstance(rows, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("its facsNames and weightMat are no lists")
    table = _checked(names, rows)
    return Recording(arkit_weights(names, table), _checked_rate(rate or float(stated)), None, AUDIO2FACE)


def _of_csv(text: str, likely_rate: float, rate: float) -> Recording:
    lines = text.splitlines()
    if len(lines) > MOST_ROWS or (lines and lines[0].count(",") > MOST_COLUMNS):
        raise ValueError(f"it has {len(lines)} rows, or too many columns")
    rows = csv.reader(lines)
    header = [name.strip() for name in next(rows, [])]
    lower = [name.lower() for name in header]
    if "timecode" not in lower:
        raise ValueError("it has no column Timecode")
    at = lower.index("timecode")
    # Live Link Face leaves out the values of frames in which it saw no face.
    rows = [row for row in rows if len(row) == len(header)]
    columns = [place for place, name in enumerate(lower) if name not in ("", "timecode", "blendshapecount")]
    names = [header[place] for place in columns]
    if not rows:
        raise ValueError("no row has a value for every column")
    table = _checked(names, [[row[place] for place in columns] for row in rows])
    codes = [row[at] for row in rows]
    program = LIVE_LINK_FACE if ":" in codes[0] else AUDIO2FACE
    if rate:
        rate = _checked_rate(rate)
    else:
        steps, rate = steps_of_time_codes(codes, likely_rate) if ":" in codes[0] else _steps_of_seconds(codes)
        table, rate = evenly_spaced(steps, table), _checked_rate(rate)
    return Recording(arkit_weights(names, table), rate, _rotations(names, table), program)


def _steps_of_seconds(texts: list[str]) -> tuple[np.ndarray, float]:
    """The same as `steps_of_time_codes` of times in seconds; the rate is rounded where rounding explains it."""
    seconds = _checked(["timeCode"], [[text] for text in texts])[:, 0]
    if len(seconds) < 2 or not (step := float(np.median(np.diff(seconds)))) > 0:
        raise ValueError("its times stand still")
    rate = 1.0 / step
    rate = float(round(rate)) if abs(rate - round(rate)) < 0.05 else rate
    return (seconds - seconds[0]) * rate, rate


def _checked(names: list[str], rows: list) -> np.ndarray:
    """Rows as finite numbers (N, C)."""
    if not 0 < len(names) <= MOST_COLUMNS or not 0 < len(rows) <= MOST_ROWS:
        raise ValueError(f"it has {len(rows)} rows of {len(names)} values")
    if any(len(row) != len(names) for row in rows):
        raise ValueError("its rows differ in length")
    try:
        table = np.array(rows, float)
    except (ValueError, TypeError) as error:
        raise ValueError("a value is no number") from error
    if table.ndim != 2 or not (np.abs(table) < LARGEST_NUMBER).all():
        raise ValueError("a value is no finite number")
    return table


def _checked_rate(rate: float) -> float:
    if not rate:
        raise ValueError("it does not say how many rows a second has; set Rows per Second")
    if not 1.0 <= rate <= LARGEST_RATE:
        raise ValueError(f"{rate:g} rows per second")
    return rate


def _rotations(names: list[str], table: np.ndarray) -> np.ndarray | None:
    """Rotations (N, 9) in radians, where the file has any that is not zero."""
    if not set(ROTATIONS) & set(names):
        return None
    columns = [table[:, names.index(name)] if name in names else np.zeros(len(table)) for name in ROTATIONS]
    found = np.stack(columns, axis=1).astype(np.float32)
    return found if found.any() else None
