"""docs/protocol.md names what the engine process knows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from engine.shared import protocol
from engine.shared.style import Style

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "protocol.md").read_text("utf-8")
PROCESS = ast.parse((ROOT / "engine" / "process.py").read_text("utf-8"))


def answered_kinds() -> set[str]:
    """The kinds of answers in the source: what follows the request in `_answer`, and what Message begins with."""
    calls = [node for node in ast.walk(PROCESS) if isinstance(node, ast.Call)]
    named = [(ast.unparse(call.func), call.args) for call in calls]
    kinds = [arguments[1] for name, arguments in named if name == "self._answer"]
    kinds += [arguments[0] for name, arguments in named if name == "Message"]
    return {kind.value for kind in kinds if isinstance(kind, ast.Constant)}


def handled_kinds() -> set[str]:
    tables = [node for node in ast.walk(PROCESS) if isinstance(node, ast.Dict)]
    handlers = next(table for table in tables if ast.unparse(table).startswith("{'info': self._info"))
    return {key.value for key in handlers.keys}


def first_cells(after: str) -> set[str]:
    """Names in the first column of the tables of a section."""
    section = PAGE.partition(after)[2].partition("\n## ")[0]
    cells = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_every_request_has_its_row():
    table = PAGE.partition("| request | what it asks for")[2].partition("\n\n")[0]

    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == handled_kinds() | {"cancel"}


def test_every_answer_has_its_row():
    assert first_cells("## Answers") == answered_kinds()


@pytest.mark.parametrize("name", Style.__dataclass_fields__)
def test_every_field_of_a_style_is_named(name):
    assert f"`{name}`" in PAGE


def test_the_version_and_the_types_are_those_of_the_code():
    assert f"`{protocol.MAGIC.decode()}`" in PAGE
    assert all(f"`{dtype}`" in PAGE for dtype in protocol.DTYPES)
