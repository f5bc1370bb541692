"""Generate talking heads, and cancel that."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from ..engine.shared.errors import EngineError
from ..facetalk_blender import compat
from ..facetalk_blender.engine_access.client import EngineClient
from ..facetalk_blender.generation.generation import Generation
from ..facetalk_blender.generation.session import session
from ..facetalk_blender.settings.preferences import preferences
from ..facetalk_blender.settings.reasons import disabled_reason, selected_reason
from ..facetalk_blender.sound import strip as sound_strip
from .generation_operator import GenerationOperator
from .running import can_run


class FACETALK_OT_generate(GenerationOperator, bpy.types.Operator):
    """Make a head that speaks the chosen sound strip, as a new take; earlier takes are hidden"""

    bl_idname = "facetalk.generate"
    bl_label = "Generate Talking Head"

    @classmethod
    def reason(cls, context: bpy.types.Context) -> str:
        """Why it cannot run now."""
        return disabled_reason(context)

    def generations(self, context: bpy.types.Context, client: EngineClient) -> Iterator[Generation]:
        """One, of the chosen strip."""
        return of_strips(context, client, context.scene, [context.scene.facetalk.strip])


class FACETALK_OT_generate_selected(GenerationOperator, bpy.types.Operator):
    """Make a head for each of the selected sound strips, one after the other"""

    bl_idname = "facetalk.generate_selected"
    bl_label = "Generate Selected Strips"

    @classmethod
    def reason(cls, context: bpy.types.Context) -> str:
        """Why it cannot run now."""
        return selected_reason(context)

    def generations(self, context: bpy.types.Context, client: EngineClient) -> Iterator[Generation]:
        """One for each selected strip."""
        scene = compat.sequencer_scene(context)
        return of_strips(context, client, scene, sound_strip.selected_names(scene))


def of_strips(
    context: bpy.types.Context, client: EngineClient, scene: bpy.types.Scene, names: list[str]
) -> Iterator[Generation]:
    """One generation for each of a scene's strips. Raises EngineError when one of them is gone."""
    options, scene_name = scene.facetalk.options(preferences(context)), scene.name
    for name in names:
        # Looked up again: another generation has run meanwhile.
        scene = bpy.data.scenes.get(scene_name)
        strip = sound_strip.find_strip(scene, name) if scene else None
        if strip is None:
            raise EngineError(f"The strip {name} was deleted before its turn; the heads before it were made.")
        yield Generation(client, strip, options)


class FACETALK_OT_cancel(bpy.types.Operator):
    """Give the generation up and remove what it has made"""

    bl_idname = "facetalk.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether there is something to cancel."""
        return can_run(cls, "" if session.busy() else "Nothing is being generated.")

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Cancel the generation under way."""
        session.job.cancel()
        return {"FINISHED"}


CLASSES = (FACETALK_OT_generate, FACETALK_OT_generate_selected, FACETALK_OT_cancel)
