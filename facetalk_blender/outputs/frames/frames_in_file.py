"""Frames as meshes in the file, each on an object of its own, of which a modifier picks one (`frame_player`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import bpy

from ...blender_data.datablocks import resolve, run_to_end
from ...blender_data.mesh_building import Geometry, mesh_pieces, with_edges_of_corners
from ...look import appearance
from ...look.material import add_materials
from ...sound import playback
from ...sound.strip_link import STRIP_PROPERTY
from ..removal import collection_removal, frame_removal, remove_unused_players
from ..result import FRAMES_PROPERTY, results_of_take
from ..result_writer import BYTES_PER_VERTEX
from .frame_coherence import Coherence
from .frame_player import build_player, set_frame
from .frame_timing import REST, Timing
from .frame_writer import LOOK_PROPERTY, PLAYER_NAME, FrameWriter
from .region_groups import name_groups
from .usd_frame import FrameMesh

FRAME_PROPERTY = "facetalk_frame"  # on the object of a frame: its scene frame when it was made
OBJECTS_AT_ONCE = 64  # given another mesh in one piece


class FramesInFile(FrameWriter):
    """A mesh object for every frame, in a hidden collection.

    kept: session_uids of meshes, by position, that are used again; these frames need not come.
    coherent: see `FrameStorage`.
    """

    def __init__(
        self,
        scene: bpy.types.Scene,
        owner: bpy.types.Object,
        timing: Timing,
        kept: dict[int, int] | None = None,
        coherent: bool = False,
    ):
        super().__init__(scene, owner, timing)
        self._kept = kept or {}
        self.written = len(self._kept)
        self._coherence = Coherence() if coherent else None  # of frames in the order in which they come
        self._slots: list[int] = []  # session_uid of each frame's object
        # Until its frame comes, every object shows the first one that came.
        self._placeholder: int | None = bpy.data.meshes.new(f"{owner.name} Placeholder").session_uid
        self._collection = self._add_collection(scene, owner).session_uid
        self._tree = self._add_player(scene, owner).session_uid

    @property
    def showable(self) -> bool:
        """Always: objects whose frames have not come show another."""
        return True

    def prepare(self, seconds: float) -> bool:
        """Make the objects of frames for at most about `seconds`; True once there are all."""
        deadline = time.perf_counter() + seconds
        owner = self._resolve_owner()
        collection = resolve(bpy.data.collections, self._collection)
        tree = resolve(bpy.data.node_groups, self._tree)
        placeholder = resolve(bpy.data.meshes, self._placeholder)
        while len(self._slots) < self.timing.count and time.perf_counter() < deadline:
            position = len(self._slots)
            frame = self.timing.first_frame + position
            kept = self._kept.get(position)
            mesh = placeholder if kept is None else resolve(bpy.data.meshes, kept)
            item = bpy.data.objects.new(f"{owner.name} {frame:04d}", mesh)
            item[FRAME_PROPERTY] = frame
            if kept is not None:
                name_groups(item)
            collection.objects.link(item)
            set_frame(tree, position, item)
            self._slots.append(item.session_uid)
        return len(self._slots) == self.timing.count

    def add(self, position: int, load: Callable[..., FrameMesh], *arguments) -> None:
        """Add a frame; `work` makes a mesh of it."""
        self._queue.add(self._mesh_pieces, _with_edges, self._coherence, position, load, *arguments)

    def attach(self) -> None:
        """Add the modifier."""
        owner = self._resolve_owner()
        owner[FRAMES_PROPERTY] = resolve(bpy.data.collections, self._collection)
        owner.modifiers.new(PLAYER_NAME, "NODES").node_group = resolve(bpy.data.node_groups, self._tree)

    def size(self) -> int:
        """About how many bytes of memory the meshes take."""
        frame = resolve(bpy.data.objects, self._slots[0])
        return BYTES_PER_VERTEX * len(frame.data.vertices) * self.written

    def finish(self) -> Iterator[None]:
        """Drop the room of frames that never came."""
        self._end_work()
        tree = resolve(bpy.data.node_groups, self._tree)
        tree.nodes["Last Frame"].inputs["Max"].default_value = self.written - 1
        tree.nodes["Rest"].outputs[0].default_value = self._rest()
        yield from frame_removal(self._collection, self.written)
        yield from super().finish()

    def discard(self) -> None:
        """Remove what is still there of the frames' objects and the player; they went with the object if it did."""
        self._end_work()
        trees = [tree for tree in bpy.data.node_groups if tree.session_uid == self._tree]
        remove_unused_players(trees, [])
        if any(collection.session_uid == self._collection for collection in bpy.data.collections):
            run_to_end(collection_removal(self._collection))

    def _mesh_pieces(self, position: int, geometry: Geometry, look: appearance.Look) -> Iterator[None]:
        name = f"{self._resolve_owner().name} {self.timing.first_frame + position:04d}"
        uid = yield from mesh_pieces(name, geometry)
        mesh = resolve(bpy.data.meshes, uid)
        appearance.write_values(mesh, look)
        yield
        add_materials(resolve(bpy.data.meshes, uid))
        yield
        if self._placeholder is not None:
            yield from self._replace_placeholder(uid)
        item = resolve(bpy.data.objects, self._slots[position])
        item.data = resolve(bpy.data.meshes, uid)
        name_groups(item)
        self.written += 1

    def _replace_placeholder(self, session_uid: int) -> Iterator[None]:
        """Let all objects that wait for their frame show a mesh."""
        while True:
            placeholder = resolve(bpy.data.meshes, self._placeholder)
            frames = resolve(bpy.data.collections, self._collection).objects
            waiting = [item for item in frames if item.data == placeholder][:OBJECTS_AT_ONCE]
            if not waiting:
                break
            mesh = resolve(bpy.data.meshes, session_uid)
            for item in waiting:
                item.data = mesh
            yield
        bpy.data.meshes.remove(placeholder)
        self._placeholder = None

    def _end_work(self) -> None:
        self._queue.end()
        for mesh in bpy.data.meshes:
            if mesh.session_uid == self._placeholder and mesh.users == 0:
                bpy.data.meshes.remove(mesh)
                break

    def _add_collection(self, scene: bpy.types.Scene, owner: bpy.types.Object) -> bpy.types.Collection:
        collection = bpy.data.collections.new(f"{owner.name} Frames")
        # Hidden for good, and not in a view layer either: these objects exist only to be picked by the player.
        collection.hide_viewport = collection.hide_render = True
        scene.collection.children.link(collection)
        for layer in scene.view_layers:
            layer.layer_collection.children[collection.name].exclude = True
        return collection

    def _add_player(self, scene: bpy.types.Scene, owner: bpy.types.Object) -> bpy.types.NodeTree:
        tree = build_player(f"{owner.name} Player", self.timing.count, self.timing.rest)
        expressions = {
            "Start Frame": playback.FRAME_OF_FILE_TIME.format(self.timing.first_heard),
            "Speed": f"{self.timing.rate:.6f} * base / fps",
            "First Heard": "left",
            "Last Heard": "right - 1",
            "Heard": "1 - mute",
        }
        for name, expression in expressions.items():
            path = f'nodes["{name}"].outputs[0].default_value'
            playback.drive(tree, path, scene, owner[STRIP_PROPERTY], expression)
        tree.nodes["Rest"].outputs[0].default_value = 0.0  # until the head at rest has come
        return tree


def kept_meshes(scene: bpy.types.Scene, text: bpy.types.Text, frames: Iterable[int], look: str) -> dict[int, int]:
    """session_uids of the meshes of scene frames, and at REST, of a take's frame meshes; none of another look."""
    for item in results_of_take(scene, text):
        collection = item.get(FRAMES_PROPERTY)
        if isinstance(collection, bpy.types.Collection) and item.get(LOOK_PROPERTY) == look:
            by_frame = {frame.get(FRAME_PROPERTY): frame.data.session_uid for frame in collection.objects}
            rest = {}
            if (timing := Timing.of_owner(item)) is not None and timing.rest:
                rest = {REST: by_frame.pop(timing.first_frame + timing.spoken)}
            return {frame: by_frame[frame] for frame in frames if frame in by_frame} | rest
    return {}


def remove_player(owner: bpy.types.Object) -> Iterator[None]:
    """Take the modifier and the frames from a result in pieces; what is seen goes with the first."""
    modifier, frames = owner.modifiers[PLAYER_NAME], owner[FRAMES_PROPERTY].session_uid
    tree = modifier.node_group
    owner.modifiers.remove(modifier)
    del owner[FRAMES_PROPERTY]
    remove_unused_players([tree], [])
    yield
    yield from collection_removal(frames)


def part_player(owner: bpy.types.Object) -> None:
    """Give the copy of a result a player of its own, which picks the copies of the frames."""
    frames, modifier = owner.get(FRAMES_PROPERTY), owner.modifiers.get(PLAYER_NAME)
    if not isinstance(frames, bpy.types.Collection) or modifier is None or modifier.node_group.users < 2:
        return
    by_frame = {item.get(FRAME_PROPERTY): item for item in frames.objects}
    tree = modifier.node_group.copy()
    for node in (node for node in tree.nodes if node.type == "GROUP"):
        node.node_tree = node.node_tree.copy()
        for socket in node.node_tree.nodes["Index Switch"].inputs:
            if socket.type == "OBJECT" and socket.default_value is not None:
                socket.default_value = by_frame.get(socket.default_value.get(FRAME_PROPERTY))
    modifier.node_group = tree


def _with_edges(
    coherence: Coherence | None, position: int, load: Callable[..., FrameMesh], *arguments
) -> tuple[int, Geometry, appearance.Look]:
    """A frame as arrays that go into a mesh unchanged. NumPy only: a worker thread calls it."""
    frame = load(*arguments)
    frame = coherence.followed(frame) if coherence else frame.of_quads()
    geometry = with_edges_of_corners(frame.vertices, frame.corners, frame.starts)
    if coherence is None:
        return position, geometry, frame.look
    edges, corner_edges = coherence.edges(geometry.edges, geometry.corner_edges)
    return position, replace(geometry, edges=edges, corner_edges=corner_edges), frame.look
