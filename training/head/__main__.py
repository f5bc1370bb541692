"""Make the starter's head: draw samples from ICT-FaceKit, train three networks and put them into a bundle."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import torch

from engine.devices import choose_device
from training.head.controls import export_controls, print_tables
from training.head.convert import convert
from training.head.export import export_networks, export_template
from training.head.ground_truth import HeadTopology
from training.head.ict import ARCHIVE, FaceKit
from training.head.sampling import PARTS, fill_detail_pool, fill_expression_pool, fill_identity_pool
from training.head.train_expression import ExpressionPools, train_expression
from training.head.train_identity import train_identity
from training.head.train_regions import train_regions
from training.run.options import add_run_options, exit_status, run_of

NETWORKS = {"identity": (6000, 2e-3), "expression": (12000, 1.5e-3), "regions": (2500, 3e-3)}  # steps, learning rate

SIZES = {
    "identity": {"width": "units of a hidden layer", "neighbours": "nearest anchors whose networks are blended"},
    "expression": {"width": "units of a hidden layer", "layers": "hidden layers"},
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns 0, or 2 after printing one line that says what to put right."""
    options = _parser().parse_args(arguments)
    return exit_status(partial(options.run, options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.head", description=__doc__)
    commands = parser.add_subparsers(required=True)
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", type=Path, required=True, help=f"data folder, with {ARCHIVE.as_posix()} in it")
    _add_conversion(commands.add_parser("convert", help=f"make {ARCHIVE.name} from ICT-FaceKit's OBJ files"))
    _add_samples(commands.add_parser("samples", parents=[data], help="draw training samples from ICT-FaceKit"))
    for name in NETWORKS:
        _add_training(commands.add_parser(name, parents=[data], help=f"train the {name} network"), name)
    _add_export(commands.add_parser("export", parents=[data], help="put networks and the template into a bundle"))
    controls = commands.add_parser("controls", parents=[data], help="make controls of what identity modes change")
    controls.add_argument("--bundle", type=Path, help="bundle folder to write them into; without it they are printed")
    controls.set_defaults(run=_controls)
    return parser


def _add_conversion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", type=Path, required=True, help="ICT-FaceKit's FaceXModel folder")
    parser.add_argument("--output", type=Path, required=True, help="the .npz to write")
    parser.set_defaults(run=lambda options: convert(options.source, options.output))


def _add_samples(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=("identity", "expression", *PARTS, "detail"))
    parser.add_argument("--output", type=Path, required=True, help="folder of the sample pool")
    parser.add_argument("--total", type=int, default=300, help="heads (identity) or poses (expression) in the pool")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--last", type=int, help="several processes may each fill a range of one pool")
    parser.set_defaults(run=_samples)


def _add_training(parser: argparse.ArgumentParser, network: str) -> None:
    steps, learning_rate = NETWORKS[network]
    parser.add_argument("--pool", type=Path, required=True, help="folder of the sample pool")
    add_run_options(parser, learning_rate, steps)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    for name, kind in SIZES.get(network, {}).items():
        parser.add_argument(f"--{name}", type=int, help=f"{kind} (default: that of the starter)")
    if network == "expression":
        for part in PARTS:
            parser.add_argument(f"--{part}-pool", type=Path, required=True, help=f"pool of kind {part}")
        parser.add_argument("--identity-run", type=Path, help="with --detail-pool: also train lips and eyelids to seal")
        parser.add_argument("--detail-pool", type=Path)
    parser.set_defaults(run=_train, network=network)


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=Path, required=True, help="bundle folder, made when missing")
    for name in NETWORKS:
        parser.add_argument(f"--{name}", type=Path, help=f"run folder of the {name} network")
    parser.add_argument("--template", action="store_true", help="also write the fixed topology")
    parser.set_defaults(run=_export)


def _samples(options: argparse.Namespace) -> None:
    topology = HeadTopology(FaceKit.load(options.data / ARCHIVE))
    place = (topology, options.output, options.first, options.last or options.total, options.total)
    if options.kind == "identity":
        fill_identity_pool(*place)
    elif options.kind == "detail":
        fill_detail_pool(*place)
    else:
        fill_expression_pool(*place, part=options.kind if options.kind in PARTS else None)


def _train(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    face_kit, run, device = FaceKit.load(options.data / ARCHIVE), run_of(options), choose_device(options.device)
    sizes = {name: getattr(options, name) for name in SIZES.get(options.network, {}) if getattr(options, name)}
    run.write_config({"network": options.network, "pool": str(options.pool), "sizes": sizes})
    if options.network == "expression":
        pools = ExpressionPools(
            options.pool, options.eyes_pool, options.lips_pool, options.detail_pool, options.identity_run
        )
        train_expression(face_kit, pools, run, device, sizes, options.start)
    elif options.network == "identity":
        train_identity(face_kit, options.pool, run, device, sizes, options.start)
    else:
        train_regions(face_kit, options.pool, run, device, options.start)


def _export(options: argparse.Namespace) -> None:
    face_kit = FaceKit.load(options.data / ARCHIVE)
    runs = {name: getattr(options, name) for name in NETWORKS}
    export_networks(face_kit, options.bundle, {name: run for name, run in runs.items() if run is not None})
    if options.template:
        export_template(face_kit, options.bundle)


def _controls(options: argparse.Namespace) -> None:
    face_kit = FaceKit.load(options.data / ARCHIVE)
    if options.bundle:
        export_controls(face_kit, options.bundle)
    else:
        print_tables(face_kit)


if __name__ == "__main__":
    sys.exit(main())
