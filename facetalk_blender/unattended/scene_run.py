"""Takes of the opened file without a window, with the settings of its panel.

blender --background shot.blend --command facetalk --scene-settings --blend spoken.blend
blender --background shot.blend --python facetalk_blender/batch.py -- --scene-settings --blend spoken.blend
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import bpy

from ..engine_access.programs import typed_program
from ..extension import EXTENSION
from ..generation.job import State
from ..generation.session import session
from ..settings.preferences import missing_reason, preferences
from ..settings.reasons import disabled_reason
from . import output_files
from .outcome import BAD_INPUT, ENGINE_FAILED, NOT_WRITABLE, BatchError, reason_of, say


def run(words: list[str], enable: Callable[[], None] | None = None) -> None:
    """Generate and save. enable: registers the extension where Blender has not done so. Raises BatchError."""
    parser = argparse.ArgumentParser(prog="facetalk --scene-settings", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--scene-settings", action="store_true", required=True, help="make takes as the panel of the file is set")
    add("--strip", action="append", help="sound strip to speak, repeated for several (default: the panel's)")
    add("--blend", type=Path, required=True, help="where to save; it may be the opened file")
    add(
        "--engine-python",
        type=typed_program,
        default="",
        help="interpreter that can import torch (default: as in the preferences)",
    )
    options = parser.parse_args(words)
    path = options.blend.resolve()
    if path.suffix.lower() != ".blend" or path.is_dir():
        raise BatchError(f"--blend must end in .blend and be no folder, not '{path.name}'.", BAD_INPUT)
    _check_enabled(enable)
    if options.engine_python:
        preferences(bpy.context).engine_python = options.engine_python
    for name in options.strip or [bpy.context.scene.facetalk.strip]:
        _speak(name)
    output_files.save_file(path, path)
    say(f"Wrote {path}")


def _check_enabled(enable: Callable[[], None] | None) -> None:
    """Give scenes their settings when this runs from a folder that is not installed."""
    if enable is not None and not hasattr(bpy.types.Scene, "facetalk"):
        bpy.context.preferences.addons.new().module = EXTENSION
        enable()
    elif missing_reason(bpy.context):
        raise BatchError("The extension is installed; use blender --command facetalk --scene-settings.", BAD_INPUT)


def _speak(strip_name: str) -> None:
    bpy.context.scene.facetalk.strip = strip_name
    reason = disabled_reason(bpy.context)
    if reason:
        raise BatchError(reason, BAD_INPUT)
    say(f"Speaking {strip_name}")
    try:
        bpy.ops.facetalk.generate()
    except RuntimeError as error:
        failed = session.job is not None and session.job.state is State.FAILED
        written = not (failed and session.job.not_writable)
        code = (ENGINE_FAILED if written else NOT_WRITABLE) if failed else BAD_INPUT
        raise BatchError(reason_of(error), code) from error
