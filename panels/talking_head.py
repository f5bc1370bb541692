"""The sidebar panel of the 3D viewport."""

from __future__ import annotations

import bpy

from ..facetalk_blender import session
from ..facetalk_blender.generation import State
from ..facetalk_blender.wrapped_text import draw_text
from ..operators.generate import disabled_reason


class FACETALK_PT_talking_head(bpy.types.Panel):
    """A sound strip goes in, a talking head comes out."""

    bl_label = "Generate Talking Head"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceTalk"

    def draw(self, context: bpy.types.Context) -> None:
        """Show settings, then progress or the button, then why it is disabled or what went wrong."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        facetalk = context.scene.facetalk
        column = layout.column()
        column.enabled = not session.busy()
        column.prop(facetalk, "strip", icon="SOUND")
        column.operator("facetalk.load_sound", text="Load Sound...", icon="FILEBROWSER")
        _draw_head(column, facetalk)
        _draw_sampling(column, facetalk)
        column.prop(facetalk, "audio_playback")
        column.prop(facetalk, "add_stage")
        if session.busy():
            _draw_progress(layout)
        else:
            _draw_generate(layout, context)


def _draw_head(layout: bpy.types.UILayout, facetalk: bpy.types.PropertyGroup) -> None:
    layout.prop(facetalk, "output")
    if facetalk.output == "FRAME_MESHES":
        layout.prop(facetalk, "resolution")
    layout.prop(facetalk, "head")
    if facetalk.head == "RANDOM":
        layout.prop(facetalk, "head_seed")
    elif facetalk.head == "FILE":
        layout.prop(facetalk, "head_file")
    layout.prop(facetalk, "seed")


def _draw_sampling(layout: bpy.types.UILayout, facetalk: bpy.types.PropertyGroup) -> None:
    header, body = layout.panel("facetalk_sampling", default_closed=True)
    header.label(text="Sampling")
    if body is not None:
        body.prop(facetalk, "steps")
        body.prop(facetalk, "guidance")
        body.prop(facetalk, "strength")


def _draw_progress(layout: bpy.types.UILayout) -> None:
    generation = session.generation()
    layout.progress(factor=generation.fraction, type="BAR", text=generation.stage_text)
    layout.operator("facetalk.cancel", icon="CANCEL")


def _draw_generate(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    row = layout.row()
    row.scale_y = 1.4
    row.operator("facetalk.generate", icon="PLAY")
    reason, last = disabled_reason(context), session.generation()
    if reason:
        draw_text(layout, context, reason, "INFO")
    elif last is not None and last.state is State.FAILED:
        draw_text(layout, context, last.error, "ERROR")


CLASSES = (FACETALK_PT_talking_head,)
