"""Lay a sound file on a new strip."""

from __future__ import annotations

import bpy
from bpy_extras.io_utils import ImportHelper

from ..engine.shared.errors import EngineError
from ..facetalk_blender import compat
from ..facetalk_blender.settings.readiness import warm_up
from ..facetalk_blender.sound import strip as sound_strip

# What the file browser shows first; the content decides how a file is read.
SUFFIXES = (
    *("wav", "flac", "ogg", "oga", "opus", "mp3", "mp2", "m4a", "aac", "ac3", "wma", "aiff", "aif", "au", "caf", "w64"),
    *("mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "ts"),
)


class FACETALK_OT_load_sound(bpy.types.Operator, ImportHelper):
    """Add a sound strip at the current frame of this window's scene and choose it as the voice"""

    bl_idname = "facetalk.load_sound"
    bl_label = "Load Sound"
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: bpy.props.StringProperty(default=";".join(f"*.{suffix}" for suffix in SUFFIXES), options={"HIDDEN"})

    filepath: bpy.props.StringProperty(
        name="File",
        description="The sound file",
        subtype="FILE_PATH",
        options={"SKIP_SAVE", "PATH_SUPPORTS_BLEND_RELATIVE"},
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
        if shown := compat.show_in_sequencer(context, scene):
            self.report({"INFO"}, f"The sequencer now shows the scene {scene.name} instead of {shown}")
        return {"FINISHED"}


CLASSES = (FACETALK_OT_load_sound,)
