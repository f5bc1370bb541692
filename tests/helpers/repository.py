"""The repository as tests and benchmarks use it: where things lie, and its root as the package Blender makes of it."""

import importlib
import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HELPERS = ROOT / "tests" / "helpers"
PARITY = ROOT / "tests" / "fixtures" / "parity"
SCRIPTED_ENGINE = HELPERS / "scripted_engine"  # stands for the repository: its `engine` answers as the real one does
PACKAGE = "facetalk_extension"


def import_from_extension(name: str):
    """Import e.g. "facetalk_blender.engine_access.client" with the relative imports that it uses inside Blender.

    The package's own `__init__`, which needs bpy, does not run.
    """
    if PACKAGE not in sys.modules:
        package = types.ModuleType(PACKAGE)
        package.__path__ = [str(ROOT)]
        sys.modules[PACKAGE] = package
    return importlib.import_module(f"{PACKAGE}.{name}")
