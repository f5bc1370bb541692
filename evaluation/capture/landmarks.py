"""Takes of landmarks, voices and FLAME against the truth of rendered captures: how far face landmarks are off.

    python -m evaluation.capture.landmarks CAPTURES --data DATA --codes landmarks=TAKES --codes voice=TAKES \\
        --flame FLAME=TAKES --output landmarks

Each TAKES is a dataset, of `python -m training.perform` or fitted. What counts is how far each of the 68 landmarks is
from the face at rest, so that shape and head motion play no part; a face that never moves stands beside. Prints a table
and, with --output, writes it as .md with the figures as .json beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from engine.engine import Engine
from engine.motion.codes import weights_from_codes
from engine.shared.errors import EngineError
from engine.shared.files import replaced
from engine.shared.units import MILLIMETRES_PER_UNIT
from evaluation.capture.measurement import read_head
from evaluation.tables.intervals import mean_over_clips
from training.capture.flame_model import FlameModel, flame_from_face_kit
from training.capture.layout import sequences_of
from training.capture.talking_head import TalkingHead
from training.head.ict import ARCHIVE, FaceKit
from training.paper_dataset import CODES, read_codes
from training.run.options import exit_status

MOUTH = slice(48, 68)
INNER_LIPS = (62, 66)  # middle of the upper and of the lower one
STILL, STILL_MM = "no motion", 1e-3
ROWS = ("landmarks, mm", "of the mouth, mm", "lip opening, mm", "lip opening, correlation")


def landmark_motion(head: TalkingHead) -> np.ndarray:
    """How far landmarks are from the face at rest, (N, 68, 3) mm."""
    places = head.face_kit.landmarks
    moved = np.stack([head.model_vertices(frame)[places] for frame in range(len(head.weights))])
    return MILLIMETRES_PER_UNIT * (moved - head.neutral[places])


def motion_of_codes(head: TalkingHead, codes: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """`landmark_motion` of codes (N, 200) on the same person."""
    weights = weights_from_codes(codes, basis)
    return landmark_motion(TalkingHead(head.face_kit, head.coefficients, weights, head.poses))


def motion_of_flame(model: FlameModel, coefficients: np.ndarray) -> np.ndarray:
    """`landmark_motion` of expression coefficients (N, E). Raises EngineError for those of another model."""
    if coefficients.shape[1] != len(model.expressions):
        raise EngineError(
            f"The takes have {coefficients.shape[1]} coefficients and the model of ICT-FaceKit "
            f"{len(model.expressions)} expression components; only takes of that model can be compared with its truth."
        )
    moving = model.landmarks(model.expressions)  # (E, 68, 3) metres
    return 1000 * np.tensordot(coefficients, moving, 1)


def errors(found: np.ndarray, true: np.ndarray, rest_opening: float) -> dict[str, float]:
    """Figures of one sequence. found, true: (N, 68, 3) mm. rest_opening: mm between the lips at rest."""
    off = np.linalg.norm(found - true, axis=2)
    upper, lower = INNER_LIPS
    openings = [rest_opening + (motion[:, upper, 1] - motion[:, lower, 1]).astype(float) for motion in (found, true)]
    alike = np.corrcoef(*openings)[0, 1] if min(map(np.ptp, openings)) > STILL_MM else 0.0
    values = (off.mean(), off[:, MOUTH].mean(), np.abs(openings[0] - openings[1]).mean(), alike)
    return dict(zip(ROWS, map(float, values), strict=True))


def measured(captures: Path, data: Path, sets: dict[str, Path], flames: dict[str, Path]) -> dict[str, list[dict]]:
    """Figures of every method's sequences. Raises EngineError when a set has none of the captures."""
    face_kit, basis = FaceKit.load(data / ARCHIVE), Engine.load(device="cpu").head.arkit_map.basis
    model = flame_from_face_kit(face_kit)
    found: dict[str, list[dict]] = {name: [] for name in (STILL, *sets, *flames)}
    for sequence in sequences_of(captures):
        folders = {name: folder / sequence.dataset_name for name, folder in (sets | flames).items()}
        there = {name: folder for name, folder in folders.items() if (folder / CODES).is_dir()}
        if len(there) < len(folders):
            continue  # only what all methods have can be compared
        head = read_head(sequence, face_kit)
        true = landmark_motion(head)
        upper, lower = (head.neutral[face_kit.landmarks[number], 1] for number in INNER_LIPS)
        rest = MILLIMETRES_PER_UNIT * float(upper - lower)
        found[STILL].append(errors(np.zeros_like(true), true, rest))
        for name, folder in there.items():
            codes = read_codes(folder)[: len(true)]
            motion = motion_of_flame(model, codes) if name in flames else motion_of_codes(head, codes, basis)
            found[name].append(errors(motion, true[: len(motion)], rest))
    if not found[STILL]:
        raise EngineError(f"No sequence of {captures} is in all sets; make them with python -m training.perform.")
    return found


def table(found: dict[str, list[dict]]) -> str:
    """A table in Markdown, a row for each method, with 95 % intervals over the sequences."""
    count = len(found[STILL])
    lines = [f"| {count} sequences | " + " | ".join(ROWS) + " |", "|---" * (len(ROWS) + 1) + "|"]
    for name, figures in found.items():
        lines.append(
            f"| {name} | " + " | ".join(mean_over_clips([one[row] for one in figures]).text(2) for row in ROWS) + " |"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 2 after printing one line that says what to put right."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m evaluation.capture.landmarks", description=__doc__, formatter_class=plain
    )
    parser.add_argument("captures", type=Path, help="folder of rendered captures")
    parser.add_argument("--data", type=Path, required=True, help="data folder with head/")
    parser.add_argument("--codes", action="append", default=[], metavar="NAME=TAKES", help="takes of codes")
    parser.add_argument("--flame", action="append", default=[], metavar="NAME=TAKES", help="of FLAME's coefficients")
    parser.add_argument("--output", type=Path, help="file without its ending")
    options = parser.parse_args(arguments)

    def command() -> None:
        found = measured(options.captures, options.data, _named(options.codes), _named(options.flame))
        print(table(found))
        if options.output:
            for ending, text in ((".md", table(found)), (".json", json.dumps(found, indent=1))):
                with replaced(options.output.with_suffix(ending)) as part:
                    part.write_text(text + "\n", "utf-8")

    return exit_status(command)


def _named(texts: list[str]) -> dict[str, Path]:
    pairs = [text.partition("=") for text in texts]
    if any(not name or not path for name, _, path in pairs):
        raise EngineError("Name sets as NAME=FOLDER, such as landmarks=takes.")
    return {name: Path(path) for name, _, path in pairs}


if __name__ == "__main__":
    sys.exit(main())
