"""The command line of a run on a sound file."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from mathutils import Color

from ...engine.shared import options as ranges
from ...engine.shared.control_options import add_control_options, controls_of
from ...engine.shared.errors import EngineError
from ...engine.shared.identity_text import join_identity, split_identity
from ...engine.shared.options import Range
from ...engine.shared.style import LARGEST, add_style_options
from ..engine_access.programs import typed_program
from ..look.lighting import BACKDROPS, RIGS
from ..look.stage import FRAMINGS, StageChoice
from . import chosen_person, video
from .outcome import BAD_INPUT, EXIT_CODES, BatchError

OUTPUTS = {"frame-meshes": "FRAME_MESHES", "shape-keys": "SHAPE_KEYS", "expression-curves": "EXPRESSION_CURVES"}
FRAME_PLACES = {"automatic": "AUTOMATIC", "file": "FILE", "cache": "CACHE"}
IDENTITY_HELP = "mean, random:SEED or a .npy file, and controls: random:7+jaw_width=1,nose_length=-1"
DEFAULT_RATE = 24.0
STAGE = (
    ("--light", RIGS, "portrait", "lights around the head (default: %(default)s)"),
    ("--backdrop", BACKDROPS, "dark", "what is seen behind the head (default: %(default)s)"),
    ("--framing", FRAMINGS, "bust", "how much the camera shows (default: %(default)s)"),
)
AUTOMATIC = "automatic"
LIMITS = {
    "steps": ranges.STEPS,
    "samples": Range("number of render samples", 1, 4096),
    "strength": ranges.STRENGTH,
    "guidance": ranges.GUIDANCE,
    "fps": Range("frame rate", 1, 240),
} | {name: Range(name, 0, largest) for name, largest in LARGEST.items()}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise BatchError(f"{message}; see --help.", BAD_INPUT)


def parse(words: list[str]) -> argparse.Namespace:
    """The options. Raises BatchError for those that do not fit."""
    parser = _Parser(
        prog="blender --background --python facetalk_blender/batch.py --",
        description="Make a video of a head that speaks a recording.",
        epilog="With --scene-settings, takes of the opened file instead, as its panel is set: "
        "see --scene-settings --help. With the word batch first, all jobs of a table: see batch --help. "
        "With the word persons first, an asset library of the persons: see persons --help."
        f"\n\n{EXIT_CODES}",
    )
    _add_files(parser)
    _add_head(parser)
    _add_sampling(parser)
    _add_render(parser)
    options = parser.parse_args(words)
    _check(parser, options)
    return options


def _add_files(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--audio", type=Path, required=True, help="recording: any sound or video file that Blender reads")
    add("--output", type=Path, help="video to write (.mp4, H.264 and AAC)")
    add("--blend", type=Path, help="scene to write (.blend, sound packed)")
    add("--contact-sheet", type=Path, help="picture of moments of the video to write (.png)")
    add("--json", type=Path, help="report to write: stages, seconds, versions, sizes")


def _add_head(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--head-output", choices=OUTPUTS, default="frame-meshes", help="what the scene holds (default: %(default)s)")
    add(
        "--target",
        action="append",
        default=[],
        help="mesh of the opened file that gets expression curves instead of a new head; may be given several times",
    )
    add(
        "--frames-in",
        choices=FRAME_PLACES,
        default="automatic",
        help="where frame meshes are kept: in the .blend, or in NAME_frames beside it (default: by their size)",
    )
    add(
        "--resolution",
        type=int,
        choices=ranges.RESOLUTIONS,
        default=ranges.RESOLUTION,
        help="cells per side (default: %(default)s)",
    )
    add("--identity", type=identity, help=f"{IDENTITY_HELP} (default: mean)")
    add("--skin-colour", type=colour, help="colour of the skin, #RRGGBB (default: a light one)")
    add("--eye-colour", type=colour, help="colour of the iris, #RRGGBB (default: a grey blue)")
    chosen_person.add_options(parser)


def _add_sampling(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--seed", type=int, default=0, help="another number gives another performance (default: %(default)s)")
    add("--steps", type=int, help="denoising steps (default: the model's)")
    add("--guidance", type=float, help=f"how closely the voice is followed, {ranges.GUIDANCE} (default: the model's)")
    add(
        "--strength",
        type=float,
        default=1.0,
        help=f"how large expressions are, {ranges.STRENGTH} (default: %(default)s)",
    )
    add_control_options(parser)
    add_style_options(parser)
    add(
        "--bundle",
        type=_bundle,
        default=ranges.STARTER,
        help="folder of a model bundle (default: the built-in starter model)",
    )
    add("--device", default=ranges.DEVICE, help="what the model computes on: auto, cpu or cuda (default: %(default)s)")
    add("--engine-python", type=typed_program, default="", help="interpreter that can import torch (default: this one)")


def _add_render(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--fps",
        type=float,
        help=f"frames per second of the video (default: {DEFAULT_RATE:g}; with --target the opened file's)",
    )
    add("--frames", type=_frame_range, help="only frames A:B of the clip, counted from 1")
    add(
        "--engine",
        choices=(AUTOMATIC, *video.ENGINES),
        default=AUTOMATIC,
        help="render engine (default: eevee where there is a graphics processor, else cycles)",
    )
    for name, choices, default, text in STAGE:
        add(name, choices=[key.lower().replace("_", "-") for key in choices], default=default, help=text)
    add("--size", type=_size, default=(480, 480), help="picture size, WIDTHxHEIGHT (default: 480x480)")
    add("--samples", type=int, help="render samples (default: fitting the engine)")


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """What options need of each other, and the ranges of numbers."""
    if not (options.output or options.blend):
        parser.error("nothing to write: give --output or --blend")
    if options.contact_sheet and not options.output:
        parser.error("--contact-sheet shows a video: give --output too")
    if options.target and options.head_output != "expression-curves":
        parser.error("--target gets curves: give --head-output expression-curves too")
    for name, limits in LIMITS.items():
        value = getattr(options, name)
        if value is not None and not limits.holds(value):
            parser.error(f"--{name.replace('_', '-')} must lie between {limits.least:g} and {limits.greatest:g}")

    try:
        chosen_person.choose(options)
    except ValueError as error:
        parser.error(str(error))
    try:
        asked = controls_of(options)
    except EngineError as error:
        raise BatchError(str(error), BAD_INPUT) from error
    options.asked = {name: value if isinstance(value, float) else value.tolist() for name, value in asked.items()}


def stage_of(options: argparse.Namespace) -> StageChoice:
    """What camera, lights and backdrop shall be."""
    words = options.light, options.backdrop, options.framing
    return StageChoice(*(word.upper().replace("-", "_") for word in words))


def _frame_range(text: str) -> tuple[int, int]:
    parts = text.split(":")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts) or not 1 <= int(parts[0]) <= int(parts[1]):
        raise argparse.ArgumentTypeError(f"'{text}' is not a range of frames; write e.g. 1:48")
    return int(parts[0]), int(parts[1])


def colour(text: str) -> tuple[float, float, float]:
    """Linear colour of an sRGB one as #RRGGBB."""
    if not re.fullmatch("#?[0-9a-fA-F]{6}", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a colour; write e.g. #c68863")
    digits = text.removeprefix("#")
    shown = (int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4))
    return tuple(Color(shown).from_srgb_to_scene_linear())


def identity(text: str) -> str:
    """The engine works in another folder: a file gets its whole path."""
    try:
        base, controls = split_identity(text)
    except ValueError:
        return text  # the engine says what is wrong with it
    return join_identity(str(Path(base).resolve()) if Path(base).is_file() else base, controls)


def _bundle(text: str) -> str:
    return str(Path(text).resolve()) if Path(text).is_dir() else text


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    # H.264 stores colour at half the size, so both must be even.
    if len(parts) != 2 or not all(p.isdecimal() and 16 <= int(p) <= 8192 and int(p) % 2 == 0 for p in parts):
        raise argparse.ArgumentTypeError(f"'{text}' is not a picture size; write two even numbers, e.g. 480x480")
    return int(parts[0]), int(parts[1])
