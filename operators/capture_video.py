"""Make a take of the face in a video, for the chosen sound strip."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..facetalk_blender.exchange import video_capture
from ..facetalk_blender.generation.session import session
from ..facetalk_blender.settings.preferences import engine_choice
from ..facetalk_blender.sound import strip as sound_strip
from .recordings import RecordingChooser, TakeOfRecording


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


class FACETALK_OT_capture_video(_Settings, RecordingChooser, bpy.types.Operator):
    """Make a take of what the face in a video does: weights, gaze, tongue and head pose. Proposed is the movie strip
    over the chosen sound strip, or the strip's own file"""

    bl_idname = "facetalk.capture_video"
    bl_label = "Capture from Video..."

    filter_glob: bpy.props.StringProperty(
        default=";".join(f"*{ending}" for ending in sorted(video_capture.MOVIES)), options={"HIDDEN"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the file, with the one that belongs to the strip filled in."""
        scene = context.scene
        film = video_capture.film_of(sound_strip.find_strip(scene, scene.facetalk.strip))
        if film is not None:
            self.filepath, self.offset = str(film.path), film.offset
        return super().invoke(context, event)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Have the chosen file followed, from a timer where there is a window."""
        return self.hand_over(bpy.ops.facetalk.make_captured_take, face=self.face, offset=self.offset)


class FACETALK_OT_make_captured_take(_Settings, TakeOfRecording, bpy.types.Operator):
    """Make a take of a video that was chosen"""

    bl_idname = "facetalk.make_captured_take"
    bl_label = "Capture from Video"

    def start(self, context: bpy.types.Context) -> None:
        """Ask the engine."""
        scene, path = context.scene, Path(bpy.path.abspath(self.filepath))
        strip = sound_strip.find_strip(scene, scene.facetalk.strip)
        film = video_capture.part_of(strip, path, self.offset)
        choice = engine_choice(context)
        client = session.client(choice.python)
        session.set_job(video_capture.VideoCapture(client, strip, film, self.face, (choice.bundle, choice.device)))


CLASSES = (FACETALK_OT_capture_video, FACETALK_OT_make_captured_take)
