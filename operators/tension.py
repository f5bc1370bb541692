"""Tension of the artist's own mesh."""

from __future__ import annotations

import bpy

from ..facetalk_blender.look.own_tension import TENSION_ATTRIBUTE, add_tension
from .running import can_run


class FACETALK_OT_add_tension(bpy.types.Operator):
    """Measure where the active mesh is gathered and stretched against its first shape key, as an attribute for its \
material: mix wrinkles in where it is below zero. A modifier of stock nodes does it"""

    bl_idname = "facetalk.add_tension"
    bl_label = "Add Tension"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        return can_run(cls, _reason(context.object))

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add it."""
        add_tension(context.object)
        self.report({"INFO"}, f"The material can read the attribute {TENSION_ATTRIBUTE}")
        return {"FINISHED"}


def _reason(item: bpy.types.Object | None) -> str:
    if item is None or item.type != "MESH":
        return "Select a mesh"
    if item.library is not None or item.data.library is not None:
        return "The mesh is linked: make it local (Object > Relations > Make Local)"
    if item.mode != "OBJECT":
        return "Leave Edit Mode"
    if not item.data.vertices:
        return "The mesh is empty"
    return ""


CLASSES = (FACETALK_OT_add_tension,)
