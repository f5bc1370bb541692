"""Writing results: what all outputs that make an object of their own share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import bpy
import numpy as np
from mathutils import Vector

from ..blender_data.datablocks import DataBlockLost, resolve
from ..look import face_detail
from ..sound.strip import Clip
from ..sound.strip_link import LINK_PROPERTY, STRIP_PROPERTY, connect
from ..takes.take import TAKE_PROPERTY
from . import head_pose
from .removal import remove_result, result_removal
from .result import HEAD_SIZE, UNFINISHED_PROPERTY, results_of, results_of_take

BYTES_PER_VERTEX = 148  # of a mesh with its edges, polygons and attributes, measured with the starter model
BYTES_PER_KEY = 12  # and vertex, of a shape key


class ResultWriter:
    """What every output shares: the object it writes. Data-blocks are looked up at every call, never held.

    The strip's other results are hidden meanwhile. text: the take that is made into the result.
    """

    request_kind: str  # what the engine is asked for
    makes_head = True  # else it moves meshes that are there already
    pose: tuple[np.ndarray, float] | None = None  # of the head (N, 6), and how many rows of it a second has
    notes: Sequence[str] = ()  # what the artist should know about the finished result

    def __init__(self, scene: bpy.types.Scene, clip: Clip, text: bpy.types.Text):
        self._scene = scene.session_uid
        self._clip = clip
        self._written = 0
        earlier = results_of(scene, clip.strip_name)
        self._hidden = {item.session_uid: (item.hide_viewport, item.hide_render) for item in earlier}
        self._hide_earlier()
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
        keys = len(mesh.shape_keys.key_blocks) if mesh.shape_keys else 0
        return (BYTES_PER_VERTEX + BYTES_PER_KEY * keys) * len(mesh.vertices)

    def finish(self) -> Iterator[None]:
        """Complete the object in pieces, and remove earlier results of the same take."""
        owner = self.result()
        scene = resolve(bpy.data.scenes, self._scene)
        made = results_of_take(scene, owner[TAKE_PROPERTY])
        for session_uid in [item.session_uid for item in made if item != owner]:
            yield from result_removal(resolve(bpy.data.objects, session_uid))
        owner = self.result()
        if self.pose is not None:
            head_pose.add(owner, resolve(bpy.data.scenes, self._scene), self._clip.audio_start, *self.pose)
        if self.makes_head:
            face_detail.add(owner)
        del owner[UNFINISHED_PROPERTY]
        owner.name = f"FaceTalk {self._clip.strip_name}"

    def discard(self) -> None:
        """Remove everything that was written; results that it had hidden are as the artist left them."""
        try:
            remove_result(resolve(bpy.data.objects, self._result))
        except DataBlockLost:
            pass
        self._show_earlier()

    def stand_back(self) -> None:
        """Show the scene as it was before: the result is not finished, and a file must not look so."""
        for item in self._own():
            item.hide_viewport = item.hide_render = True
        self._show_earlier()

    def come_forward(self) -> None:
        """Show what is being written again."""
        self._hide_earlier()
        for item in self._own():
            item.hide_viewport = item.hide_render = False

    def _own(self) -> list[bpy.types.Object]:
        return [item for item in bpy.data.objects if item.session_uid == self._result]

    def _hide_earlier(self) -> None:
        for item in bpy.data.objects:
            if item.session_uid in self._hidden:
                item.hide_viewport = item.hide_render = True

    def _show_earlier(self) -> None:
        for item in bpy.data.objects:
            if item.session_uid in self._hidden:
                item.hide_viewport, item.hide_render = self._hidden[item.session_uid]


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
    result[LINK_PROPERTY] = connect(scene, strip_name)
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
