"""The model bundles in the preferences."""

from __future__ import annotations

import bpy

from ..facetalk_blender.generation.session import session
from ..facetalk_blender.settings import model_bundles
from ..facetalk_blender.settings.drawing import draw_task, draw_text

STARTER_NAME = "Starter (built in)"


def draw_model_bundles(layout: bpy.types.UILayout, context: bpy.types.Context, preferences) -> None:
    """The bundles to choose from, what the chosen one can do and under which licence, and the import under way."""
    chosen = preferences.bundle
    if chosen.startswith("//"):
        draw_text(layout, context, "Preferences hold for every file; choose a folder without '//'.", "ERROR")
    column = layout.column(align=True)
    _draw_choice(column, STARTER_NAME, "", chosen == "")
    for entry in preferences.bundles:
        row = column.row(align=True)
        _draw_choice(row, entry.name, entry.folder, chosen == entry.folder)
        row.operator("facetalk.remove_bundle", text="", icon="X").folder = entry.folder
    column.operator("facetalk.add_bundle", text="Add...", icon="ADD")
    _draw_import(layout, context)
    entry = model_bundles.listed(preferences.bundles, chosen)
    if entry is not None:
        draw_text(layout, context, f"{entry.abilities}\n{entry.licences}\n{entry.folder}", "INFO")
    elif not chosen:
        abilities = model_bundles.abilities_text(model_bundles.STARTER_INFORMATION)
        draw_text(layout, context, f"{abilities}\n{model_bundles.starter_licences()}", "INFO")


def _draw_choice(layout: bpy.types.UILayout, name: str, folder: str, active: bool) -> None:
    icon = "RADIOBUT_ON" if active else "RADIOBUT_OFF"
    layout.operator("facetalk.choose_bundle", text=name, icon=icon, depress=active).folder = folder


def _draw_import(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    adding = session.bundle_import
    if adding is not None:
        draw_task(layout, context, adding, "facetalk.cancel_adding_bundle", "Cancelled; nothing was added.")
