"""Options of the command lines that ask for a performance: emotion, energy, and controls over time from a file."""

from __future__ import annotations

import csv
from argparse import ArgumentParser, Namespace
from pathlib import Path

import numpy as np

from .controls import ASKED, EMOTIONS, ENERGY, LIMITS, Curve, check_limits
from .errors import EngineError

LARGEST_CSV = 1 << 24  # letters


def add_control_options(parser: ArgumentParser) -> None:
    """Give a command line the options that ask for an emotion, an energy, and both over time."""
    emotions = f"how the face feels, e.g. joy=0.7 or anger=0.5,disgust=0.3; of {', '.join(EMOTIONS)}, 0 to 1"
    parser.add_argument("--emotion", metavar="NAME=AMOUNT", action="append", default=[], help=emotions)
    parser.add_argument("--energy", type=float, metavar="AMOUNT", help="effort, -1 (listless) to 1 (shouting)")
    table = "CSV of controls over time: a column 'seconds', then one for each control, e.g. joy"
    parser.add_argument("--controls", metavar="FILE", help=table)


def controls_of(options: Namespace) -> dict[str, Curve]:
    """The controls of options that `add_control_options` added. Raises EngineError for those that cannot be used."""
    controls: dict[str, Curve] = {} if options.controls is None else read_controls(options.controls)
    for name, text in (part.partition("=")[::2] for word in options.emotion for part in word.split(",")):
        try:
            controls[name.strip()] = float(text)
        except ValueError as error:
            raise EngineError(f"'{name}={text}' sets no emotion; write e.g. joy=0.7.") from error
        if name.strip() not in EMOTIONS:
            raise EngineError(f"'{name.strip()}' is no emotion; use {', '.join(EMOTIONS)}.")
    if options.energy is not None:
        controls[ENERGY] = options.energy
    for name, value in controls.items():
        check_limits(name, np.atleast_1d(value)[..., -1])
    return controls


def read_controls(path: str) -> dict[str, Curve]:
    """Curves {name: (K, 2)} of a CSV file. Raises EngineError when it cannot be read."""
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file.read(LARGEST_CSV).splitlines()))
        names = [name.strip() for name in rows[0]]
        table = np.array([[float(cell) for cell in row] for row in rows[1:] if row], np.float64)
        if names[0] != "seconds" or len(names) < 2 or table.ndim != 2 or table.shape[1] != len(names):
            raise ValueError("no table of controls")
    except (OSError, ValueError, IndexError) as error:
        message = f"Cannot read controls from '{path}'; write a CSV with a column 'seconds', then e.g. 'joy'."
        raise EngineError(message) from error
    unknown = [name for name in names[1:] if name not in LIMITS]
    if unknown:
        raise EngineError(f"'{unknown[0]}' in {path} is no control; use {', '.join(ASKED)}.")
    return {name: table[:, [0, column]] for column, name in enumerate(names[1:], 1)}
