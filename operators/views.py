"""Bringing a head into view: at life size it is easily overlooked."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
from mathutils import Quaternion, Vector

from ..facetalk_blender.generation.session import session
from ..facetalk_blender.outputs import result
from .running import can_run


@dataclass
class ViewBefore:
    """Where a viewport looked."""

    area: bpy.types.Area
    perspective: str
    location: Vector
    rotation: Quaternion
    distance: float

    def put_back(self) -> None:
        """Let it look there again, if it still is a viewport."""
        if self.area.type != "VIEW_3D":
            return
        region = self.area.spaces.active.region_3d
        region.view_perspective = self.perspective
        region.view_location, region.view_rotation = self.location, self.rotation
        region.view_distance = self.distance


@dataclass
class SelectionBefore:
    """What was selected and active, by name: an undo may have made other objects of them."""

    selected: list[str]
    active: str

    @classmethod
    def of(cls, context: bpy.types.Context) -> SelectionBefore:
        """What is selected now."""
        active = context.view_layer.objects.active
        return cls([item.name for item in context.selected_objects], "" if active is None else active.name)

    def put_back(self, context: bpy.types.Context) -> None:
        """Select what is left of it, unless something else was selected meanwhile."""
        objects = context.view_layer.objects
        if context.mode != "OBJECT" or context.selected_objects:
            return
        for name in self.selected:
            if name in objects:
                objects[name].select_set(True)
        if objects.active is None:
            objects.active = objects.get(self.active)


def remember(context: bpy.types.Context) -> list[ViewBefore]:
    """Where the viewports look that `frame_selected` turns."""
    found = []
    for area in _free_views(context):
        region = area.spaces.active.region_3d
        place = region.view_location.copy(), region.view_rotation.copy(), region.view_distance
        found.append(ViewBefore(area, region.view_perspective, *place))
    return found


def frame_selected(context: bpy.types.Context) -> None:
    """Let the window's 3D viewports show what is selected from the front."""
    for area in _free_views(context):
        region = next(region for region in area.regions if region.type == "WINDOW")
        with context.temp_override(area=area, region=region):
            bpy.ops.view3d.view_axis(type="FRONT")
            bpy.ops.view3d.view_selected()


def _free_views(context: bpy.types.Context) -> list[bpy.types.Area]:
    """Those that do not look through a camera."""
    views = [area for area in context.screen.areas if area.type == "VIEW_3D"]
    return [area for area in views if area.spaces.active.region_3d.view_perspective != "CAMERA"]


class FACETALK_OT_frame_head(bpy.types.Operator):
    """Show the chosen take's head from the front, as large as the viewport"""

    bl_idname = "facetalk.frame_head"
    bl_label = "Frame Head"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        reason = "" if _shown_heads(context) else "The chosen take has no head yet; Generate makes one."
        if not reason and context.mode != "OBJECT":
            reason = "Go to Object Mode first."
        return can_run(cls, reason)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Select the head and turn the viewports to it."""
        for area in context.screen.areas:
            if area.type == "VIEW_3D" and area.spaces.active.region_3d.view_perspective == "CAMERA":
                area.spaces.active.region_3d.view_perspective = "PERSP"
        for item in context.selected_objects:
            item.select_set(False)
        for head in _shown_heads(context):
            head.select_set(True)
            context.view_layer.objects.active = head
        frame_selected(context)
        return {"FINISHED"}


def _shown_heads(context: bpy.types.Context) -> list[bpy.types.Object]:
    """Heads of the chosen take that can be selected; while one is being made, that one."""
    scene = context.scene
    text = session.job.take_text() if session.busy() and hasattr(session.job, "take_text") else None
    text = text or scene.facetalk.chosen_take()
    found = [] if text is None else result.results_of_take(scene, text)
    return [item for item in found if item.name in context.view_layer.objects and item.visible_get()]


CLASSES = (FACETALK_OT_frame_head,)
