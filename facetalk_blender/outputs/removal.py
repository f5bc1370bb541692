"""Removing results with everything that was made for them, in pieces where there is much of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import bpy

from ..blender_data.datablocks import remove_unused, remove_unused_node_groups, resolve, run_to_end
from ..hair import worn
from ..look.bust import take_off
from ..sound.strip_link import STRIP_PROPERTY
from . import curve_action
from .result import FRAMES_PROPERTY, UNFINISHED_PROPERTY, results_of

FRAMES_AT_ONCE = 8  # removed in one piece


def remove_unfinished() -> int:
    """Remove results that nobody is making any more, and say how many; their takes can make them again."""
    unfinished = [item for item in bpy.data.objects if UNFINISHED_PROPERTY in item and item.library is None]
    for item in unfinished:
        remove_result(item)
    return len(unfinished)


def remove_result(result: bpy.types.Object) -> None:
    """Remove a result with everything that was made for it, but not its take."""
    run_to_end(result_removal(result))


def result_removal(result: bpy.types.Object) -> Iterator[None]:
    """The same in pieces; what is seen goes with the first."""
    frames = result.get(FRAMES_PROPERTY)
    trees = [modifier.node_group for modifier in result.modifiers if modifier.type == "NODES" and modifier.node_group]
    caches = [modifier.cache_file for modifier in result.modifiers if modifier.type == "MESH_SEQUENCE_CACHE"]
    mesh = result.data
    actions = [action for action, _ in curve_action.uses(mesh.shape_keys)] if mesh.shape_keys else []
    take_off(result, _heir(result))
    places = worn.forget(result)
    bpy.data.objects.remove(result)
    remove_unused(bpy.data.meshes, [mesh, *places])
    remove_unused(bpy.data.actions, actions)
    remove_unused_players(trees, caches)
    if isinstance(frames, bpy.types.Collection):
        yield from collection_removal(frames.session_uid)


def _heir(result: bpy.types.Object) -> bpy.types.Object | None:
    """Another result of the same strip, for what hangs on this one; rather one that is shown."""
    others = [item for scene in result.users_scene for item in results_of(scene, result.get(STRIP_PROPERTY, ""))]
    others = sorted((item for item in others if item != result), key=lambda item: item.hide_render)
    return next(iter(others), None)


def collection_removal(session_uid: int) -> Iterator[None]:
    """Remove the collection of a result's frames in pieces."""
    yield from frame_removal(session_uid, 0)
    bpy.data.collections.remove(resolve(bpy.data.collections, session_uid))


def frame_removal(session_uid: int, start: int) -> Iterator[None]:
    """Remove a collection's frames from position `start` on in pieces, with meshes that nothing else uses."""
    while len(objects := resolve(bpy.data.collections, session_uid).objects) > start:
        frames = objects[start:][-FRAMES_AT_ONCE:]
        meshes = {item.data for item in frames}
        bpy.data.batch_remove(frames)
        bpy.data.batch_remove([mesh for mesh in meshes if mesh.users == 0])
        yield


def remove_unused_players(trees: Iterable[bpy.types.NodeTree], caches: Iterable[bpy.types.CacheFile | None]) -> None:
    """Remove node groups with the groups in them, and cache files, that nothing uses; never what is on disk."""
    remove_unused_node_groups(trees)
    bpy.data.batch_remove([cache for cache in caches if cache and cache.users == 0])
