"""What a performance is asked for besides the voice: emotion, energy, and how this take's speaker moves.

A bundle's section "motion" names the controls that its decoder knows, of CONTROL_NAMES. Each is a number for every code
frame; 0 is neutral. The traits are constant over a take: a seed draws them, so that takes of other seeds are other
performances.

Only NumPy is needed, so that Blender's process may use it too.
"""

from __future__ import annotations

import csv
from argparse import ArgumentParser, Namespace
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from .errors import EngineError

EMOTIONS = ("joy", "anger", "sadness", "fear", "disgust", "surprise", "contempt")  # intensity, 0 to 1
ENERGY = "energy"  # effort of voice and face, -1 (listless) to 1 (shouting)
# Standard deviations from the mean speaker, each -2 to 2.
TRAITS = (
    "opening", "speed", "rounding", "teeth", "contrast", "jaw_share", "lag", "mood", "asymmetry", "brow_motion", "head",
    "gaze_motion",
)  # fmt: skip
CAPTURED = "captured"  # 0: the written prior speaks, 1: the captured speaker of the training does
CONTROL_NAMES = (*EMOTIONS, ENERGY, *TRAITS, CAPTURED)
LIMITS = dict.fromkeys(EMOTIONS, (0.0, 1.0)) | {ENERGY: (-1.0, 1.0), CAPTURED: (0.0, 1.0)}
LIMITS |= dict.fromkeys(TRAITS, (-2.0, 2.0))
LARGEST_CSV = 1 << 24  # letters
TRAIT_SEED = 9001  # apart from the stream of the sampler's noise

Curve = float | np.ndarray


def check_controls(
    controls: Mapping[str, Curve], frames: int, rate: float, known: Collection[str]
) -> dict[str, float | np.ndarray]:
    """Every control as a number or (frames,) numbers at `rate` Hz.

    controls: numbers, one for each code frame (frames,), or a curve (K, 2) of seconds and values, linear in between.
    known: those of the model.

    Raises EngineError for a control that is not known, has another form or leaves its limits.
    """
    checked: dict[str, float | np.ndarray] = {}
    for name, value in controls.items():
        if name not in LIMITS:
            raise EngineError(
                f"'{name}' is no control; use {', '.join((*EMOTIONS, ENERGY))} or a trait of the speaker."
            )
        if name not in known:
            raise EngineError(f"This model cannot be asked for {name}; leave it out, or use a model that can.")
        array = np.asarray(value)
        curve = array.ndim == 2 and array.shape[1:] == (2,) and len(array) > 0
        if array.dtype.kind not in "fiu" or not (curve or array.shape in ((), (frames,))):
            raise EngineError(f"The control {name} is neither a number, nor one for each of the {frames} code frames.")
        values = array[:, 1] if curve else array
        low, high = LIMITS[name]
        if not np.isfinite(array).all() or values.min() < low - 1e-6 or values.max() > high + 1e-6:
            raise EngineError(f"The control {name} goes from {low:g} to {high:g}; choose a value in between.")
        if curve and (np.diff(array[:, 0]) < 0).any():
            raise EngineError(f"The times of the control {name} do not rise; sort them.")
        checked[name] = np.interp(np.arange(frames) / rate, *array.T) if curve else value
    return checked


def drawn_traits(seed: int) -> dict[str, float]:
    """The traits of a take: standard normal, limited to -2 to 2, the same for the same seed."""
    values = np.random.default_rng((TRAIT_SEED, abs(int(seed)))).standard_normal(len(TRAITS))
    return {name: float(np.clip(value, -2, 2)) for name, value in zip(TRAITS, values, strict=True)}


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
        low, high = LIMITS[name]
        values = np.atleast_1d(value)[..., -1]
        if not ((values >= low) & (values <= high)).all():
            raise EngineError(f"The control {name} goes from {low:g} to {high:g}; choose a value in between.")
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
        raise EngineError(f"'{unknown[0]}' in {path} is no control; use {', '.join((*EMOTIONS, ENERGY))}.")
    return {name: table[:, [0, column]] for column, name in enumerate(names[1:], 1)}


def control_rows(known: tuple[str, ...], controls: Mapping[str, Curve], frames: int) -> np.ndarray:
    """Controls (frames, len(known)) float32 in the order in which a decoder knows them; what is not given is 0."""
    rows = np.zeros((frames, len(known)), np.float32)
    for column, name in enumerate(known):
        rows[:, column] = controls.get(name, 0.0)
    return rows
