"""Datasets fitted to rendered captures against the truth, one column each; Table 3 of the paper in kind.

    python -m evaluation.capture CAPTURES SET [SET ...] --data DATA

prints a table and, with --output, writes it as .md with the figures as .json beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from engine.engine import Engine
from engine.shared.errors import EngineError
from engine.shared.files import replaced
from evaluation.capture.measurement import Measured, measured_codes, measured_flame, read_head, together
from training.capture.flame_model import flame_from_face_kit
from training.capture.layout import sequences_of
from training.head.ict import ARCHIVE, FaceKit
from training.run.options import exit_status

DIGITS = {"MAE": 5, "RMSE": 5, "MAE of the true codes": 5, "RMSE of the true codes": 5, "code error": 4}


def measured_sets(captures: Path, sets: list[Path], data: Path, bundle: str) -> dict[str, Measured]:
    """Figures of each dataset by its folder's name, over the sequences that it has codes of.

    Raises EngineError when a dataset has none, or a capture no truth.
    """
    face_kit, engine = FaceKit.load(data / ARCHIVE), Engine.load(bundle, device="cpu")
    model = flame_from_face_kit(face_kit)
    found = {}
    for folder in sets:
        rows = []
        for sequence in sequences_of(captures):
            place = folder / sequence.dataset_name
            if (place / "nphm_tracking" / "nphm_expressions").is_dir():
                head = read_head(sequence, face_kit)
                codes, flame = measured_codes(head, place, engine), measured_flame(head, place, model)
                rows.append(Measured(codes.figures | flame.figures, codes.frames))
        if not rows:
            raise EngineError(f"{folder} has no codes of these captures; run python -m training.capture expressions.")
        found[folder.name] = together(rows)
    return found


def table(found: dict[str, Measured]) -> str:
    """A table in Markdown, a column for each dataset."""
    lines = ["| | " + " | ".join(found) + " |", "|---" * (len(found) + 1) + "|"]
    for name in next(iter(found.values())).figures:
        values = (f"{measured.figures[name]:.{DIGITS.get(name, 2)}f}" for measured in found.values())
        lines.append(f"| {name} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 2 after printing one line that says what to put right."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m evaluation.capture", description=__doc__, formatter_class=plain)
    parser.add_argument("captures", type=Path, help="folder of rendered captures")
    parser.add_argument("sets", type=Path, nargs="+", metavar="SET", help="datasets that were fitted to them")
    parser.add_argument("--data", type=Path, required=True, help="data folder with head/")
    parser.add_argument("--bundle", default="starter", help="whose codes were fitted (default: %(default)s)")
    parser.add_argument("--output", type=Path, help="file without its ending")
    options = parser.parse_args(arguments)

    def command() -> None:
        found = measured_sets(options.captures, options.sets, options.data, options.bundle)
        print(table(found))
        if options.output:
            values = {name: one.figures | {"frames": one.frames} for name, one in found.items()}
            for ending, text in ((".md", table(found)), (".json", json.dumps(values, indent=1))):
                with replaced(options.output.with_suffix(ending)) as part:
                    part.write_text(text + "\n", "utf-8")

    return exit_status(command)


if __name__ == "__main__":
    sys.exit(main())
