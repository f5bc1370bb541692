"""The objects that generations leave in the scene: how they are recognised, found and shown."""

from __future__ import annotations

import bpy

from ..sound.strip_link import STRIP_PROPERTY
from ..takes.take import TAKE_PROPERTY
from . import curve_action

FRAMES_PROPERTY = "facetalk_frames"  # on a result of frame meshes: the collection of its frames
UNFINISHED_PROPERTY = "facetalk_unfinished"  # on a result while it is being made
COMPARED_PROPERTY = "facetalk_compared"  # on a result that stands aside to be compared: delta location before
HEAD_SIZE = 0.2  # metres from the head's origin to its farthest point, rounded up


def results_of(scene: bpy.types.Scene, strip_name: str) -> list[bpy.types.Object]:
    """The scene's results for a sound strip; linked and overridden objects are somebody else's."""
    own = (item for item in scene.objects if item.library is None and item.override_library is None)
    return [item for item in own if item.get(STRIP_PROPERTY) == strip_name]


def results_of_take(scene: bpy.types.Scene, text: bpy.types.Text) -> list[bpy.types.Object]:
    """The scene's results that were made from a take."""
    return [item for item in results_of(scene, text[STRIP_PROPERTY]) if item.get(TAKE_PROPERTY) == text]


def show_take(scene: bpy.types.Scene, text: bpy.types.Text) -> None:
    """Show the results of a take, and hide those of the strip's other takes; the same with curves on meshes."""
    curve_action.show_take(scene, text)
    for item in results_of(scene, text[STRIP_PROPERTY]):
        item.hide_viewport = item.hide_render = item.get(TAKE_PROPERTY) != text
        if COMPARED_PROPERTY in item:
            item.delta_location = item[COMPARED_PROPERTY]
            del item[COMPARED_PROPERTY]


def compare(scene: bpy.types.Scene, text: bpy.types.Text, other: bpy.types.Text) -> bool:
    """Show the results of two takes side by side until `show_take`; False when one of them has none."""
    shown, beside = results_of_take(scene, text), results_of_take(scene, other)
    if not shown or not beside:
        return False
    show_take(scene, text)
    for item in beside:
        item.hide_viewport = item.hide_render = False
        # The artist may have placed it: what is added here is taken back to the value before.
        item[COMPARED_PROPERTY] = item.delta_location[:]
        item.delta_location.x += 2 * HEAD_SIZE
    return True
