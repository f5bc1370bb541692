"""The preferences as they are drawn: engine, what can be done about it, and model bundles."""

from __future__ import annotations

import bpy

from ..engine.shared.errors import EngineError
from ..facetalk_blender.extension import EXTENSION
from ..facetalk_blender.generation.session import session
from ..facetalk_blender.settings.drawing import draw_task, draw_text
from ..facetalk_blender.settings.preferences import Preferences
from .model_bundle import draw_model_bundles


class FaceTalkPreferences(Preferences, bpy.types.AddonPreferences):
    """Engine settings of this computer."""

    bl_idname = EXTENSION

    def draw(self, context: bpy.types.Context) -> None:
        """Show the settings, the engine's state and what can be done about it."""
        column = self.layout.column()
        column.use_property_split = True
        column.prop(self, "engine_python")
        _draw_runtime(column, context, self.engine_python)
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
        draw_model_bundles(self.layout, context, self)


def _draw_runtime(layout: bpy.types.UILayout, context: bpy.types.Context, engine_python: str) -> None:
    try:
        runtime = session.runtime(bpy.path.abspath(engine_python))
    except EngineError as error:
        draw_text(layout, context, str(error), "ERROR")
        return
    split = layout.split(factor=0.4)
    split.column()
    split.label(text=f"Runs on: {runtime.source}")


def _draw_task(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The installation or check under way, or what came of the last one."""
    task = session.engine_task
    cancelled = "Cancelled; what was downloaded is kept."
    if task is None or draw_task(layout, context, task, "facetalk.cancel_engine_task", cancelled):
        return
    if session.engine_report():
        draw_text(layout, context, "\n".join(session.engine_report()), "ERROR" if task.problem else "CHECKMARK")
        layout.operator("facetalk.copy_engine_report", icon="COPYDOWN")
    else:
        draw_text(layout, context, "The engine runtime is installed and ready.", "CHECKMARK")


CLASSES = (FaceTalkPreferences,)
