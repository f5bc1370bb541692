"""The sidebar panel of the person: who it is, hair, beard, brows, lashes."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..facetalk_blender.generation.session import session
from ..facetalk_blender.hair.styles import BALD
from ..facetalk_blender.settings.drawing import draw_task, draw_text
from ..facetalk_blender.settings.person import cannot_wear

NOT_WRITTEN = "Cancelled; nothing is left behind."
ONCE_LISTED = " once its folder is in Preferences > File Paths > Asset Libraries"


class FACETALK_PT_person(bpy.types.Panel):
    """Who speaks: hair, beard, brows and lashes, and persons whose looks fit each other."""

    bl_label = "Person"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceTalk"
    bl_parent_id = "FACETALK_PT_talking_head"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Show persons, then what can be changed of their hair, then why it does not act on this head."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = not session.busy()
        person = context.scene.facetalk_person
        layout.template_icon_view(person, "person", show_labels=True, scale=5.0, scale_popup=5.0)
        layout.prop(person, "person")
        layout.operator("facetalk.random_person", icon="FILE_REFRESH")
        _draw_library(layout, context)
        layout.prop(person, "use_hair")
        if reason := cannot_wear(context.scene):
            draw_text(layout, context, reason, "INFO")
        column = layout.column()
        column.enabled = person.use_hair
        for name in ("style", "beard", "seed"):
            column.prop(person, name)
        column = layout.column()
        column.enabled = person.use_hair and person.style != BALD
        for name in ("length", "density", "receding"):
            column.prop(person, name, slider=True)
        column = layout.column()
        column.enabled = person.use_hair
        for name in ("brows", "lashes", "melanin", "redness", "grey"):
            column.prop(person, name, slider=True)
        column.separator()
        for name in ("viewport", "render"):
            column.prop(person, name, slider=True)


def _draw_library(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    task = session.person_library
    layout.operator("facetalk.save_persons", icon="ASSET_MANAGER")
    if task is None or draw_task(layout, context, task, "facetalk.cancel_saving_persons", NOT_WRITTEN):
        return
    known = [Path(bpy.path.abspath(item.path)) for item in context.preferences.filepaths.asset_libraries]
    listed = any(task.output.is_relative_to(folder.absolute()) for folder in known)
    text = f"Wrote {task.output.name}; find the persons in the Asset Browser{'' if listed else ONCE_LISTED}."
    draw_text(layout, context, text, "INFO")


CLASSES = (FACETALK_PT_person,)
