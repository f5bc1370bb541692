"""Preferences: which Python runs the engine, on which device, with which model."""

from __future__ import annotations

import bpy

from ...engine.shared.errors import EngineError
from ..extension import EXTENSION
from ..generation import session
from ..outputs.frames.frame_storage import DEFAULT_LIMIT
from . import model_bundles
from .drawing import draw_text
from .task_progress import draw_task


class FaceTalkPreferences(bpy.types.AddonPreferences):
    """Engine settings of this computer."""

    bl_idname = EXTENSION

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

    def draw(self, context: bpy.types.Context) -> None:
        """Show the settings, the engine's state and what can be done about it."""
        column = self.layout.column()
        column.use_property_split = True
        column.prop(self, "engine_python")
        self._draw_runtime(column, context)
        column.prop(self, "device")
        row = self.layout.row()
        row.operator("facetalk.install_engine_runtime", text="Install Engine Runtime...", icon="IMPORT")
        row.operator("facetalk.install_engine_runtime_from_folder", text="Install from Folder...", icon="FILE_FOLDER")
        row.operator("facetalk.remove_engine_runtime", text="", icon="TRASH")
        row = self.layout.row()
        row.operator("facetalk.check_engine", icon="CHECKMARK")
        row.operator("facetalk.release_memory", icon="X")
        _draw_task(self.layout, context)
        model = self.layout.column()
        model.use_property_split = True
        model.prop(self, "bundle")
        model.prop(self, "frame_limit")
        # Imported here because the panels import these preferences.
        from ...panels.model_bundle import draw_model_bundles

        draw_model_bundles(self.layout, context, self)

    def _draw_runtime(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        try:
            runtime = session.engine_runtime(bpy.path.abspath(self.engine_python))
        except EngineError as error:
            draw_text(layout, context, str(error), "ERROR")
            return
        split = layout.split(factor=0.4)
        split.column()
        split.label(text=f"Runs on: {runtime.source}")


def _draw_task(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The installation or check under way, or what came of the last one."""
    task = session.engine_task()
    cancelled = "Cancelled; what was downloaded is kept."
    if task is None or draw_task(layout, context, task, "facetalk.cancel_engine_task", cancelled):
        return
    if session.engine_report():
        draw_text(layout, context, "\n".join(session.engine_report()), "ERROR" if task.problem else "CHECKMARK")
        layout.operator("facetalk.copy_engine_report", icon="COPYDOWN")
    else:
        draw_text(layout, context, "The engine runtime is installed and ready.", "CHECKMARK")


def preferences(context: bpy.types.Context) -> FaceTalkPreferences:
    """The extension's preferences. Raises EngineError when Blender keeps none, see `missing_reason`."""
    if reason := missing_reason(context):
        raise EngineError(reason)
    return context.preferences.addons[EXTENSION].preferences


def missing_reason(context: bpy.types.Context) -> str:
    """Why there are no preferences; empty when there are. Blender's option --addons enables without keeping any."""
    if EXTENSION in context.preferences.addons:
        return ""
    return "FaceTalk is enabled for this session only; enable it under Edit > Preferences > Add-ons."


CLASSES = (*model_bundles.CLASSES, FaceTalkPreferences)
