"""Lay a sound file on a new strip."""

from __future__ import annotations

import bpy
from bpy_extras.io_utils import ImportHelper

from ..engine.shared.errors import EngineError
from ..facetalk_blender.settings.readiness import warm_up
from ..facetalk_blender.sound import strip as sound_strip


class FACETALK_OT_load_sound(bpy.types.Operator, ImportHelper):
    """Add a sound strip at the current frame and choose it as the voice"""

    bl_idname = "facetalk.load_sound"
    bl_label = "Load Sound"
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: bpy.props.StringProperty(
        default="*.wav;*.flac;*.ogg;*.opus;*.mp3;*.m4a;*.aac;*.aiff;*.aif;*.mp4;*.mov;*.mkv", options={"HIDDEN"}
    )

    filepath: bpy.props.StringProperty(
        name="File", description="The sound file", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Add a file that was dropped, else ask for one."""
        return self.execute(context) if self.filepath else ImportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add the chosen file."""
        scene = context.scene
        try:
            strip = sound_strip.load_sound(scene, self.filepath, scene.frame_current)
        except EngineError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        scene.facetalk.strip = strip.name
        warm_up(context)
        return {"FINISHED"}


CLASSES = (FACETALK_OT_load_sound,)
