"""Writes docs/api.md from signatures and docstrings: `make api`. Reads the source as text, so nothing is imported."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "api.md"
CLASSES = (
    "Engine",
    "ExpressionTake",
    "Style",
    "SurfaceFrame",
    "ShapeKeySequence",
    "Bundle",
    "NeuralHead",
    "PosedField",
    "IdentityModes",
    "CodeBook",
    "ArkitMap",
    "HeadRegions",
    "IdentityRegions",
    "Template",
)
WIDTH = 120
HEAD = """\
# Python API

Written by `make api` from the docstrings; change those, not this page. `Engine`, `EngineError`, `ExpressionTake` and
`Style` are imported from `engine`, the rest from the file that is named. Arrays are NumPy arrays; (N, 200) is a shape.
Recipes are in [batch.md](batch.md#python-four-performances-the-one-with-the-widest-lips).
"""
# Names of arguments or fields begin an item, as in "keep, resample: codes".
_ITEM = re.compile(r"[a-z_]+(, [a-z_]+)*: ")


class Source(NamedTuple):
    """A class and the file it lies in, relative to the root."""

    node: ast.ClassDef
    path: Path


def page() -> str:
    """The whole page."""
    sources = _engine_classes()
    sections = ["\n".join(_class_section(name, sources)) for name in CLASSES]
    contents = [f"- [{name}](#{name.lower()})" for name in CLASSES]
    return "\n".join([HEAD, *contents, "", *sections]).rstrip() + "\n"


def _engine_classes() -> dict[str, Source]:
    found = {}
    for path in sorted((ROOT / "engine").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        nodes = (node for node in tree.body if isinstance(node, ast.ClassDef))
        found |= {node.name: Source(node, path.relative_to(ROOT)) for node in nodes}
    return found


def _class_section(name: str, sources: dict[str, Source]) -> Iterator[str]:
    node, path = sources[name]
    yield from (
        f"## {name}",
        "",
        f"`{path.as_posix()}`",
        "",
        *_call(name, _constructor_arguments(node)),
        _rendered(node),
    )
    for member in _public_members(node, sources):
        yield from (f"### {_heading(name, member)}", "", *_signature(member), _rendered(member))


def _constructor_arguments(node: ast.ClassDef) -> list[str]:
    """Arguments of `__init__`, or the fields of a dataclass with their types and defaults."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return _arguments(item)
    fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
    return [_field(item) for item in fields if not ast.unparse(item.target).startswith("_")]


def _field(item: ast.AnnAssign) -> str:
    text = f"{ast.unparse(item.target)}: {ast.unparse(item.annotation)}"
    return text if item.value is None else f"{text} = {ast.unparse(_value(item.value))}"


def _public_members(node: ast.ClassDef, sources: dict[str, Source]) -> list[ast.FunctionDef]:
    """Functions of a class and of those that it inherits from, in the order of the source; the class's own count."""
    bases = [sources[base.id].node for base in node.bases if isinstance(base, ast.Name) and base.id in sources]
    members = {}
    for owner in (node, *bases):
        for item in owner.body:
            if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
                members.setdefault(item.name, item)
    return list(members.values())


def _heading(owner: str, member: ast.FunctionDef) -> str:
    return f"{owner}.{member.name}" + ("" if _is_property(member) else "()")


def _is_property(member: ast.FunctionDef) -> bool:
    return any(ast.unparse(item) in ("property", "cached_property") for item in member.decorator_list)


def _signature(member: ast.FunctionDef) -> list[str]:
    """The call, or a property and its type, as a block of code."""
    returned = ast.unparse(member.returns) if member.returns else ""
    if not _is_property(member):
        return _call(member.name, _arguments(member), returned)
    return _code(f"{member.name}: {returned}") if returned else []


def _call(name: str, arguments: list[str], returned: str = "") -> list[str]:
    """A call as a block of code, an argument a line where one line is too short."""
    arrow = f" -> {returned}" if returned else ""
    line = f"{name}({', '.join(arguments)}){arrow}"
    if len(line) > WIDTH:
        line = "\n".join([f"{name}(", *(f"    {argument}," for argument in arguments), f"){arrow}"])
    return _code(line)


def _code(text: str) -> list[str]:
    return ["```python", text, "```", ""]


def _arguments(member: ast.FunctionDef) -> list[str]:
    """Arguments with types and defaults, without self and cls."""
    given = member.args
    positional = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + given.defaults
    texts = [_argument(*pair) for pair in zip(positional, defaults, strict=True)]
    if not any(ast.unparse(item) == "staticmethod" for item in member.decorator_list):
        texts = texts[1:]
    if given.kwonlyargs:
        texts.append("*")
    return texts + [_argument(*pair) for pair in zip(given.kwonlyargs, given.kw_defaults, strict=True)]


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    text = ast.unparse(argument)
    return text if default is None else f"{text} = {ast.unparse(_value(default))}"


def _value(default: ast.expr) -> ast.expr:
    """The value of a default that is named by a constant of `engine.shared`, else the default itself."""
    return _shared_constants().get(default.id, default) if isinstance(default, ast.Name) else default


@cache
def _shared_constants() -> dict[str, ast.Constant]:
    found = {}
    for path in sorted((ROOT / "engine" / "shared").glob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                found |= {target.id: node.value for target in node.targets if isinstance(target, ast.Name)}
    return found


def _rendered(node: ast.ClassDef | ast.FunctionDef) -> str:
    """A docstring as Markdown: paragraphs, and a list where lines begin with the names of arguments or fields."""
    blocks = re.split(r"\n\s*\n", ast.get_docstring(node) or "")
    return "\n\n".join("\n".join(_block(block)) for block in blocks) + "\n"


def _block(block: str) -> Iterator[str]:
    lines = textwrap.dedent(block.removeprefix("Args:\n")).splitlines()
    paragraphs: list[str] = []
    for line in lines:
        begins = _ITEM.match(line) or not paragraphs
        if begins:
            paragraphs.append(line.strip())
        else:
            paragraphs[-1] += f" {line.strip()}"
    for paragraph in paragraphs:
        found = _ITEM.match(paragraph)
        if found:
            names = ", ".join(f"`{name}`" for name in found[0].removesuffix(": ").split(", "))
            yield textwrap.fill(f"- {names}: {paragraph[found.end() :]}", WIDTH, subsequent_indent="  ")
        else:
            yield textwrap.fill(paragraph, WIDTH)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
