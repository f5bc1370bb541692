"""The object that a generation leaves in the scene: how it is found, replaced and told from the artist's own."""

from __future__ import annotations

from collections.abc import Iterable

import bpy
from mathutils import Vector

from .. import take
from ..playback import STRIP_PROPERTY
from ..sound_strip import Clip

HEAD_SIZE = 0.2  # metres from the head's origin to its farthest point, rounded up
FRAMES_PROPERTY = "facetalk_frames"  # on a result of frame meshes: the collection of its frames


class ResultLost(Exception):
    """The object or scene that a generation writes to has been deleted or undone."""


def resolve(collection: bpy.types.bpy_prop_collection, session_uid: int) -> bpy.types.ID:
    """A data-block by its session_uid. Raises ResultLost when it is gone."""
    for item in collection:
        if item.session_uid == session_uid:
            return item
    raise ResultLost


def results_of(scene: bpy.types.Scene, strip_name: str) -> list[bpy.types.Object]:
    """The scene's earlier results for a sound strip."""
    return [item for item in scene.objects if item.get(STRIP_PROPERTY) == strip_name]


def new_result(scene: bpy.types.Scene, strip_name: str) -> bpy.types.Object:
    """An empty mesh object in the scene, marked as speaking a strip; earlier results are hidden meanwhile."""
    name = f"FaceTalk {strip_name}"
    place = _free_place(scene)
    result = bpy.data.objects.new(name, bpy.data.meshes.new(name))
    scene.collection.objects.link(result)
    earlier = results_of(scene, strip_name)
    if earlier:
        result.parent = earlier[0].parent
        result.matrix_parent_inverse = earlier[0].matrix_parent_inverse
        result.matrix_basis = earlier[0].matrix_basis
    else:
        result.location = place
    for item in earlier:
        item.hide_viewport = item.hide_render = True
    result[STRIP_PROPERTY] = strip_name
    return result


def _free_place(scene: bpy.types.Scene) -> Vector:
    """The 3D cursor, or a place beside the meshes that enclose it: a head inside the default cube is not seen."""
    place = scene.cursor.location.copy()
    for item in scene.objects:
        if item.type == "MESH" and item.visible_get(view_layer=scene.view_layers[0]):
            corners = [item.matrix_world @ Vector(corner) for corner in item.bound_box]
            low, high = (Vector(map(pick, zip(*corners, strict=True))) for pick in (min, max))
            if all(low[axis] - HEAD_SIZE < place[axis] < high[axis] + HEAD_SIZE for axis in range(3)):
                place.x = high.x + 2 * HEAD_SIZE
    return place


def replace_earlier(scene: bpy.types.Scene, result: bpy.types.Object) -> None:
    """Remove the earlier results for the same strip, now that the new one is complete."""
    strip_name = result[STRIP_PROPERTY]
    for item in results_of(scene, strip_name):
        if item != result:
            remove_result(item)
    result.name = f"FaceTalk {strip_name}"


def show_earlier(scene: bpy.types.Scene, strip_name: str) -> None:
    """Show the earlier results for a strip again, after a generation was given up."""
    for item in results_of(scene, strip_name):
        item.hide_viewport = item.hide_render = False


def remove_result(result: bpy.types.Object) -> None:
    """Remove a result with everything that was made for it."""
    frames = result.get(FRAMES_PROPERTY)
    trees = [modifier.node_group for modifier in result.modifiers if modifier.type == "NODES" and modifier.node_group]
    mesh = result.data
    action = mesh.shape_keys.animation_data.action if mesh.shape_keys and mesh.shape_keys.animation_data else None
    take.remove(result)
    bpy.data.objects.remove(result)
    _remove_unused(bpy.data.meshes, [mesh])
    _remove_unused(bpy.data.node_groups, trees)
    _remove_unused(bpy.data.actions, [action] if action else [])
    if isinstance(frames, bpy.types.Collection):
        remove_frames(frames, 0)
        bpy.data.collections.remove(frames)


def remove_frames(frames: bpy.types.Collection, start: int) -> None:
    """Remove the frame objects of a collection, with their meshes, from position `start` on."""
    objects = list(frames.objects)[start:]
    meshes = [item.data for item in objects]
    bpy.data.batch_remove([*objects, *(mesh for mesh in meshes if mesh.users == 1)])


def _remove_unused(collection: bpy.types.bpy_prop_collection, items: Iterable[bpy.types.ID]) -> None:
    for item in items:
        if item.users == 0:
            collection.remove(item)


class ResultWriter:
    """What every output shares: the object it writes. Data-blocks are looked up at every call, never held."""

    def __init__(self, scene: bpy.types.Scene, clip: Clip):
        self._scene = scene.session_uid
        self._clip = clip
        self._written = 0
        self._result = new_result(scene, clip.strip_name).session_uid

    @property
    def written(self) -> int:
        """How many frames have been written."""
        return self._written

    def result(self) -> bpy.types.Object:
        """The object in the scene. Raises ResultLost when it is gone."""
        found = resolve(bpy.data.objects, self._result)
        if found.name not in resolve(bpy.data.scenes, self._scene).objects:
            raise ResultLost
        return found

    def discard(self) -> None:
        """Remove everything that was written and show earlier results again."""
        try:
            remove_result(resolve(bpy.data.objects, self._result))
        except ResultLost:
            pass
        for scene in bpy.data.scenes:
            if scene.session_uid == self._scene:
                show_earlier(scene, self._clip.strip_name)
