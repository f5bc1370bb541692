"""Bring in weights that another program recorded, as a take of the chosen sound strip."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..facetalk_blender.exchange.weights_file import read_recording
from ..facetalk_blender.exchange.weights_import import WeightsImport
from ..facetalk_blender.generation.session import session
from ..facetalk_blender.settings.preferences import engine_choice
from ..facetalk_blender.sound import strip as sound_strip
from .recordings import RecordingChooser, TakeOfRecording


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


class FACETALK_OT_import_weights(_Settings, RecordingChooser, bpy.types.Operator):
    """Import a Live Link Face CSV, or blend shapes of Audio2Face (JSON, CSV), as a take of the chosen sound strip"""

    bl_idname = "facetalk.import_weights"
    bl_label = "Import..."

    filter_glob: bpy.props.StringProperty(default="*.csv;*.json", options={"HIDDEN"})

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Have the chosen file imported, from a timer where there is a window."""
        return self.hand_over(bpy.ops.facetalk.make_imported_take, rate=self.rate, offset=self.offset)


class FACETALK_OT_make_imported_take(_Settings, TakeOfRecording, bpy.types.Operator):
    """Make a take of a file that was chosen"""

    bl_idname = "facetalk.make_imported_take"
    bl_label = "Import Weights"

    def start(self, context: bpy.types.Context) -> None:
        """Read the file and ask the engine."""
        scene, path = context.scene, Path(bpy.path.abspath(self.filepath))
        strip = sound_strip.find_strip(scene, scene.facetalk.strip)
        recording = read_recording(path, sound_strip.frames_per_second(scene), self.rate)
        choice = engine_choice(context)
        client = session.client(choice.python)
        engine = choice.bundle, choice.device
        session.set_job(WeightsImport(client, strip, recording, path.name, engine, self.offset))


CLASSES = (FACETALK_OT_import_weights, FACETALK_OT_make_imported_take)
