"""A table of jobs: a CSV file with a row for each take, and options of the batch command as its columns."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from engine.shared.errors import EngineError
from farm.job import Job

FILES = ("output", "blend", "contact-sheet", "json")  # that a job writes
LARGEST_BYTES = 16 << 20
_OPTION = re.compile("[a-z][a-z-]*")
PATHS = ("identity", "bundle")  # that may name a file or folder
TAKE = ".npz"


def read_table(path: Path, program: list[str]) -> tuple[list[Job], list[Job]]:
    """Jobs that sample takes (output .npz) and jobs that render (all others), in the order of the rows.

    Paths are relative to the table's folder; an empty cell leaves the option out. program: see `farm.renders`.

    Raises EngineError for the first line that cannot be used.
    """
    takes: list[Job] = []
    renders: list[Job] = []
    for line, row in _rows(path):
        audio = path.parent / row["audio"]
        if not audio.is_file():
            raise EngineError(f"Line {line} of {path.name}: there is no recording {audio}.")
        row |= {"audio": str(audio.resolve())}
        row |= {name: str((path.parent / row[name]).resolve()) for name in FILES if name in row}
        row |= {n: str((path.parent / row[n]).resolve()) for n in PATHS if n in row and (path.parent / row[n]).exists()}
        outputs = tuple(Path(row[name]) for name in FILES if name in row)
        if not outputs:
            raise EngineError(f"Line {line} of {path.name} writes nothing; fill output or blend.")
        name = outputs[0].name
        if outputs[0].suffix == TAKE:
            values = {key.replace("-", "_"): value for key, value in row.items() if key != "output"}
            takes.append(Job(_unique(name, takes + renders, line), outputs, (audio,), values))
        else:
            options = [word for key, value in row.items() for word in (f"--{key}", value)]
            settings = {"program": program, "options": options}
            renders.append(Job(_unique(name, takes + renders, line), outputs, (audio,), settings))
    return takes, renders


def needs_blender(path: Path) -> bool:
    """Whether a row of a table asks for anything but a take."""
    return any(not row.get("output", "").endswith(TAKE) for _, row in _rows(path))


def _unique(name: str, jobs: list[Job], line: int) -> str:
    return f"{name} (line {line})" if any(job.name == name for job in jobs) else name


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Lines and the filled cells of each row by option."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise EngineError(f"{path} is too large for a table of jobs; split it.")
        # Spreadsheets mark their UTF-8.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [cell.strip() for cell in next(reader, [])]
            lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EngineError(f"{path} is not a readable table; save it as CSV in UTF-8.") from error
    _check_header(path, header)
    if not lines:
        raise EngineError(f"{path} has no jobs; write a row for each below the header.")
    rows = []
    for line, cells in lines:
        if len(cells) > len(header):
            raise EngineError(f"Line {line} of {path.name} has {len(cells)} cells and the header {len(header)}.")
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if cell.strip()}
        if "audio" not in row:
            raise EngineError(f"Line {line} of {path.name} has no recording; fill its column audio.")
        rows.append((line, row))
    return rows


def _check_header(path: Path, header: list[str]) -> None:
    wrong = [name for name in header if not _OPTION.fullmatch(name)]
    if wrong or "audio" not in header or len(set(header)) < len(header):
        found = f"'{wrong[0]}' is no option" if wrong else "audio is missing or a name stands twice"
        raise EngineError(
            f"The first line of {path.name} must name options of the batch command, such as audio,output,seed: {found}."
        )
