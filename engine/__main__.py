"""The engine from the command line: `python -m engine sample|capture|follow|surface|import|fit-arkit|info`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

# Read by torch's thread pool when it is first imported: waiting threads must not keep a core busy.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import numpy as np

from .shared import __version__
from .shared.arkit import conversion_text
from .shared.control_options import add_control_options, controls_of
from .shared.errors import EngineError
from .shared.options import DEVICE, GUIDANCE, RESOLUTION, SAMPLERS, STARTER, STEPS, STRENGTH
from .shared.style import Style, add_style_options, style_of

USAGE = """\
python -m engine sample --audio voice.wav --output take.npz
python -m engine capture --video face.mp4 --output take.npz
python -m engine follow --landmarks points.npy --rate 30 --bundle FOLDER --output take.npz
python -m engine surface --take take.npz --output FOLDER
python -m engine import nphm SOURCE [SOURCE ...] --output FOLDER [--anchors anchors_39.npy]
                             [--smoothing none|all|offsets] [--replace | --add]
python -m engine import wav2vec2 SOURCE --output FOLDER [--config config.json] [--replace | --add]
python -m engine fit-arkit BUNDLE [--codes TAKE ...]
python -m engine info
Each command explains itself: python -m engine COMMAND --help
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns 0, or 2 after printing one line that says what to change."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except EngineError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"Cannot write '{error.filename}': {error.strerror}. Choose another output path.")
    return 0


def _sample(options: argparse.Namespace) -> None:
    output = _writable(options.output, ".npz")
    style = style_of(options)
    kept = _kept(options.keep, options.range, style)
    engine = _engine(options)
    take = engine.sample(
        options.audio,
        start=options.start,
        duration=options.duration,
        seed=options.seed,
        steps=options.steps,
        sampler=options.sampler,
        guidance=options.guidance,
        strength=options.strength,
        refine=options.refine,
        controls=controls_of(options),
        **kept,
    )
    take = engine.styled(take, style)
    take.save(output)
    print(f"{output}: {len(take.codes)} codes at {take.rate:g} Hz, seed {take.seed}")


def _follow(options: argparse.Namespace) -> None:
    output = _writable(options.output, ".npz")
    landmarks, rate = _landmarks(options.landmarks)
    rate = rate if options.rate is None else options.rate
    if rate is None:
        raise EngineError(f"{options.landmarks} does not tell its frames per second; give them with --rate.")
    take = _engine(options).follow(landmarks, rate, seed=options.seed, steps=options.steps)
    take.save(output)
    print(f"{output}: {len(take.codes)} codes at {take.rate:g} Hz, seed {take.seed}")


def _capture(options: argparse.Namespace) -> None:
    output = _writable(options.output, ".npz")
    take = _engine(options).capture(options.video, start=options.start, duration=options.duration, face=options.face)
    take.save(output)
    found = take.provenance["captured"]
    lost = f", {found['lost']} of {found['pictures']} pictures without a face bridged" if found["lost"] else ""
    print(f"{output}: {len(take.codes)} codes at {take.rate:g} Hz, points {found['residual_mm']} mm off{lost}")


def _landmarks(path: str) -> tuple[np.ndarray, float | None]:
    """Landmarks (N, 68, 3) of a .npy, or of an .npz with `landmarks` and perhaps `fps`, and their rate."""
    from .shared.hostile_files import LARGEST_ARRAYS, UNREADABLE, read_npy, read_npz

    try:
        if Path(path).suffix != ".npz":
            return read_npy(path, LARGEST_ARRAYS), None
        arrays = read_npz(path)
        return arrays["landmarks"], float(arrays["fps"]) if "fps" in arrays else None
    except UNREADABLE as error:
        message = f"'{path}' is no readable file of landmarks; give a .npy (N, 68, 3), or an .npz with 'landmarks'."
        raise EngineError(message) from error


def _surface(options: argparse.Namespace) -> None:
    from .motion.codes import ExpressionTake
    from .ply import write_ply

    take = ExpressionTake.load(options.take)
    first, last = _frame_range(options.frames, len(take.codes))
    engine = _engine(options)
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    times = [frame / take.rate for frame in range(first, last)]
    for surface in engine.surfaces(take, identity=options.identity, resolution=options.resolution, times=times):
        path = folder / f"frame_{first + surface.index:05d}.ply"
        write_ply(path, surface)
        print(f"{path}: {len(surface.vertices)} vertices, {len(surface.faces)} triangles", flush=True)


def _import_nphm(options: argparse.Namespace) -> None:
    from .importing.nphm import import_nphm

    bundle = import_nphm(
        options.sources,
        options.output,
        anchors=options.anchors,
        smoothing=options.smoothing,
        replace=options.replace,
        add=options.add,
        progress=_print_stage,
    )
    _print_bundle(bundle)


def _import_wav2vec2(options: argparse.Namespace) -> None:
    from .importing.wav2vec2 import import_wav2vec2

    bundle = import_wav2vec2(
        options.source,
        options.output,
        config=options.config,
        replace=options.replace,
        add=options.add,
        progress=_print_stage,
    )
    _print_bundle(bundle)


def _fit_arkit(options: argparse.Namespace) -> None:
    from . import Engine
    from .arkit_fit.fit import fit_arkit

    bundle = fit_arkit(options.bundle, options.codes, device=options.device, progress=_print_stage)
    information = Engine.load(bundle.folder, "cpu").info()
    fitted = information["arkit_fit"]
    print(f"{bundle.folder}: fitted to {fitted['fitted_to']} {fitted['codes']}")
    print("registration: " + ", ".join(f"{name} {value:g}" for name, value in fitted["registration"].items()))
    print(f"ARKit weights: {conversion_text(information)}")


def _print_stage(stage: str, fraction: float) -> None:
    print(f"{100 * fraction:3.0f} %  {stage}", flush=True)


def _print_bundle(bundle) -> None:
    from .bundle import ABILITIES

    print(f"{bundle.folder}: model bundle '{bundle.name}'")
    for part, licence in bundle.licences.items():
        print(f"{part}: {licence}")
    _print_abilities({ability: bundle.missing(ability) for ability in ABILITIES})


def _print_abilities(missing: dict[str, list[str]]) -> None:
    for ability, lacking in missing.items():
        print(f"{ability}: " + (f"no, lacks {', '.join(lacking)}" if lacking else "yes"))


def _info(options: argparse.Namespace) -> None:
    information = _engine(options).info()
    if options.json:
        print(json.dumps(information, indent=1))
        return
    print(f"FaceTalk engine {information['version']}, bundle {information['bundle']}")
    print(f"device {information['device']} ({information['device_name']}), {information['threads']} threads")
    print("  ".join(f"{name} {number}" for name, number in information["versions"].items()))
    for part, licence in information["licences"].items():
        print(f"{part}: {licence}")
    _print_abilities(information["missing"])
    print(f"ARKit weights: {conversion_text(information)}")
    print(f"head controls: {', '.join(information['head_controls']) or 'none'}")


def _engine(options: argparse.Namespace):
    from . import Engine

    return Engine.load(bundle=options.bundle, device=options.device)


def _kept(path: str | None, frames: str | None, style: Style) -> dict:
    """Codes to keep and the range to sample again, as arguments of `Engine.sample`."""
    from .motion.codes import ExpressionTake

    if (path is None) != (frames is None):
        raise EngineError("--keep and --range belong together; give both.")
    if path is None:
        return {}
    take = ExpressionTake.load(path)
    if style.changes and "style" in take.provenance:
        raise EngineError(f"{path} has a style already; keep a take without one, or leave the style options out.")
    return {"keep": take.codes, "keep_pose": take.pose, "resample": _frame_range(frames, len(take.codes))}


def _frame_range(text: str | None, count: int) -> tuple[int, int]:
    if text is None:
        return 0, count
    try:
        parts = zip(text.split(":"), (0, count), strict=True)
        first, last = (int(part) if part else default for part, default in parts)
    except ValueError as error:
        raise EngineError(f"'{text}' is not a frame range; write A:B with whole numbers, e.g. 0:24.") from error
    if not 0 <= first < last <= count:
        raise EngineError(f"Frames {text} lie outside the take; it has frames 0:{count}.")
    return first, last


def _writable(path: str, suffix: str) -> Path:
    output = Path(path)
    if output.suffix != suffix:
        raise EngineError(f"The output '{path}' must end in {suffix}.")
    if not output.parent.is_dir() or not os.access(output.parent, os.W_OK):
        raise EngineError(f"Cannot write to the folder '{output.parent}'; make it or choose another output path.")
    return output


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m engine", description=__doc__, epilog=USAGE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--bundle", default=STARTER, help="'starter' or a bundle folder (default: starter)")
    common.add_argument("--device", default=DEVICE, help="auto, cpu or cuda (default: auto)")

    _add_sample(commands, common)
    _add_capture(commands, common)
    _add_follow(commands, common)
    _add_surface(commands, common)
    _add_import(commands)
    _add_fit(commands)
    info = commands.add_parser("info", parents=[common], help="device, versions, bundle, licences, what it can do")
    info.add_argument("--json", action="store_true", help="print JSON")
    info.set_defaults(run=_info)
    return parser


def _add_sample(commands, common: argparse.ArgumentParser) -> None:
    sample = commands.add_parser("sample", parents=[common], help="recording -> take of expression codes")
    sample.description = (
        "Writes an .npz with codes (N,200), rate in Hz, weights (N,52) with weight_names, "
        "lip_opening_mm (N,) of the mean head, the head's pose (N,6) where the model has one, and seed."
    )
    sample.add_argument("--audio", required=True, help="sound file (wav, flac, ogg, opus, mp3)")
    sample.add_argument("--output", required=True, help="take to write (.npz)")
    sample.add_argument("--start", type=float, default=0.0, help="seconds into the file (default: 0)")
    sample.add_argument("--duration", type=float, help="seconds to use (default: to the end)")
    sample.add_argument("--seed", type=int, default=0, help="another seed is another performance (default: 0)")
    sample.add_argument("--steps", type=int, help=f"sampling steps, {STEPS} (default: the bundle's)")
    sample.add_argument("--sampler", choices=SAMPLERS, help="default: the bundle's")
    sample.add_argument("--guidance", type=float, help=f"classifier-free guidance, {GUIDANCE} (default: the bundle's)")
    sample.add_argument(
        "--strength", type=float, default=1.0, help=f"factor on the expression, {STRENGTH} (default: 1)"
    )
    raw = "leave the codes as they were sampled, without the smoothing that the bundle asks for"
    sample.add_argument("--no-refine", dest="refine", action="store_false", help=raw)
    add_control_options(sample)
    add_style_options(sample)
    sample.add_argument("--keep", metavar="TAKE", help="take (.npz) of the same recording whose codes stay ...")
    sample.add_argument("--range", metavar="A:B", help="... but for code frames A:B, B excluded, sampled again")
    sample.set_defaults(run=_sample)


def _add_capture(commands, common: argparse.ArgumentParser) -> None:
    capture = commands.add_parser("capture", parents=[common], help="video of a face -> take of expression codes")
    capture.description = "Needs the packages mediapipe and av; writes what 'sample' writes."
    capture.add_argument("--video", required=True, help="that shows a face from the front, well lit")
    capture.add_argument("--output", required=True, help="take to write (.npz)")
    capture.add_argument("--start", type=float, default=0.0, help="second of the video to begin at (default: 0)")
    capture.add_argument("--duration", type=float, help="seconds to use (default: all)")
    capture.add_argument("--face", type=int, default=0, help="0: the largest (default), n: the n-th from the left")
    capture.set_defaults(run=_capture)


def _add_follow(commands, common: argparse.ArgumentParser) -> None:
    follow = commands.add_parser("follow", parents=[common], help="landmarks of a face -> take of expression codes")
    follow.description = "For a bundle that was trained on landmarks (docs/research.md); writes what 'sample' writes."
    follow.add_argument("--landmarks", required=True, help="(N, 68, 3): .npy, or .npz with 'landmarks' and 'fps'")
    follow.add_argument("--rate", type=float, help="frames per second of the landmarks (default: the file's)")
    follow.add_argument("--output", required=True, help="take to write (.npz)")
    follow.add_argument("--seed", type=int, default=0, help="another seed is another performance (default: 0)")
    follow.add_argument("--steps", type=int, help=f"sampling steps, {STEPS} (default: the bundle's)")
    follow.set_defaults(run=_follow)


def _add_surface(commands, common: argparse.ArgumentParser) -> None:
    surface = commands.add_parser("surface", parents=[common], help="take -> numbered PLY meshes")
    surface.description = "Writes frame_00000.ply ... : binary PLY, metres, Blender's axes, one weight per region."
    surface.add_argument("--take", required=True, help="take written by 'sample' (.npz)")
    surface.add_argument("--output", required=True, help="folder for the PLY files")
    surface.add_argument("--resolution", type=int, default=RESOLUTION, help="cells per side (default: %(default)s)")
    surface.add_argument("--frames", help="code frames A:B, B excluded (default: all)")
    identities = "mean, random:SEED, subject:N (of an imported model) or a .npy file (default: mean)"
    surface.add_argument("--identity", default="mean", help=identities)
    surface.set_defaults(run=_surface)


def _add_fit(commands) -> None:
    fit = commands.add_parser("fit-arkit", help="ARKit weights for a bundle that was made without them, fitted")
    fit.description = (
        "Fits how the expression codes of a bundle's head and the 52 ARKit weights convert, through the starter's "
        "template; prints the errors on codes that were kept out, and adds the result to the bundle."
    )
    fit.add_argument("bundle", metavar="BUNDLE", help="bundle folder, e.g. one that 'import' made")
    codes = "takes (.npz) or codes (.npy, one a row) to fit to (default: codes of its training scans, else random ones)"
    fit.add_argument("--codes", nargs="+", default=(), metavar="FILE", help=codes)
    fit.add_argument("--device", default=DEVICE, help="auto, cpu or cuda (default: auto)")
    fit.set_defaults(run=_fit_arkit)


def _add_import(commands) -> None:
    importing = commands.add_parser("import", help="official NPHM or wav2vec 2.0 weights -> model bundle")
    importing.description = (
        "Makes a model bundle of files that you have. Nothing is fetched and nothing in the files is run."
    )
    models = importing.add_subparsers(required=True, metavar="MODEL")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--output", required=True, metavar="FOLDER", help="bundle folder to make")
    existing = common.add_mutually_exclusive_group()
    existing.add_argument("--replace", action="store_true", help="exchange an existing bundle of that name")
    existing.add_argument("--add", action="store_true", help="keep what an existing bundle has beside this part")

    nphm = models.add_parser("nphm", parents=[common], help="NPHM, NPHM with backward deformations, MonoNPHM -> head")
    nphm.add_argument("sources", nargs="+", metavar="SOURCE", help="published folders, or checkpoint_epoch_<n>.tar")
    nphm.add_argument("--anchors", metavar="FILE", help="anchors_39.npy or anchors_65.npy (default: in SOURCE)")
    nphm.add_argument(
        "--smoothing",
        choices=("none", "all", "offsets"),
        default="none",
        help="FaceTalk's Gaussian mask on offsets and hyper coordinates, or on offsets alone (default: none)",
    )
    nphm.set_defaults(run=_import_nphm)

    wav2vec2 = models.add_parser("wav2vec2", parents=[common], help="Hugging Face or FaceFormer weights -> speech")
    wav2vec2.add_argument("source", metavar="SOURCE", help="Hugging Face model folder, or a FaceFormer checkpoint")
    wav2vec2.add_argument("--config", metavar="FILE", help="config.json of a checkpoint; default: beside it, else base")
    wav2vec2.set_defaults(run=_import_wav2vec2)


if __name__ == "__main__":
    sys.exit(main())
