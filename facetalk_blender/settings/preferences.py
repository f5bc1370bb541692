"""Preferences: which Python runs the engine, on which device, with which model."""

from __future__ import annotations

import bpy

from ...engine.shared.errors import EngineError
from ...engine.shared.options import STARTER
from ..extension import EXTENSION
from ..generation.session import EngineChoice
from ..outputs.frames.frame_storage import DEFAULT_LIMIT
from . import model_bundles


class Preferences:
    """Engine settings of this computer; the panels' `FaceTalkPreferences` draws them."""

    engine_python: bpy.props.StringProperty(
        name="Engine Python",
        description="Interpreter that runs the engine and has its packages. "
        "Empty: the installed runtime, else Blender's own Python",
        subtype="FILE_PATH",
    )
    device: bpy.props.EnumProperty(
        name="Device",
        description="What the engine computes on",
        items=(
            ("auto", "Automatic", "A CUDA GPU when there is one, else the CPU"),
            ("cpu", "CPU", "The processor"),
            ("cuda", "CUDA GPU", "An NVIDIA GPU"),
        ),
    )
    bundle: bpy.props.StringProperty(
        name="Model Bundle",
        description="Folder of a model bundle. Empty: the built-in starter model",
        subtype="DIR_PATH",
    )
    frame_limit: bpy.props.IntProperty(
        name="Frames in File (MB)",
        description="Memory they may take; larger Frame Meshes go to a cache folder, when that is left to Automatic",
        default=round(DEFAULT_LIMIT / 1e6),
        min=0,
        soft_max=16000,
    )
    bundles: bpy.props.CollectionProperty(type=model_bundles.FaceTalkModelBundle)


def preferences(context: bpy.types.Context) -> Preferences:
    """The extension's preferences. Raises EngineError when Blender keeps none, see `missing_reason`."""
    if reason := missing_reason(context):
        raise EngineError(reason)
    return context.preferences.addons[EXTENSION].preferences


def missing_reason(context: bpy.types.Context) -> str:
    """Why there are no preferences; empty when there are. Blender's option --addons enables without keeping any."""
    if EXTENSION in context.preferences.addons:
        return ""
    return "FaceTalk is enabled for this session only; enable it under Edit > Preferences > Add-ons."


def bundle_of(chosen: Preferences) -> str:
    """The chosen model bundle, as the engine takes it."""
    return bpy.path.abspath(chosen.bundle) if chosen.bundle else STARTER


def engine_choice(context: bpy.types.Context) -> EngineChoice:
    """Which engine is chosen. Raises EngineError as `preferences` does."""
    chosen = preferences(context)
    return EngineChoice(bpy.path.abspath(chosen.engine_python), chosen.device, bundle_of(chosen))
