"""Compare a bundle's head with ICT-FaceKit on heads that nothing was trained on.

    python -m evaluation.head --data DATA --output docs/evaluation [--identities 20]

Writes `head.md`, `head.json` and `head_errors.png`. An interrupted command continues when it is started again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.shared.options import STARTER
from evaluation.head.evaluate import evaluate_head
from evaluation.head.poses import POSES
from training.head.ict import FaceKit
from training.run.options import exit_status


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.head", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="data folder, with head/ict_facekit.npz in it")
    parser.add_argument("--output", type=Path, required=True, help="folder for the report")
    parser.add_argument("--bundle", default=STARTER)
    parser.add_argument("--identities", type=int, default=20, help="unseen heads (default: %(default)s)")
    parser.add_argument("--poses", type=int, default=POSES, help=f"expressions of each head, {POSES} at most")
    parser.add_argument("--first", type=int, default=0, help="several processes may begin with different heads")
    parser.add_argument(
        "--parts",
        type=Path,
        default=Path("out") / "head_evaluation",
        help="what is measured of each head is kept here, for an interrupted command to continue",
    )
    options = parser.parse_args(arguments)
    evaluate_head(
        FaceKit.load(options.data / "head" / "ict_facekit.npz"),
        options.bundle,
        options.output,
        options.parts,
        options.identities,
        options.poses,
        options.first,
    )


if __name__ == "__main__":
    sys.exit(exit_status(main))
