"""Captures and datasets: `python -m training.capture STEP ...`; docs/research.md walks through the steps."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from engine.face_capture.landmarker import MODEL
from engine.shared.errors import EngineError
from engine.shared.options import STARTER
from farm.run import add_place_options, place_of, run_jobs
from training.capture.layout import sequences_of
from training.run.options import SPEECH_ENCODER_HELP, exit_status

METRES = {"m": 1.0, "mm": 0.001}


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 2 after printing one line that says what to put right."""
    parser = argparse.ArgumentParser("python -m training.capture", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    _add_render(steps.add_parser("render", help="render captures of talking heads whose truth is known"))
    _add_points(steps.add_parser("points", help="depth maps to points and landmarks in the world"))
    _add_flame(steps.add_parser("flame", help="fit FLAME, or a model of its form, to points and landmarks"))
    _add_expressions(steps.add_parser("expressions", help="fit expression codes to points"))
    _add_sound(steps.add_parser("sound", help="amplify recordings and remove their noise"))
    _add_features(steps.add_parser("features", help="keep speech features at 24 Hz beside the sound"))
    _add_segments(steps.add_parser("segments", help="cut sequences into segments of one length"))
    _add_video(steps.add_parser("video", help="a talking face filmed by one camera, with its sound, to a dataset"))
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


def _add_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, help="dataset folder")
    parser.add_argument("--sequences", nargs="*", default=[], metavar="ID_SEQ", help="(default: all)")
    add_place_options(parser)


def _folders(options: argparse.Namespace) -> list[Path]:
    """The sequences of a dataset that have points. Raises EngineError when there are none."""
    found = sorted(path.parent for path in options.dataset.glob("*_*/point_clouds"))
    names = {path.name for path in found}
    unknown = [name for name in options.sequences if name not in names]
    if unknown or not found:
        raise EngineError(
            f"{options.dataset} has no points of {unknown[0] if unknown else 'any sequence'}; run python -m "
            "training.capture points first."
        )
    return [path for path in found if not options.sequences or path.name in options.sequences]


def _add_flame(parser: argparse.ArgumentParser) -> None:
    _add_dataset(parser)
    parser.add_argument("--data", type=Path, help="data folder with head/, for a model made from ICT-FaceKit")
    parser.add_argument("--flame", type=Path, help="generic_model.pkl or flame2023.pkl, your own copy")
    parser.add_argument("--embedding", type=Path, help="its landmark_embedding.npy")
    parser.add_argument("--steps", type=int, default=2500)
    parser.set_defaults(run=_flame)


def _flame(options: argparse.Namespace) -> None:
    from training.capture.jobs import fit_flame, flame_jobs

    if options.flame and options.embedding:
        model = {"flame": str(options.flame.resolve()), "embedding": str(options.embedding.resolve())}
    elif options.data and not options.flame:
        model = {"data": str(options.data.resolve())}
    else:
        raise EngineError("Name --flame with --embedding, or --data for a model made from ICT-FaceKit.")
    jobs = flame_jobs(_folders(options), model, options.steps)
    run_jobs(fit_flame, jobs, place_of(options), options.again).require()


def _add_expressions(parser: argparse.ArgumentParser) -> None:
    _add_dataset(parser)
    parser.add_argument("--bundle", default=STARTER, help="whose head is fitted (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=500, help="of each window (default: %(default)s, the paper's)")
    parser.add_argument("--points", type=int, default=5000, help="of each frame and step (default: %(default)s)")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--temporal", type=float, default=0.1, help="weight of the temporal term; 0 leaves it out")
    parser.add_argument("--meshes", type=int, default=0, metavar="POINTS", help="write meshes too, e.g. 64 a side")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.set_defaults(run=_expressions)


def _expressions(options: argparse.Namespace) -> None:
    from training.capture.expression_fitting import FittingOptions
    from training.capture.jobs import expression_jobs, fit_expressions

    names = ("steps", "points", "learning_rate", "temporal")
    settings = FittingOptions(**{name: getattr(options, name) for name in names})
    bundle = options.bundle if options.bundle == STARTER else str(Path(options.bundle).resolve())
    jobs = expression_jobs(_folders(options), bundle, options.device, settings, options.meshes)
    run_jobs(fit_expressions, jobs, place_of(options), options.again).require()


def _add_sound(parser: argparse.ArgumentParser) -> None:
    _add_sequences(parser)
    parser.set_defaults(run=_sound)


def _sound(options: argparse.Namespace) -> None:
    from training.capture.sound import clean_file

    for sequence in sequences_of(options.captures, options.sequences):
        decibels = clean_file(sequence.sound(), options.output / sequence.dataset_name)
        print(f"{sequence.dataset_name}: sound " + (f"{decibels:+.1f} dB" if decibels else "is there"))


def _add_features(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, help="dataset folder")
    parser.add_argument("--speech-encoder", type=Path, required=True, help=SPEECH_ENCODER_HELP)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.set_defaults(run=_features)


def _features(options: argparse.Namespace) -> None:
    from tempfile import TemporaryDirectory

    from engine.devices import choose_device
    from engine.importing.wav2vec2 import import_wav2vec2
    from engine.motion.speech import load_speech_encoder
    from training.capture.sound import cached_features, difference_from_papers
    from training.paper_dataset import CLEANED

    sounds = sorted(options.dataset.glob(f"*_*/audio/{CLEANED}"))
    if not sounds:
        raise EngineError(f"{options.dataset} has no {CLEANED}; run python -m training.capture sound first.")
    with TemporaryDirectory() as folder:
        bundle = import_wav2vec2(options.speech_encoder, Path(folder) / "speech")
        encoder = load_speech_encoder(bundle, choose_device(options.device))
    for sound in sounds:
        folder, features = sound.parent.parent, cached_features(sound, encoder)
        difference = difference_from_papers(folder, features)
        compared = "" if difference is None else f", {100 * difference:.1f} % from the paper's own"
        print(f"{folder.name}: features of {len(features)} frames{compared}")


def _add_segments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, help="dataset folder")
    parser.add_argument("--output", type=Path, required=True, help="folder of segments, a dataset too")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a segment (default: the paper's 2)")
    parser.set_defaults(run=_segments)


def _segments(options: argparse.Namespace) -> None:
    from training.capture.sound import segmented

    folders = sorted(path.parent.parent for path in options.dataset.glob("*_*/nphm_tracking/nphm_expressions"))
    if not folders:
        raise EngineError(f"{options.dataset} has no codes; run python -m training.capture expressions first.")
    for folder in folders:
        print(f"{folder.name}: {len(segmented(folder, options.output, options.seconds))} segments")


def _add_video(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("videos", type=Path, nargs="+", help="each becomes the sequence <ID>_<file name>")
    parser.add_argument("--output", type=Path, required=True, help="dataset folder")
    parser.add_argument("--landmarker", type=Path, default=MODEL, help="another face_landmarker.task of MediaPipe's")
    parser.add_argument("--person", default="person", help="the sequences' ID (default: %(default)s)")
    parser.add_argument("--bundle", default=STARTER, help="whose codes are written (default: %(default)s)")
    parser.set_defaults(run=_video)


def _video(options: argparse.Namespace) -> None:
    from engine.engine import Engine
    from training.capture.one_camera import make_sequence

    engine = Engine.load(options.bundle, device="cpu")
    for video in options.videos:
        folder = options.output / f"{options.person}_{video.stem}"
        print(f"{folder.name}: {make_sequence(video, folder, engine, options.landmarker)}")


if __name__ == "__main__":
    sys.exit(main())
