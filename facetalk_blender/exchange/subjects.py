"""Which objects belong together: those that speak a strip, and the whole character that they are part of."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from ..outputs import curve_action
from ..outputs.result import results_of

GEOMETRY = {"MESH", "CURVES", "CURVE", "SURFACE", "META", "FONT", "POINTCLOUD"}


def subjects(scene: bpy.types.Scene, strip_name: str, active: bpy.types.Object | None) -> list[bpy.types.Object]:
    """The objects that belong together and speak a strip: those with the active one, or the first that are shown."""
    groups = [[item] for item in results_of(scene, strip_name) if not item.hide_viewport]
    for action in curve_action.shown_actions_of(scene, strip_name):
        moved = [item for item in scene.objects if moved_by(item, action) and not item.hide_viewport]
        if moved and moved not in groups:
            groups.append(moved)
    return next((group for group in groups if active in group), groups[0] if groups else [])


def moved_by(item: bpy.types.Object, action: bpy.types.Action) -> bool:
    """Whether an action of this extension moves the shape keys of an object."""
    keys = item.data.shape_keys if item.type == "MESH" else None
    return keys is not None and any(used == action for used, _ in curve_action.uses(keys))


def whole_character(scene: bpy.types.Scene, items: list[bpy.types.Object]) -> list[bpy.types.Object]:
    """The objects, and all that is shown and bound to the same armatures or lies in their collections: body, hair.

    A collection counts when nothing in it is bound to another armature, and the scene's own never does.
    """
    rigs = {rig for item in items for rig in rigs_of(item)}
    roots = {*items} | (rigs or {_root(item) for item in items})
    together = set(items) | {item for item in scene.objects if roots & {item, *_parents(item), *rigs_of(item)}}
    for collection in {place for item in items for place in item.users_collection} - {scene.collection}:
        members = set(collection.all_objects)
        if {rig for item in members for rig in rigs_of(item)} <= rigs:
            together |= members
    shown = [item for item in scene.objects if item in together and item.type in GEOMETRY and item.visible_get()]
    return items + [item for item in shown if item not in items and not item.name.startswith("WGT-")]


def rigs_of(item: bpy.types.Object) -> set[bpy.types.Object]:
    """The armatures that deform an object or that it hangs on."""
    modifiers = (modifier.object for modifier in item.modifiers if modifier.type == "ARMATURE")
    parents = (parent for parent in _parents(item) if parent.type == "ARMATURE")
    return {rig for rig in (*modifiers, *parents) if rig is not None}


def _parents(item: bpy.types.Object) -> Iterator[bpy.types.Object]:
    while item.parent is not None:
        item = item.parent
        yield item


def _root(item: bpy.types.Object) -> bpy.types.Object:
    return [item, *_parents(item)][-1]
