"""The main job without a window: a recording in, a video of a talking head out.

    blender --background --python facetalk_blender/batch.py -- --audio voice.wav --output head.mp4
    python facetalk_blender/batch.py -- --audio voice.wav --output head.mp4        (with pip's bpy)
    blender --command facetalk --audio voice.wav --output head.mp4                 (with the extension installed)

This is the door of the first two; what all three do is in `unattended`.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

NAME = "facetalk_extension"


def _load_extension() -> ModuleType:
    """The repository root as the package that Blender makes of it, for relative imports need one."""
    root = Path(__file__).resolve().parents[1]
    specification = importlib.util.spec_from_file_location(
        NAME, root / "__init__.py", submodule_search_locations=[str(root)]
    )
    extension = sys.modules[NAME] = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(extension)
    return extension


if __name__ == "__main__":
    extension = _load_extension()
    command = importlib.import_module(f"{NAME}.facetalk_blender.unattended.command")
    command.leave(command.main(enable=extension.register))
