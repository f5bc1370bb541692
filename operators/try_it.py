"""The shortest ways to a voice: the sentence that comes with the extension, and a sound that is dropped on a view."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from ..facetalk_blender.engine_access.client import EngineClient
from ..facetalk_blender.generation.generation import Generation
from ..facetalk_blender.sound import strip as sound_strip
from ..facetalk_blender.sound.sentence import SENTENCE
from .generate import of_strips
from .generation_operator import GenerationOperator

SOUND_SUFFIXES = (
    ".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".aiff", ".aif", ".wma", ".mp4", ".mov", ".mkv", ".webm",
)  # fmt: skip


class FACETALK_OT_try_it(GenerationOperator, bpy.types.Operator):
    """Add a spoken sentence and make a head that speaks it: no recording is needed"""

    bl_idname = "facetalk.try_it"
    bl_label = "Try It"

    @classmethod
    def reason(cls, context: bpy.types.Context) -> str:
        """Why it cannot run now."""
        if context.scene.library is not None or context.scene.override_library is not None:
            return f"The scene {context.scene.name} is linked from another file; open that file."
        return ""

    def generations(self, context: bpy.types.Context, client: EngineClient) -> Iterator[Generation]:
        """One, of the sentence; its strip is added once."""
        scene = context.scene
        strips = (strip for strip in sound_strip.sound_strips(scene) if strip.sound is not None)
        strip = next((strip for strip in strips if sound_strip.sound_path(strip) == SENTENCE), None)
        if strip is None:
            strip = sound_strip.load_sound(scene, SENTENCE, scene.frame_current)
            strip.name = "Try It"
        scene.facetalk.strip = strip.name
        return of_strips(context, client, scene, [strip.name])


class FACETALK_FH_sound(bpy.types.FileHandler):
    """A sound dropped on a 3D viewport."""

    bl_idname = "FACETALK_FH_sound"
    bl_label = "Voice of a Talking Head"
    bl_import_operator = "facetalk.load_sound"
    bl_file_extensions = ";".join(SOUND_SUFFIXES)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Only on a viewport: the sequencer has its own way."""
        return context.area is not None and context.area.type == "VIEW_3D"


CLASSES = (FACETALK_OT_try_it, FACETALK_FH_sound)
