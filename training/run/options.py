"""Command lines of trainings: the options that every run has, and errors as one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from engine.shared.errors import EngineError
from training.run.loop import Run

SPEECH_ENCODER_HELP = "public wav2vec 2.0: a Hugging Face folder, or FaceFormer's checkpoint"


def add_run_options(
    parser: argparse.ArgumentParser, learning_rate: float, steps: int | None = None, minutes: float | None = None
) -> None:
    """Options of a run with its default learning rate and budget; `run_of` makes the run of them.

    minutes: default of a training without a default number of steps.
    """
    usual_steps = str(steps) if steps else "no limit"
    usual_minutes = f"{minutes:g} without --steps" if minutes else "no limit"
    parser.add_argument("--output", type=Path, required=True, help="run folder; a run that is there is continued")
    parser.add_argument(
        "--steps", type=_positive(int), default=steps, help=f"of the whole run (default: {usual_steps})"
    )
    parser.add_argument("--minutes", type=_positive(float), help=f"of the whole run (default: {usual_minutes})")
    parser.add_argument("--start", type=Path, help="bundle from whose weights a new run begins")
    parser.add_argument(
        "--learning-rate", type=_positive(float), default=learning_rate, help="peak (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.set_defaults(default_minutes=minutes)


def add_speech_options(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """Options of a training on the speech data."""
    parser.add_argument("--data", type=Path, required=required, help="data folder")
    parser.add_argument("--cache", type=Path, help="decoded audio (default: RUN/cache)")
    parser.add_argument("--synthesised", type=int, default=3600, help="sentences spoken by natural voices")


def run_of(options: argparse.Namespace) -> Run:
    """The run that parsed options describe."""
    minutes = options.minutes
    if minutes is None and options.steps is None:
        minutes = options.default_minutes
    return Run(options.output, options.learning_rate, options.steps, minutes, options.seed)


def exit_status(command: Callable[[], None]) -> int:
    """Run a command: 0, 2 after an EngineError, whose sentence is printed as one line, or 130 when interrupted."""
    try:
        command()
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def _positive(kind: type[int] | type[float]) -> Callable[[str], int | float]:
    def parsed(text: str) -> int | float:
        value = kind(text)
        if not value > 0:
            raise ValueError(text)
        return value

    parsed.__name__ = f"positive {kind.__name__}"
    return parsed
