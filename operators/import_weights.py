"""Bring in weights that another program recorded, as a take of the chosen sound strip."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from ..facetalk_blender.exchange.weights_file import read_recording
from ..facetalk_blender.exchange.weights_import import WeightsImport
from ..facetalk_blender.generation.job import Job
from ..facetalk_blender.generation.session import session
from ..facetalk_blender.settings.preferences import engine_choice
from ..facetalk_blender.settings.reasons import unready_reason
from ..facetalk_blender.sound import strip as sound_strip
from ..facetalk_blender.sound.strip_link import SCENE_PROPERTY
from .running import JobOperator, can_run


def _reason(context: bpy.types.Context) -> str:
    """Why nothing can be imported now, in one sentence that names the fix; empty when it can."""
    return unready_reason(context) or sound_strip.choice_problem(context.scene, context.scene.facetalk.strip)


class _Settings:
    """How the file is read; a mixin."""

    rate: bpy.props.FloatProperty(
        name="Rows per Second",
        description="What the file was recorded with. 0: as its time codes say",
        min=0.0,
        max=1000.0,
    )
    offset: bpy.props.FloatProperty(
        name="Sound Offset",
        description="Second of the sound file at which the first row was recorded",
        min=0.0,
        subtype="TIME_ABSOLUTE",
    )


class FACETALK_OT_import_weights(_Settings, bpy.types.Operator, ImportHelper):
    """Import a Live Link Face CSV, or blend shapes of Audio2Face (JSON, CSV), as a take of the chosen sound strip"""

    bl_idname = "facetalk.import_weights"
    bl_label = "Import..."

    filter_glob: bpy.props.StringProperty(default="*.csv;*.json", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        return can_run(cls, _reason(context))

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Have the chosen file imported, from a timer where there is a window."""
        how = "EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT"
        try:
            done = bpy.ops.facetalk.make_imported_take(how, filepath=self.filepath, rate=self.rate, offset=self.offset)
        except RuntimeError as error:  # what the other operator reported
            self.report({"ERROR"}, str(error).strip().removeprefix("Error: "))
            return {"CANCELLED"}
        return {"CANCELLED"} if done == {"CANCELLED"} else {"FINISHED"}


class FACETALK_OT_make_imported_take(_Settings, JobOperator, bpy.types.Operator):
    """Make a take of a file that was chosen"""

    bl_idname = "facetalk.make_imported_take"
    bl_label = "Import Weights"
    bl_options = {"INTERNAL", "UNDO"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        return can_run(cls, _reason(context))

    def start(self, context: bpy.types.Context) -> None:
        """Read the file and ask the engine."""
        scene, path = context.scene, Path(bpy.path.abspath(self.filepath))
        strip = sound_strip.find_strip(scene, scene.facetalk.strip)
        recording = read_recording(path, sound_strip.frames_per_second(scene), self.rate)
        choice = engine_choice(context)
        client = session.client(choice.python)
        engine = choice.bundle, choice.device
        session.set_job(WeightsImport(client, strip, recording, path.name, engine, self.offset))

    def go_on(self, ended: Job) -> bool:
        """Choose the new take; nothing comes after it."""
        text = ended.take_text()
        if text is not None:
            text[SCENE_PROPERTY].facetalk.take = text
        return False


CLASSES = (FACETALK_OT_import_weights, FACETALK_OT_make_imported_take)
