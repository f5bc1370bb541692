"""The part of the sidebar that chooses whom Expression Curves move, and how."""

from __future__ import annotations

import bpy

from ..facetalk_blender.generation.session import session
from ..facetalk_blender.outputs.curves.presets import preset_names
from ..facetalk_blender.outputs.curves.targets import can_override, target_problem
from ..facetalk_blender.retargeting import coverage
from ..facetalk_blender.retargeting.recognition import FUZZY
from ..facetalk_blender.settings.curve_presets import preset_folder
from ..facetalk_blender.settings.drawing import draw_text


class FACETALK_UL_curve_targets(bpy.types.UIList):
    """Target meshes."""

    def draw_item(self, _context, layout, _data, row, _icon, _active, _property, _index=0, _flag=0) -> None:
        """Show a mesh, with a sign when it cannot be used."""
        layout.prop(row, "item", text="", emboss=False, icon="ERROR" if target_problem(row.item) else "MESH_DATA")


class FACETALK_UL_curve_links(bpy.types.UIList):
    """Shape keys and the channels that they follow."""

    def draw_item(self, _context, layout, _data, row, _icon, _active, _property, _index=0, _flag=0) -> None:
        """Show a key and its channel, and a button that shows the key; a question mark is a guess."""
        line = layout.row(align=True)
        columns = line.split(factor=0.5, align=True)
        columns.label(text=row.name, icon="QUESTION" if row.method == FUZZY else "NONE")
        columns.label(text=row.channel or "-")
        curves = row.id_data.facetalk.curves
        if curves.targets:
            tried = curves.tried == row.name
            icon = "HIDE_OFF" if tried else "HIDE_ON"
            line.operator("facetalk.try_shape_key", text="", icon=icon, depress=tried, emboss=False).key = row.name

    def filter_items(self, _context: bpy.types.Context, data: bpy.types.AnyType, name: str) -> tuple[list, list]:
        """Keys that follow nothing are hidden unless asked for."""
        rows = getattr(data, name)
        shown = bpy.types.UI_UL_list.filter_items_by_name(self.filter_name, self.bitflag_filter_item, rows, "name")
        shown = shown or [self.bitflag_filter_item] * len(rows)
        if not data.show_all:
            shown = [flag if row.channel else 0 for flag, row in zip(shown, rows, strict=True)]
        return shown, []


class FACETALK_UL_rig_properties(bpy.types.UIList):
    """Properties of rigs and the channels that they follow."""

    def draw_item(self, _context, layout, _data, row, _icon, _active, _property, index=0, _flag=0) -> None:
        """Show a property and its channel, and a button that shows the pose."""
        line = layout.row(align=True)
        columns = line.split(factor=0.5, align=True)
        name = f"{row.item.name} {row.path}" if row.item is not None else "-"
        columns.label(text=name, icon="ERROR" if row.problem() else "NONE")
        columns.label(text=row.channel or "-")
        _draw_try(line, row.id_data.facetalk.curves, f"control {index}")


class FACETALK_MT_curve_presets(bpy.types.Menu):
    """Saved tables of shape keys."""

    bl_label = "Presets"

    def draw(self, _context: bpy.types.Context) -> None:
        """List the presets."""
        names = preset_names(preset_folder())
        for name in names:
            self.layout.operator("facetalk.load_curve_preset", text=name).preset = name
        if not names:
            self.layout.label(text="No preset was saved yet")


class FACETALK_PT_expression_curves(bpy.types.Panel):
    """Targets and the table of their shape keys."""

    bl_label = "Expression Curves"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceTalk"
    bl_parent_id = "FACETALK_PT_talking_head"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Shown while this output is chosen."""
        return context.scene.facetalk.output == "EXPRESSION_CURVES"

    def draw(self, context: bpy.types.Context) -> None:
        """Show keys, targets, and what to do with them."""
        layout, curves = self.layout, context.scene.facetalk.curves
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.prop(curves, "keys")
        if curves.keys == "REDUCED":
            column.prop(curves, "tolerance")
        _draw_targets(layout, context, curves)
        _draw_links(layout, context, curves)
        last = session.job
        for note in last.notes if last is not None else ():
            draw_text(layout, context, note, "ERROR")
        if curves.targets:
            row = layout.row(align=True)
            row.operator("facetalk.check_curves", text="Check", icon="CHECKMARK")
            row.operator("facetalk.remove_curves", text="Remove", icon="TRASH")
            layout.operator("facetalk.add_tension", icon="MOD_CLOTH")


def _draw_targets(layout: bpy.types.UILayout, context: bpy.types.Context, curves: bpy.types.PropertyGroup) -> None:
    layout.label(text="Target Meshes")
    if not curves.targets:
        draw_text(layout, context, "With none, a new head is made.", "INFO")
    row = layout.row()
    row.template_list("FACETALK_UL_curve_targets", "", curves, "targets", curves, "active_target", rows=2)
    buttons = row.column(align=True)
    buttons.operator("facetalk.add_curve_targets", text="", icon="ADD")
    buttons.operator("facetalk.remove_curve_target", text="", icon="REMOVE")
    problem = curves.problem()
    if problem:
        draw_text(layout, context, problem, "ERROR")
    if any(map(can_override, curves.target_items())):
        layout.operator("facetalk.override_meshes", icon="LIBRARY_DATA_OVERRIDE")
    if curves.targets:
        _draw_rig(layout, context, curves)


def _draw_rig(layout: bpy.types.UILayout, context: bpy.types.Context, curves: bpy.types.PropertyGroup) -> None:
    """Bones and properties of the targets' rigs."""
    header, body = layout.panel("facetalk_rig", default_closed=True)
    header.label(text="Bones and Properties")
    if body is None:
        return
    body.prop(curves, "bones")
    for index, row in enumerate(curves.bone_rows if curves.bones else ()):
        if row.armature is not None:
            _draw_bone(body, curves, row, index)
    listed = body.row()
    listed.template_list("FACETALK_UL_rig_properties", "", curves, "controls", curves, "active_control", rows=2)
    buttons = listed.column(align=True)
    buttons.operator("facetalk.add_rig_property", text="", icon="ADD")
    buttons.operator("facetalk.remove_rig_property", text="", icon="REMOVE")
    if 0 <= curves.active_control < len(curves.controls):
        row = curves.controls[curves.active_control]
        column = body.column()
        column.use_property_split, column.use_property_decorate = True, False
        for name in ("item", "path", "channel", "gain"):
            column.prop(row, name)
        if row.problem():
            draw_text(body, context, row.problem(), "ERROR")


def _draw_bone(
    layout: bpy.types.UILayout, curves: bpy.types.PropertyGroup, row: bpy.types.PropertyGroup, index: int
) -> None:
    line = layout.row(align=True)
    line.prop_search(row, "bone", row.armature.data, "bones", text=row.part.capitalize())
    if row.bone:
        _draw_try(line, curves, f"bone {index}")
        how = layout.row(align=True)
        how.prop(row, "axis", text="")
        how.prop(row, "angle", text="")


def _draw_try(layout: bpy.types.UILayout, curves: bpy.types.PropertyGroup, row: str) -> None:
    tried = curves.tried_row == row
    icon = "HIDE_OFF" if tried else "HIDE_ON"
    layout.operator("facetalk.try_rig_row", text="", icon=icon, depress=tried, emboss=False).row = row


def _draw_links(layout: bpy.types.UILayout, context: bpy.types.Context, curves: bpy.types.PropertyGroup) -> None:
    row = layout.row(align=True)
    row.operator("facetalk.match_shape_keys", text="Match", icon="FILE_REFRESH")
    row.menu("FACETALK_MT_curve_presets", text="", icon="PRESET")
    row.operator("facetalk.save_curve_preset", text="", icon="ADD")
    row.operator("facetalk.delete_curve_preset", text="", icon="REMOVE")
    layout.template_list("FACETALK_UL_curve_links", "", curves, "links", curves, "active_link", rows=6)
    if 0 <= curves.active_link < len(curves.links):
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.prop(curves.links[curves.active_link], "channel")
        column.prop(curves.links[curves.active_link], "gain")
    layout.prop(curves, "show_all")
    if curves.targets and (curves.links or curves.bone_rows or curves.controls):
        _draw_coverage(layout, context, curves)


def _draw_coverage(layout: bpy.types.UILayout, context: bpy.types.Context, curves: bpy.types.PropertyGroup) -> None:
    """What this face will be able to do, and what will be missed."""
    channels = curves.channels()
    draw_text(layout, context, f"This face: {coverage.description(channels)}.", "INFO")
    for problem in coverage.warnings(channels):
        draw_text(layout, context, problem, "ERROR" if coverage.is_mute(channels) else "INFO")
    if curves.tried:
        layout.operator("facetalk.try_shape_key", text=f"Stop Showing {curves.tried}").key = curves.tried


CLASSES = (
    FACETALK_UL_curve_targets,
    FACETALK_UL_curve_links,
    FACETALK_UL_rig_properties,
    FACETALK_MT_curve_presets,
    FACETALK_PT_expression_curves,
)
