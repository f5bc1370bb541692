"""The repository root as the package that Blender makes of it, without running its `__init__`, which needs bpy."""

import importlib
import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "facetalk_extension"


def import_from_extension(name: str):
    """Import e.g. "facetalk_blender.engine_access.client" with the relative imports that it uses inside Blender."""
    if PACKAGE not in sys.modules:
        package = types.ModuleType(PACKAGE)
        package.__path__ = [str(ROOT)]
        sys.modules[PACKAGE] = package
    return importlib.import_module(f"{PACKAGE}.{name}")
