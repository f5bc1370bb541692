"""Reports: a folder's NAME.json holds the figures, and NAME.md is made from it alone."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from engine.shared.files import replaced

ReportText = Callable[[dict], str]  # of figures as they come from JSON
WIDTH = 120  # of a line of prose, at most


def paragraph(text: str, width: int = WIDTH) -> list[str]:
    """Lines of a paragraph; what stands between backticks is not broken."""
    whole = re.sub("`[^`]*`", lambda code: code[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(whole, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace("\0", " ") for line in lines]


def item(text: str) -> list[str]:
    """Lines of a point of a list."""
    first, *further = paragraph(text, WIDTH - 2)
    return [f"- {first}", *(f"  {line}" for line in further)]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    return [_row(header), "|---" * len(header) + "|", *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def write_report(folder: Path, name: str, figures: dict, report_text: ReportText) -> None:
    """Write NAME.json and NAME.md, whose text is made from the figures as NAME.json holds them."""
    folder.mkdir(parents=True, exist_ok=True)
    with replaced(folder / f"{name}.json") as path:
        path.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    rewrite_report(folder, name, report_text)


def rewrite_report(folder: Path, name: str, report_text: ReportText) -> None:
    """Write NAME.md again from NAME.json."""
    with replaced(folder / f"{name}.md") as path:
        path.write_text(text_of(folder / f"{name}.json", report_text), "utf-8")


def text_of(figures: Path, report_text: ReportText) -> str:
    """What a report says of a file of figures."""
    return report_text(json.loads(figures.read_text("utf-8")))
