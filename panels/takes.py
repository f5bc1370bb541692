"""The takes of a scene: a list, and what can be done with the chosen one."""

from __future__ import annotations

import bpy

from ..facetalk_blender.outputs import curve_action, result
from ..facetalk_blender.outputs.frames import frame_storage, unused_frames
from ..facetalk_blender.settings.drawing import draw_text
from ..facetalk_blender.sound.strip_link import STRIP_PROPERTY
from ..facetalk_blender.takes import status as take_status
from ..facetalk_blender.takes import take


class FACETALK_UL_takes(bpy.types.UIList):
    """Takes; each is a text of the file."""

    def draw_item(self, context, layout, _data, text, _icon, _active, _property, _index=0, _flag=0) -> None:
        """Show whether the take has a head or curves, and its name; warn when its sound has changed."""
        icon = "MESH_MONKEY" if result.results_of_take(context.scene, text) else "TEXT"
        icon = "ACTION" if curve_action.actions_of_take(context.scene, text) else icon
        icon = "ERROR" if take_status.change_of_sound(text) else icon
        layout.prop(text, "name", text="", emboss=False, icon=icon)

    def filter_items(self, context: bpy.types.Context, data: bpy.types.AnyType, name: str) -> tuple[list, list]:
        """Only the takes of this scene, by name when one is searched for."""
        texts = getattr(data, name)
        searched = self.filter_name.lower()
        shown = (take.is_take(text, context.scene) and searched in text.name.lower() for text in texts)
        return [self.bitflag_filter_item if wanted else 0 for wanted in shown], []


class FACETALK_MT_compare_take(bpy.types.Menu):
    """The takes that the chosen one can be compared with."""

    bl_label = "Compare with"

    def draw(self, context: bpy.types.Context) -> None:
        """List the other takes that have a head."""
        chosen = context.scene.facetalk.chosen_take()
        others = [text for text in take.takes_of(context.scene) if text != chosen]
        others = [text for text in others if result.results_of_take(context.scene, text)]
        for text in others:
            self.layout.operator("facetalk.compare_take", text=text.name).name = text.name
        if not others:
            self.layout.label(text="No other take has a head")


class FACETALK_PT_takes(bpy.types.Panel):
    """Performances that were generated in this scene."""

    bl_label = "Takes"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceTalk"

    def draw(self, context: bpy.types.Context) -> None:
        """Show the list, then what the chosen take is and what can be done with it."""
        layout, facetalk = self.layout, context.scene.facetalk
        if not take.takes_of(context.scene):
            draw_text(layout, context, "No takes yet; Generate makes one.", "INFO")
            layout.operator("facetalk.import_weights", icon="IMPORT")
            layout.operator("facetalk.capture_video", icon="OUTLINER_OB_CAMERA")
            _draw_unused(layout)
            return
        row = layout.row()
        row.template_list("FACETALK_UL_takes", "", bpy.data, "texts", facetalk, "take_position", rows=3, sort_lock=True)
        buttons = row.column(align=True)
        buttons.operator("facetalk.vary_take", text="", icon="DUPLICATE")
        buttons.operator("facetalk.import_weights", text="", icon="IMPORT")
        buttons.operator("facetalk.capture_video", text="", icon="OUTLINER_OB_CAMERA")
        buttons.operator("facetalk.delete_take", text="", icon="TRASH")
        text = context.scene.facetalk.chosen_take()
        if text is not None:
            _draw_take(layout, context, text)
        _draw_unused(layout)


def _draw_take(layout: bpy.types.UILayout, context: bpy.types.Context, text: bpy.types.Text) -> None:
    change = take_status.strip_problem(text) or take_status.change_of_sound(text)
    if change:
        draw_text(layout, context, change, "ERROR")
    column = layout.column(align=True)
    origin = text.get(take.IMPORTED_PROPERTY) or f"seed {text[take.SEED_PROPERTY]}"
    column.label(text=f"Strip {text[STRIP_PROPERTY]}, {origin}", icon="SOUND")
    column.label(text=text[take.DATE_PROPERTY], icon="TIME")
    column.operator("facetalk.frame_head", icon="ZOOM_SELECTED")
    column.operator("facetalk.make_output", icon="OUTLINER_OB_MESH")
    column.operator("facetalk.regenerate_range", icon="PREVIEW_RANGE")
    reason = take_status.range_problem(text)
    if reason and not change:
        draw_text(layout, context, reason, "INFO")
    layout.menu("FACETALK_MT_compare_take", icon="VIEW_ORTHO")
    head = frame_storage.result_with_frames(text)
    if head is not None:
        _draw_frames(layout, context, head)


def _draw_frames(layout: bpy.types.UILayout, context: bpy.types.Context, head: bpy.types.Object) -> None:
    """Where the frames are, what is wrong with that, and the way elsewhere."""
    cached = frame_storage.is_cached(head)
    problem = frame_storage.cache_problem(head) if cached else ""
    if problem:
        draw_text(layout, context, problem, "ERROR")
        layout.operator("facetalk.find_frames", icon="FILE_FOLDER")
        return
    layout.label(text=frame_storage.place(head), icon="DISK_DRIVE" if cached else "FILE_BLEND")
    text = "Move Frames into File" if cached else "Move Frames to Cache Folder"
    layout.operator("facetalk.move_frames", text=text, icon="FILE_BLEND" if cached else "DISK_DRIVE")


def _draw_unused(layout: bpy.types.UILayout) -> None:
    """The way to get rid of folders that nothing shows, where there are any."""
    if unused_frames.likely():
        layout.operator("facetalk.delete_unused_frames", text="Delete Unused Frames...", icon="TRASH")


CLASSES = (FACETALK_UL_takes, FACETALK_MT_compare_take, FACETALK_PT_takes)
