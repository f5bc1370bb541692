"""The command line of the head's training."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch

from evaluation.head.evaluate import evaluate_head
from evaluation.head.poses import POSES
from training.head.controls import export_controls, print_tables
from training.head.convert import convert
from training.head.export import export_networks, export_template
from training.head.ground_truth import HeadTopology
from training.head.ict import FaceKit
from training.head.loop import LoopOptions, resolve_device
from training.head.sampling import PARTS, fill_detail_pool, fill_expression_pool, fill_identity_pool
from training.head.train_expression import train_expression
from training.head.train_identity import train_identity
from training.head.train_regions import train_regions

ARCHIVE = Path("head") / "ict_facekit.npz"


def main(arguments: list[str] | None = None) -> None:
    """Parse `arguments` (default: the process's) and run one command."""
    options = _parser().parse_args(arguments)
    options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.head", description=__doc__)
    commands = parser.add_subparsers(required=True)
    conversion = commands.add_parser("convert", help="make ict_facekit.npz from ICT-FaceKit's OBJ files")
    conversion.add_argument("--source", type=Path, required=True, help="ICT-FaceKit's FaceXModel folder")
    conversion.add_argument("--output", type=Path, required=True, help="the .npz to write")
    conversion.set_defaults(run=lambda options: convert(options.source, options.output))
    samples = commands.add_parser("samples", help="draw training samples from ICT-FaceKit")
    samples.add_argument("kind", choices=("identity", "expression", *PARTS, "detail"))
    samples.add_argument("--data", type=Path, required=True, help="data folder, with head/ict_facekit.npz in it")
    samples.add_argument("--output", type=Path, required=True, help="folder of the sample pool")
    samples.add_argument("--total", type=int, default=300, help="heads (identity) or poses (expression) in the pool")
    samples.add_argument("--first", type=int, default=0)
    samples.add_argument("--last", type=int, help="several processes may each fill a range of one pool")
    samples.set_defaults(run=_samples)
    for name, iterations, rate in (("identity", 6000, 2e-3), ("expression", 12000, 1.5e-3), ("regions", 2500, 3e-3)):
        training = commands.add_parser(name, help=f"train the {name} network")
        training.add_argument("--data", type=Path, required=True, help="data folder, with head/ict_facekit.npz in it")
        training.add_argument("--pool", type=Path, required=True, help="folder of the sample pool")
        training.add_argument("--output", type=Path, required=True, help="run folder; an interrupted run is resumed")
        training.add_argument("--iterations", type=int, default=iterations)
        training.add_argument("--minutes", type=float, help="wall-clock budget; without it a run is reproducible")
        training.add_argument("--learning-rate", type=float, default=rate)
        training.add_argument("--seed", type=int, default=0)
        training.add_argument("--device", default="auto", help="auto, cpu or cuda")
        training.add_argument("--threads", type=int, default=1, help="CPU threads")
        if name in ("identity", "expression"):
            training.add_argument("--start", type=Path, help="bundle from whose weights a new run begins")
        if name == "expression":
            for part in PARTS:
                training.add_argument(f"--{part}-pool", type=Path, required=True, help=f"pool of kind {part}")
            training.add_argument("--identity-run", type=Path, help="with --detail-pool: also train lips and lids shut")
            training.add_argument("--detail-pool", type=Path)
        training.set_defaults(run=_train, network=name)
    export = commands.add_parser("export", help="put trained networks and the template into a bundle")
    export.add_argument("--data", type=Path, required=True)
    export.add_argument("--bundle", type=Path, required=True, help="bundle folder, made when missing")
    for name in ("identity", "expression", "regions"):
        export.add_argument(f"--{name}", type=Path, help=f"run folder of the {name} network")
    export.add_argument("--template", action="store_true", help="also write the fixed topology")
    export.set_defaults(run=_export)
    controls = commands.add_parser("controls", help="measure what identity modes change and make the head's controls")
    controls.add_argument("--data", type=Path, required=True)
    controls.add_argument("--bundle", type=Path, help="bundle folder to write them into; without it they are printed")
    controls.set_defaults(run=_controls)
    evaluation = commands.add_parser("evaluate", help="compare a bundle's head with ICT-FaceKit on unseen heads")
    evaluation.add_argument("--data", type=Path, required=True)
    evaluation.add_argument("--bundle", default="starter")
    evaluation.add_argument("--output", type=Path, required=True)
    evaluation.add_argument("--identities", type=int, default=20, help="unseen heads")
    evaluation.add_argument("--poses", type=int, default=POSES, help=f"expressions of each head, {POSES} at most")
    evaluation.add_argument("--first", type=int, default=0, help="several processes may begin with different heads")
    evaluation.add_argument(
        "--parts",
        type=Path,
        default=Path("out") / "head_evaluation",
        help="what is measured of each head is kept here: an interrupted run goes on",
    )
    evaluation.set_defaults(run=_evaluate)
    return parser


def _samples(options: argparse.Namespace) -> None:
    topology = HeadTopology(FaceKit.load(options.data / ARCHIVE))
    fill = {
        "identity": fill_identity_pool,
        "expression": fill_expression_pool,
        "detail": fill_detail_pool,
        **{part: partial(fill_expression_pool, part=part) for part in PARTS},
    }[options.kind]
    fill(topology, options.output, options.first, options.last or options.total, options.total)


def _export(options: argparse.Namespace) -> None:
    face_kit = FaceKit.load(options.data / ARCHIVE)
    runs = {name: getattr(options, name) for name in ("identity", "expression", "regions")}
    export_networks(face_kit, options.bundle, {name: run for name, run in runs.items() if run is not None})
    if options.template:
        export_template(face_kit, options.bundle)


def _controls(options: argparse.Namespace) -> None:
    face_kit = FaceKit.load(options.data / ARCHIVE)
    if options.bundle:
        export_controls(face_kit, options.bundle)
    else:
        print_tables(face_kit)


def _evaluate(options: argparse.Namespace) -> None:
    evaluate_head(
        FaceKit.load(options.data / ARCHIVE),
        options.bundle,
        options.output,
        options.parts,
        options.identities,
        options.poses,
        options.first,
    )


def _train(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    loop = LoopOptions(options.iterations, options.minutes, options.learning_rate, options.seed)
    names = {"identity": ("start",), "expression": ("eyes_pool", "lips_pool", "identity_run", "detail_pool", "start")}
    details = {name: getattr(options, name) for name in names.get(options.network, ())}
    start = {"identity": train_identity, "expression": train_expression, "regions": train_regions}[options.network]
    start(
        FaceKit.load(options.data / ARCHIVE),
        options.pool,
        options.output,
        loop,
        resolve_device(options.device),
        **details,
    )
