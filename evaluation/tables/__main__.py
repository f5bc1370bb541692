"""Print Tables 1 to 4 of the paper for bundles, fitted codes and vertex sequences of other methods.

    python -m evaluation.tables --audio test_set --bundle ours=RUN/export --vertices VOCA=voca_meshes \\
        --reference truth --codes truth=DATA --syncnet syncnet_v2.model --inception pt_inception.pth --output tables

`--audio` is a folder of recordings, of which folders may hold more (the paper's hybrid test set: one folder for each
source), or a dataset in the paper's layout. Give --bundle, --codes and --vertices as often as you like.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from engine import Engine
from engine.bundle import Bundle
from engine.motion import audio
from engine.shared.errors import EngineError
from engine.shared.options import DEVICE, STARTER
from engine.shared.units import CODE_RATE
from evaluation.shared.reports import write_report
from evaluation.tables.inception import load_inception
from evaluation.tables.measurement import Judges, Measured, compare_pictures, measure
from evaluation.tables.methods import Clip, FittedCodes, Head, Method, SpeakingBundle, VertexSequences
from evaluation.tables.report import plot_autocorrelation, report_text
from evaluation.tables.syncnet import load_syncnet
from training.paper_dataset import CODES, read_sequences
from training.run.options import exit_status

TAKES = 8
SOUNDS = {".wav", ".flac", ".ogg", ".opus", ".mp3"}
SHORTEST = 16  # code frames of a clip


def clips_of(folder: Path) -> list[Clip]:
    """Clips of a dataset in the paper's layout, or of all sounds below a folder. Raises EngineError for none."""
    if any(folder.glob(f"*/{CODES.as_posix()}")):
        return [Clip(found.name, audio.load(found.audio)) for found in read_sequences(folder, SHORTEST)]
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SOUNDS)
    if not paths:
        raise EngineError(f"{folder} has no recordings; name a folder of sound files or a dataset.")
    names = [path.relative_to(folder).with_suffix("").as_posix().replace("/", "_") for path in paths]
    return [Clip(name, audio.load(path)) for name, path in zip(names, paths, strict=True)]


def methods_of(options: argparse.Namespace) -> list[Method]:
    """The methods that options name. Raises EngineError for a folder that is none."""
    head = Head(Engine.load(options.head, options.device))
    found: list[Method] = []
    for name, folder in map(_named, options.bundle):
        engine = Engine.load(folder, options.device)
        own = not any(Bundle.open(folder).missing("surfaces"))
        found.append(SpeakingBundle(name, engine, Head(engine) if own else head))
    for name, folder in map(_named, options.codes):
        sequences = {sequence.name: sequence.codes for sequence in read_sequences(Path(folder), SHORTEST, options.key)}
        found.append(FittedCodes(name, sequences, CODE_RATE, head))
    found += [VertexSequences(name, Path(folder)) for name, folder in map(_named, options.vertices)]
    if not found:
        raise EngineError("Nothing to measure; give --bundle, --codes or --vertices.")
    names = [method.name for method in found]
    if len(set(names)) < len(names) or (options.reference and options.reference not in names):
        raise EngineError(f"Each method needs a name of its own, and --reference one of them: {', '.join(names)}.")
    return found


def run(options: argparse.Namespace) -> None:
    """Measure, print and write."""
    judges = Judges(
        load_syncnet(options.syncnet) if options.syncnet else None,
        load_inception(options.inception) if options.inception else None,
    )
    methods, clips = methods_of(options), clips_of(options.audio)
    measured: list[Measured] = []
    for method in methods:
        print(f"Measuring {method.name} on {len(clips)} clips", file=sys.stderr, flush=True)
        measured.append(measure(method, clips, judges, options.seed, _takes(method, options.takes)))
    reference = next((found for found in measured if found.name == options.reference), None)
    if reference is not None:
        compare_pictures(measured, reference)
    figures = {
        "clips": len(clips), "takes": options.takes, "seed": options.seed, "reference": options.reference,
        "syncnet": judges.syncnet is not None, "inception": judges.inception is not None,
        "methods": [_figures(found) for found in measured],
    }  # fmt: skip
    write_report(options.output, "tables", figures, report_text)
    curves = {found.name: found.autocorrelation for found in measured if found.autocorrelation is not None}
    if curves:
        plot_autocorrelation(options.output / "autocorrelation.png", {n: list(curve) for n, curve in curves.items()})
    print(report_text(figures), end="")


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 2 after printing one line that says what to put right."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m evaluation.tables", description=__doc__, formatter_class=plain)
    add = parser.add_argument
    add("--audio", type=Path, required=True, help="folder of recordings, or a dataset")
    add("--output", type=Path, required=True, help="folder for tables.md, tables.json and autocorrelation.png")
    add("--bundle", action="append", default=[], metavar="NAME=FOLDER", help="bundle that speaks the recordings")
    add("--codes", action="append", default=[], metavar="NAME=DATASET", help="fitted codes of the recordings")
    add("--vertices", action="append", default=[], metavar="NAME=FOLDER", help="CLIP.npy sequences with a template")
    add("--reference", metavar="NAME", help="method that counts as real for FID and KID")
    add("--head", default=STARTER, help="bundle whose head shows codes without one (default: starter)")
    add("--syncnet", type=Path, help="syncnet_v2.model, for LSE-D and LSE-C")
    add("--inception", type=Path, help="pt_inception-2015-12-05-6726825d.pth, for FID and KID")
    add("--takes", type=int, default=TAKES, help="of each clip, for the diversity (default: %(default)s)")
    add("--key", help="name of the code's array in a frame's file (default: the only one)")
    add("--seed", type=int, default=0)
    add("--device", default=DEVICE)
    options = parser.parse_args(arguments)
    return exit_status(lambda: run(options))


def _named(text: str) -> tuple[str, str]:
    name, found, folder = text.partition("=")
    if not (found and name and folder):
        raise EngineError(f"'{text}' is no NAME=FOLDER; write e.g. ours=bundles/ours.")
    return name, folder


def _takes(method: Method, takes: int) -> int:
    return takes if isinstance(method, SpeakingBundle) else 1


def _figures(found: Measured) -> dict:
    curve = None if found.autocorrelation is None else [round(float(value), 5) for value in found.autocorrelation]
    estimates = {name: asdict(estimate) for name, estimate in found.estimates.items()}
    return {"name": found.name, "estimates": estimates, "autocorrelation": curve}


if __name__ == "__main__":
    sys.exit(main())
