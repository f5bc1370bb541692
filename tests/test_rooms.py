"""The rules of the house: every file is in a room, a room imports only from lower floors, and nothing goes in a circle.

Imports inside functions and under TYPE_CHECKING count like any other.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOUSES = ("engine", "farm", "training", "evaluation", "facetalk_blender", "operators", "panels")

# From the lowest floor to the highest. Rooms of one floor do not know each other. A file belongs to the longest entry
# that it lies in; an entry may name a single file.
FLOORS = (
    ("engine/shared",),
    ("engine/hostile_weights", "engine/network_building"),
    ("engine/bundle", "engine/devices"),
    ("engine/check",),
    ("engine/motion", "engine/head/networks"),
    ("engine/head",),
    ("engine/head/surface", "engine/head/topology"),
    ("engine/head/loading",),
    ("engine/head/__init__",),
    ("engine/face_capture", "engine/head_surfaces"),
    ("engine/engine",),
    ("engine/__init__",),
    ("engine/arkit_fit", "engine/importing", "engine/ply"),
    ("engine/process", "engine/__main__"),
    ("farm",),
    ("training/run", "training/muon", "training/phones"),
    ("training/data",),
    ("training/prior",),
    ("training/head", "training/paper_dataset"),
    ("training/capture",),
    ("training",),
    ("evaluation/shared",),
    ("evaluation/motion", "evaluation/head"),
    ("evaluation/studies", "evaluation/tables", "evaluation/user_study"),
    ("evaluation/capture",),
    ("evaluation",),
    ("facetalk_blender/compat", "facetalk_blender/extension"),
    ("facetalk_blender/blender_data", "facetalk_blender/engine_access/programs"),
    ("facetalk_blender/engine_access", "facetalk_blender/sound", "facetalk_blender/retargeting"),
    ("facetalk_blender/takes", "facetalk_blender/look"),
    ("facetalk_blender/hair",),
    ("facetalk_blender/person",),
    ("facetalk_blender/outputs",),
    ("facetalk_blender/outputs/frames", "facetalk_blender/outputs/curves"),
    ("facetalk_blender/generation",),
    ("facetalk_blender/exchange",),
    ("facetalk_blender/settings",),
    ("operators",),
    ("panels",),
    ("facetalk_blender/unattended",),
    ("facetalk_blender/registration",),
    ("facetalk_blender",),
)
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}

# What a house may import of another one; houses that are not named know nothing of each other.
NEIGHBOURS = {
    "farm": {"engine"},
    "training": {"engine", "farm"},
    "evaluation": {"engine", "farm", "training"},
    "facetalk_blender": {"engine/shared", "operators", "panels"},
    "operators": {"engine/shared", "facetalk_blender"},
    "panels": {"engine/shared", "facetalk_blender", "operators"},
}
BLENDER_SIDE = ("facetalk_blender", "operators", "panels")
# Blender's process has neither of the first; the engine runs where there is no Blender.
FORBIDDEN = {
    house: {"torch", "transformers", "scipy", "skimage", "soundfile", "safetensors"} for house in BLENDER_SIDE
} | {"engine": {"bpy", "bmesh", "mathutils", "aud", "matplotlib", "igl"}}


class Import(NamedTuple):
    """That a file imports a module, at a line; the module is a file of the houses or the name of another package."""

    file: str
    line: int
    target: str

    def __str__(self) -> str:
        return f"{self.file}.py:{self.line} imports {self.target}"


@cache
def files() -> frozenset[str]:
    """Python files of the houses, without their suffix, e.g. "engine/shared/units"."""
    paths = (path for house in HOUSES for path in (ROOT / house).rglob("*.py"))
    return frozenset(path.relative_to(ROOT).with_suffix("").as_posix() for path in paths)


def file_of(module: str) -> str | None:
    """The file of a dotted module of the houses; a package is its __init__."""
    path = module.replace(".", "/")
    return next((name for name in (path, f"{path}/__init__") if name in files()), None)


@cache
def imports() -> tuple[Import, ...]:
    """Every import of every file."""
    return tuple(found for file in sorted(files()) for found in imports_of(file))


def imports_of(file: str) -> Iterator[Import]:
    """The imports of one file."""
    for node in ast.walk(ast.parse((ROOT / f"{file}.py").read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = absolute(file, node)
            # `from package import name` means the module of that name where there is one.
            names = [f"{module}.{a.name}" if file_of(f"{module}.{a.name}") else module for a in node.names]
        else:
            continue
        for name in names:
            yield Import(file, node.lineno, file_of(name) or name.split(".")[0])


def absolute(file: str, node: ast.ImportFrom) -> str:
    """The dotted module of a `from` import, also of a relative one."""
    folder = file.split("/")[:-1]
    up = folder[: len(folder) - node.level + 1] if node.level else []
    return ".".join([*up, *([node.module] if node.module else [])])


def places_of(file: str) -> list[str]:
    """The file itself and the folders that it lies in, the nearest first."""
    return [file, *(parent.as_posix() for parent in Path(file).parents)]


def room_of(file: str) -> str:
    """The room that a file belongs to."""
    return next(place for place in places_of(file) if place in LEVEL)


def inside() -> list[Import]:
    """Imports of one file of the houses by another one."""
    return [found for found in imports() if found.target in files() and found.target != found.file]


def test_every_file_is_in_a_room():
    assert [file for file in sorted(files()) if LEVEL.keys().isdisjoint(places_of(file))] == []


def test_no_room_is_empty():
    assert sorted(set(LEVEL) - {room_of(file) for file in files()}) == []


def test_imports_go_to_lower_floors():
    upward = [
        str(found)
        for found in inside()
        if room_of(found.file) != room_of(found.target) and LEVEL[room_of(found.file)] <= LEVEL[room_of(found.target)]
    ]
    assert upward == []


@pytest.mark.parametrize("house", HOUSES)
def test_a_house_knows_only_its_neighbours(house):
    allowed = {house} | NEIGHBOURS.get(house, set())
    strangers = [
        str(found)
        for found in inside()
        if found.file.startswith(f"{house}/") and not any(found.target.startswith(f"{name}/") for name in allowed)
    ]
    assert strangers == []


def test_no_circle_of_imports():
    graph: dict[str, set[str]] = {}
    for found in inside():
        graph.setdefault(found.file, set()).add(found.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("circle: " + " -> ".join(error.args[1]))


@pytest.mark.parametrize("house", FORBIDDEN)
def test_a_house_does_without_packages_that_it_may_not_have(house):
    used = [
        str(found) for found in imports() if found.file.startswith(f"{house}/") and found.target in FORBIDDEN[house]
    ]
    assert used == []


def test_the_engines_shared_room_needs_numpy_alone():
    packages = {found.target for found in imports() if found.file.startswith("engine/shared/")} - files()
    assert packages - sys.stdlib_module_names <= {"numpy"}
