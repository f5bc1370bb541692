"""Takes of the opened file without a window, with the settings of its panel.

blender --background shot.blend --command facetalk --scene-settings --blend spoken.blend
blender --background shot.blend --python facetalk_blender/batch.py -- --scene-settings --blend spoken.blend
"""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy

from ...operators.generate import disabled_reason
from .. import registration
from ..batch import BAD_INPUT, ENGINE_FAILED, NOT_WRITABLE, BatchError, say
from ..extension import EXTENSION
from ..generation import session
from ..generation.generation import State
from ..settings.preferences import missing_reason, preferences


def run(arguments: list[str]) -> None:
    """Generate and save. Raises BatchError."""
    parser = argparse.ArgumentParser(prog="facetalk --scene-settings", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--scene-settings", action="store_true", required=True, help="make takes as the panel of the file is set")
    add("--strip", action="append", help="sound strip to speak, repeated for several (default: the panel's)")
    add("--blend", type=Path, required=True, help="where to save; it may be the opened file")
    add("--engine-python", default="", help="interpreter that can import torch (default: as in the preferences)")
    options = parser.parse_args(arguments)
    path = options.blend.resolve()
    if path.suffix.lower() != ".blend" or path.is_dir():
        raise BatchError(f"--blend must end in .blend and be no folder, not '{path.name}'.", BAD_INPUT)
    _enable()
    if options.engine_python:
        preferences(bpy.context).engine_python = options.engine_python
    for name in options.strip or [bpy.context.scene.facetalk.strip]:
        _speak(name)
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True, copy=True, relative_remap=True)
    except RuntimeError as error:
        raise BatchError(f"Cannot write {path}; choose another place.", NOT_WRITABLE) from error
    say(f"Wrote {path}")


def _enable() -> None:
    """Give scenes their settings when this runs from a folder that is not installed."""
    if not hasattr(bpy.types.Scene, "facetalk"):
        bpy.context.preferences.addons.new().module = EXTENSION
        registration.register()
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
        message = str(error).strip().removeprefix("Error: ").splitlines()[0]
        run = session.generation()
        failed = run is not None and run.state is State.FAILED
        raise BatchError(message, ENGINE_FAILED if failed else BAD_INPUT) from error
