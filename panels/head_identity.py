"""The sidebar panel of the head's looks."""

from __future__ import annotations

import bpy

from ..facetalk_blender.generation import head_preview
from ..facetalk_blender.generation.session import session
from ..facetalk_blender.settings.drawing import draw_text
from ..facetalk_blender.settings.head import GROUPS, TRAITS, has_head


class FACETALK_PT_head(bpy.types.Panel):
    """Whose head speaks, and in which colours."""

    bl_label = "Head"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceTalk"
    bl_parent_id = "FACETALK_PT_talking_head"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Show colours, ways to a head, and the sliders."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = not session.busy()
        head = context.scene.facetalk_head
        shown = head_preview.find(context.scene) is not None
        layout.operator(
            "facetalk.preview_head", text="Show While Editing", icon="HIDE_OFF" if shown else "HIDE_ON", depress=shown
        )
        if session.preview.problem:
            draw_text(layout, context, session.preview.problem, "ERROR")
        row = layout.row(align=True)
        row.operator("facetalk.random_head", text="Random", icon="FILE_REFRESH")
        row.operator_menu_enum("facetalk.head_preset", "preset", text="Presets")
        row.operator("facetalk.reset_head", text="", icon="LOOP_BACK")
        column = layout.column()
        column.prop(head, "skin")
        column.prop(head, "skin_color")
        column.prop(head, "eye_color")
        header, body = layout.panel("facetalk_head_skin", default_closed=True)
        header.label(text="Skin")
        if body is not None:
            for name in TRAITS:
                body.prop(head, name, slider=True)
        if head_preview.live_heads(context.scene):
            layout.operator("facetalk.make_output", text="Make Output with This Head", icon="OUTLINER_OB_MESH")
        elif not shown and has_head(context.scene):
            draw_text(layout, context, "The sliders act on the next head. Colours act on this one at once.", "INFO")
            layout.operator("facetalk.make_output", text="Make Output with This Head", icon="OUTLINER_OB_MESH")
        for group, names in GROUPS.items():
            header, body = layout.panel(f"facetalk_head_{group.split()[0].lower()}", default_closed=group != "Face")
            header.label(text=group)
            if body is not None:
                for name in names:
                    body.prop(head, name, slider=True)
        row = layout.row(align=True)
        row.operator("facetalk.load_identity", text="Load...", icon="FILEBROWSER")
        row.operator("facetalk.save_identity", text="Save...", icon="FILE_TICK")


CLASSES = (FACETALK_PT_head,)
