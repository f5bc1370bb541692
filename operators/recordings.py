"""What operators share that make a take of a file for the chosen sound strip: asking for it, and making the take."""

from __future__ import annotations

from collections.abc import Callable

import bpy
from bpy_extras.io_utils import ImportHelper

from ..facetalk_blender.generation.job import Job
from ..facetalk_blender.settings.reasons import unready_reason
from ..facetalk_blender.sound import strip as sound_strip
from ..facetalk_blender.sound.strip_link import SCENE_PROPERTY
from .running import JobOperator, can_run


class _ForStrip:
    """Can run where a sound strip is chosen; a mixin."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        reason = unready_reason(context) or sound_strip.choice_problem(context.scene, context.scene.facetalk.strip)
        return can_run(cls, reason)


class RecordingChooser(_ForStrip, ImportHelper):
    """Asks for a file in the file browser; a mixin."""

    def hand_over(self, operator: Callable[..., set[str]], **settings: float) -> set[str]:
        """Have the operator make the take of the chosen file, from a timer where there is a window."""
        how = "EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT"
        try:
            done = operator(how, filepath=self.filepath, **settings)
        except RuntimeError as error:  # what the other operator reported
            self.report({"ERROR"}, str(error).strip().removeprefix("Error: "))
            return {"CANCELLED"}
        return {"CANCELLED"} if done == {"CANCELLED"} else {"FINISHED"}


class TakeOfRecording(_ForStrip, JobOperator):
    """Makes the take of `filepath` in a job and chooses it; a mixin."""

    bl_options = {"INTERNAL", "UNDO"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})

    def go_on(self, ended: Job) -> bool:
        """Choose the new take; nothing comes after it."""
        text = ended.take_text()
        if text is not None:
            text[SCENE_PROPERTY].facetalk.take = text
        return False
