"""Make a take of the face in a video, for the chosen sound strip."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from ..facetalk_blender.exchange import video_capture
from ..facetalk_blender.generation.job import Job
from ..facetalk_blender.generation.session import session
from ..facetalk_blender.settings.preferences import engine_choice
from ..facetalk_blender.settings.reasons import unready_reason
from ..facetalk_blender.sound import strip as sound_strip
from ..facetalk_blender.sound.strip_link import SCENE_PROPERTY
from .running import JobOperator, can_run


def _reason(context: bpy.types.Context) -> str:
    """Why nothing can be captured now, in one sentence that names the fix; empty when it can."""
    return unready_reason(context) or sound_strip.choice_problem(context.scene, context.scene.facetalk.strip)


class _Settings:
    """How the video is followed; a mixin."""

    face: bpy.props.IntProperty(
        name="Face",
        description="Of several: 0 is the largest, 1 the first from the left",
        min=0,
        max=4,
    )
    offset: bpy.props.FloatProperty(
        name="Sound Offset",
        description="Second of the sound file at which the video's first picture was taken",
        subtype="TIME_ABSOLUTE",
    )


class FACETALK_OT_capture_video(_Settings, bpy.types.Operator, ImportHelper):
    """Make a take of what the face in a video does: weights, gaze, tongue and head pose. Proposed is the movie strip
    over the chosen sound strip, or the strip's own file"""

    bl_idname = "facetalk.capture_video"
    bl_label = "Capture from Video..."

    filter_glob: bpy.props.StringProperty(
        default=";".join(f"*{ending}" for ending in sorted(video_capture.MOVIES)), options={"HIDDEN"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        return can_run(cls, _reason(context))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the file, with the one that belongs to the strip filled in."""
        scene = context.scene
        film = video_capture.film_of(sound_strip.find_strip(scene, scene.facetalk.strip))
        if film is not None:
            self.filepath, self.offset = str(film.path), film.offset
        return super().invoke(context, event)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Have the chosen file followed, from a timer where there is a window."""
        how = "EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT"
        try:
            done = bpy.ops.facetalk.make_captured_take(how, filepath=self.filepath, face=self.face, offset=self.offset)
        except RuntimeError as error:  # what the other operator reported
            self.report({"ERROR"}, str(error).strip().removeprefix("Error: "))
            return {"CANCELLED"}
        return {"CANCELLED"} if done == {"CANCELLED"} else {"FINISHED"}


class FACETALK_OT_make_captured_take(_Settings, JobOperator, bpy.types.Operator):
    """Make a take of a video that was chosen"""

    bl_idname = "facetalk.make_captured_take"
    bl_label = "Capture from Video"
    bl_options = {"INTERNAL", "UNDO"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        return can_run(cls, _reason(context))

    def start(self, context: bpy.types.Context) -> None:
        """Ask the engine."""
        scene, path = context.scene, Path(bpy.path.abspath(self.filepath))
        strip = sound_strip.find_strip(scene, scene.facetalk.strip)
        film = video_capture.part_of(strip, path, self.offset)
        choice = engine_choice(context)
        client = session.client(choice.python)
        session.set_job(video_capture.VideoCapture(client, strip, film, self.face, (choice.bundle, choice.device)))

    def go_on(self, ended: Job) -> bool:
        """Choose the new take; nothing comes after it."""
        text = ended.take_text()
        if text is not None:
            text[SCENE_PROPERTY].facetalk.take = text
        return False


CLASSES = (FACETALK_OT_capture_video, FACETALK_OT_make_captured_take)
