"""What the documentation refers to exists, and its source is readable: links, paths, modules, make targets, lines."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST_LINE = 160
GENERATED = ("out/", "dist/", "wheels/downloads/", ".venv/")  # made by commands that the pages name


def tracked_files() -> set[str]:
    names = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(names, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return {name for name in listed if name and (ROOT / name).is_file()}


FILES = tracked_files()
FOLDERS = {parent.as_posix() for name in FILES for parent in Path(name).parents}
TOP_FOLDERS = {folder for folder in FOLDERS if "/" not in folder and folder != "."}
# The changelog tells of files as they were then.
PAGES = sorted(name for name in FILES if name.endswith(".md") and name != "CHANGELOG.md")


def without_code(text: str) -> list[str]:
    """The lines of a page outside fences; lines of a fence are empty, so that line numbers stay."""
    lines, fenced = [], False
    for line in text.splitlines():
        marks = line.lstrip().startswith("```")
        lines.append("" if fenced or marks else line)
        fenced ^= marks
    return lines


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
    return kept.strip().replace(" ", "-")


def anchors(page: str) -> set[str]:
    lines = without_code((ROOT / page).read_text("utf-8"))
    return {slug(line.lstrip("#")) for line in lines if line.startswith("#")}


def relative_links(page: str) -> list[str]:
    text = "\n".join(without_code((ROOT / page).read_text("utf-8")))
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target for target in targets if not target.startswith(("http://", "https://"))]


def named_paths(page: str) -> set[str]:
    """Paths in backticks that begin with a folder of the repository, and all of Python files."""
    words = re.findall(r"`([\w.-]+(?:/[\w.-]+)+/?)`", (ROOT / page).read_text("utf-8"))
    return {word for word in words if word.split("/")[0] in TOP_FOLDERS or word.endswith(".py")}


def named_modules(page: str) -> set[str]:
    rooms = "engine|training|evaluation|benchmarks"
    return set(re.findall(rf"-m ((?:{rooms})(?:\.\w+)*)", (ROOT / page).read_text("utf-8")))


def is_runnable(module: str) -> bool:
    path = module.replace(".", "/")
    if f"{path}/__main__.py" in FILES:
        return True
    return f"{path}.py" in FILES and '__name__ == "__main__"' in (ROOT / f"{path}.py").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in relative_links(page):
        path, _, anchor = target.partition("#")
        linked = (ROOT / page).parent.joinpath(path).resolve() if path else ROOT / page

        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked.relative_to(ROOT).as_posix()), target


@pytest.mark.parametrize("page", PAGES)
def test_named_paths_exist(page):
    missing = {path for path in named_paths(page) if path.rstrip("/") not in FILES | FOLDERS}

    assert {path for path in missing if not path.startswith(GENERATED)} == set()


@pytest.mark.parametrize("page", PAGES)
def test_named_modules_can_be_run(page):
    assert {module for module in named_modules(page) if not is_runnable(module)} == set()


@pytest.mark.parametrize("page", PAGES)
def test_named_make_targets_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = (ROOT / page).read_text("utf-8")

    assert set(re.findall(r"(?:^ *|`)make ([a-z][a-z-]+)", text, re.MULTILINE)) - targets == set()


@pytest.mark.parametrize("page", PAGES)
def test_lines_of_prose_are_short(page):
    lines = enumerate(without_code((ROOT / page).read_text("utf-8")), 1)
    long = [number for number, line in lines if len(line) > LONGEST_LINE and not line.lstrip().startswith("|")]

    assert long == []
