"""The object that a generation leaves in the scene: how it is found, replaced and told from the artist's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import bpy
from mathutils import Vector

from ..blender_data.datablocks import DataBlockLost, remove_unused, remove_unused_node_groups, resolve, run_to_end
from ..sound.link import STRIP_PROPERTY
from ..sound.strip import Clip
from ..takes.take import TAKE_PROPERTY
from . import curve_action

FRAMES_AT_ONCE = 8  # removed in one piece
HEAD_SIZE = 0.2  # metres from the head's origin to its farthest point, rounded up
FRAMES_PROPERTY = "facetalk_frames"  # on a result of frame meshes: the collection of its frames
FRAME_PROPERTY = "facetalk_frame"  # on the object of a frame: its scene frame when it was made
LOOK_PROPERTY = "facetalk_look"  # on a result of frame meshes: two of the same look may share meshes
COMPARED_PROPERTY = "facetalk_compared"  # on a result that stands aside to be compared: delta location before
UNFINISHED_PROPERTY = "facetalk_unfinished"  # on a result while it is being made


def results_of(scene: bpy.types.Scene, strip_name: str) -> list[bpy.types.Object]:
    """The scene's results for a sound strip; linked and overridden objects are somebody else's."""
    own = (item for item in scene.objects if item.library is None and item.override_library is None)
    return [item for item in own if item.get(STRIP_PROPERTY) == strip_name]


def results_of_take(scene: bpy.types.Scene, text: bpy.types.Text) -> list[bpy.types.Object]:
    """The scene's results that were made from a take."""
    return [item for item in results_of(scene, text[STRIP_PROPERTY]) if item.get(TAKE_PROPERTY) == text]


def kept_meshes(scene: bpy.types.Scene, text: bpy.types.Text, frames: Iterable[int], look: str) -> dict[int, int]:
    """session_uids of the meshes of scene frames in the frame meshes of a take; none when these look otherwise."""
    for item in results_of_take(scene, text):
        collection = item.get(FRAMES_PROPERTY)
        if isinstance(collection, bpy.types.Collection) and item.get(LOOK_PROPERTY) == look:
            by_frame = {frame.get(FRAME_PROPERTY): frame.data.session_uid for frame in collection.objects}
            return {frame: by_frame[frame] for frame in frames if frame in by_frame}
    return {}


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


def new_result(scene: bpy.types.Scene, strip_name: str, text: bpy.types.Text) -> bpy.types.Object:
    """An empty mesh object in the scene, made from a take, in the place of the strip's earlier results."""
    name = f"FaceTalk {strip_name}"
    place = _free_place(scene)
    earlier = results_of(scene, strip_name)
    result = bpy.data.objects.new(name, bpy.data.meshes.new(name))
    scene.collection.objects.link(result)
    if earlier:
        result.parent = earlier[0].parent
        result.matrix_parent_inverse = earlier[0].matrix_parent_inverse
        result.matrix_basis = earlier[0].matrix_basis
    else:
        result.location = place
    result[STRIP_PROPERTY], result[TAKE_PROPERTY] = strip_name, text
    result[UNFINISHED_PROPERTY] = True
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


def remove_unfinished() -> None:
    """Remove results that were saved while they were being made; their takes can make them again."""
    for item in [item for item in bpy.data.objects if UNFINISHED_PROPERTY in item and item.library is None]:
        remove_result(item)


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
    bpy.data.objects.remove(result)
    remove_unused(bpy.data.meshes, [mesh])
    remove_unused(bpy.data.actions, actions)
    remove_unused_players(trees, caches)
    if isinstance(frames, bpy.types.Collection):
        yield from collection_removal(frames.session_uid)


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


class ResultWriter:
    """What every output shares: the object it writes. Data-blocks are looked up at every call, never held.

    The strip's other results are hidden meanwhile. text: the take that is made into the result.
    """

    request_kind: str  # what the engine is asked for
    makes_head = True  # else it moves meshes that are there already
    notes: Sequence[str] = ()  # what the artist should know about the finished result

    def __init__(self, scene: bpy.types.Scene, clip: Clip, text: bpy.types.Text):
        self._scene = scene.session_uid
        self._clip = clip
        self._written = 0
        self._hidden: dict[int, tuple[bool, bool]] = {}
        for item in results_of(scene, clip.strip_name):
            self._hidden[item.session_uid] = item.hide_viewport, item.hide_render
            item.hide_viewport = item.hide_render = True
        self._result = new_result(scene, clip.strip_name, text).session_uid

    @property
    def written(self) -> int:
        """How many frames have been written."""
        return self._written

    @property
    def ready(self) -> bool:
        """Whether another message can be taken."""
        return True

    def prepare(self, seconds: float) -> bool:
        """Make room for frames for at most about `seconds`; True once there is room for all."""
        return True

    def work(self, deadline: float) -> bool:
        """Go on with what was taken until `time.perf_counter()` reaches the deadline; True when nothing is left."""
        return True

    def result(self) -> bpy.types.Object:
        """The object in the scene. Raises DataBlockLost when it is gone."""
        found = resolve(bpy.data.objects, self._result)
        if found.name not in resolve(bpy.data.scenes, self._scene).objects:
            raise DataBlockLost
        return found

    def size(self) -> int:
        """About how many bytes of memory the finished result takes."""
        mesh = self.result().data
        return 12 * len(mesh.vertices) * (1 + self._written)

    def finish(self) -> Iterator[None]:
        """Complete the object in pieces, and remove earlier results of the same take."""
        owner = self.result()
        scene = resolve(bpy.data.scenes, self._scene)
        made = results_of_take(scene, owner[TAKE_PROPERTY])
        for session_uid in [item.session_uid for item in made if item != owner]:
            yield from result_removal(resolve(bpy.data.objects, session_uid))
        owner = self.result()
        del owner[UNFINISHED_PROPERTY]
        owner.name = f"FaceTalk {self._clip.strip_name}"

    def discard(self) -> None:
        """Remove everything that was written; results that it had hidden are as the artist left them."""
        try:
            remove_result(resolve(bpy.data.objects, self._result))
        except DataBlockLost:
            pass
        for item in bpy.data.objects:
            if item.session_uid in self._hidden:
                item.hide_viewport, item.hide_render = self._hidden[item.session_uid]
