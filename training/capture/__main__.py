"""Captures and datasets: `python -m training.capture STEP ...`; docs/research.md walks through the steps."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from training.capture.layout import sequences_of
from training.run.options import exit_status

METRES = {"m": 1.0, "mm": 0.001}


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 2 after printing one line that says what to put right."""
    parser = argparse.ArgumentParser("python -m training.capture", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    _add_render(steps.add_parser("render", help="render captures of talking heads whose truth is known"))
    _add_points(steps.add_parser("points", help="depth maps to points and landmarks in the world"))
    options = parser.parse_args(arguments)
    return exit_status(partial(options.run, options))


def _add_render(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="data folder with head/ and kokoro/ (docs/train.md)")
    parser.add_argument("--output", type=Path, required=True, help="folder of captures")
    parser.add_argument("--people", type=int, default=3)
    parser.add_argument("--sentences", type=int, default=4, help="of each person")
    parser.add_argument("--cameras", type=int, default=16)
    parser.add_argument("--width", type=int, default=128, help="of the pictures, pixels")
    parser.add_argument("--seconds", type=float, default=3.0, help="longest sentence")
    parser.add_argument("--seed", type=int, default=1)
    parser.set_defaults(run=_render)


def _render(options: argparse.Namespace) -> None:
    from training.capture.render import RigOptions, render

    names = ("data", "people", "sentences", "cameras", "width", "seconds", "seed")
    render(options.output, RigOptions(**{name: getattr(options, name) for name in names}))


def _add_sequences(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("captures", type=Path, help="folder of captures in NeRSemble's layout")
    parser.add_argument("--output", type=Path, required=True, help="dataset folder")
    parser.add_argument("--sequences", nargs="*", default=[], metavar="ID_SEQ", help="(default: all)")


def _add_points(parser: argparse.ArgumentParser) -> None:
    _add_sequences(parser)
    parser.add_argument("--fps", type=float, default=24.0, help="of the capture; NeRSemble: 73 or 24.3")
    parser.add_argument("--units", choices=METRES, default="m", help="of calibration and depth")
    parser.add_argument("--points", type=int, default=20_000, help="kept of a frame")
    parser.set_defaults(run=_points)


def _points(options: argparse.Namespace) -> None:
    from training.capture.points import PointOptions, make_points

    settings = PointOptions(options.fps, METRES[options.units], options.points)
    for sequence in sequences_of(options.captures, options.sequences):
        print(f"{sequence.dataset_name}: points of {make_points(sequence, options.output, settings)} frames")


if __name__ == "__main__":
    sys.exit(main())
