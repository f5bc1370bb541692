"""Frame Meshes: one mesh per scene frame, played by a geometry-nodes modifier made of stock nodes.

Scene Time picks an object through an Index Switch, Object Info brings its mesh. Nothing of the extension is needed
to play, scrub or render.
"""

from __future__ import annotations

import time

import bpy

from ...engine.protocol import Message
from .. import appearance, playback
from ..material import head_material
from ..sound_strip import Clip
from . import result
from .mesh_building import fill_mesh

FRAMES_COLLECTION = "FaceTalk Frames"


class FrameMeshes(result.ResultWriter):
    """Writes one generation."""

    request_kind = "surfaces"

    def __init__(self, scene: bpy.types.Scene, clip: Clip, frames: range):
        super().__init__(scene, clip)
        self._scene_frames = frames
        self._slots: list[int] = []  # session_uid of each frame's mesh
        created = self.result()
        self._collection = self._add_collection(scene, created).session_uid
        self._tree = self._add_player(scene, created).session_uid

    @property
    def frame_count(self) -> int:
        """How many frames this output has when complete."""
        return len(self._scene_frames)

    @property
    def times(self) -> list[float]:
        """Seconds from the start of the take, of every frame."""
        return [self._clip.time_of(frame) for frame in self._scene_frames]

    def prepare(self, seconds: float) -> bool:
        """Make room for frames for at most about `seconds`; True once there is room for all."""
        deadline = time.perf_counter() + seconds
        owner = self.result()
        collection = result.resolve(bpy.data.collections, self._collection)
        switch = result.resolve(bpy.data.node_groups, self._tree).nodes["Index Switch"]
        while len(self._slots) < self.frame_count and time.perf_counter() < deadline:
            name = f"{owner.name} {self._scene_frames[len(self._slots)]:04d}"
            mesh = bpy.data.meshes.new(name)
            item = bpy.data.objects.new(name, mesh)
            collection.objects.link(item)
            if len(switch.index_switch_items) == len(self._slots):
                switch.index_switch_items.new()
            switch.inputs[len(self._slots) + 1].default_value = item
            self._slots.append(mesh.session_uid)
        return len(self._slots) == self.frame_count

    def write(self, message: Message) -> None:
        """Take a "surface" of the engine. Raises ResultLost when the object was deleted meanwhile."""
        if message.kind != "surface":
            return
        self.result()
        mesh = result.resolve(bpy.data.meshes, self._slots[int(message.fields["index"])])
        fill_mesh(mesh, message.arrays["vertices"], message.arrays["faces"])
        names = message.fields["region_names"]
        appearance.write(mesh, appearance.vertex_appearance(message.arrays["regions"], names))
        self._written += 1

    def finish(self) -> bpy.types.Object:
        """Drop the room of frames that never came, replace earlier results and return the object."""
        owner = self.result()
        scene = result.resolve(bpy.data.scenes, self._scene)
        tree = result.resolve(bpy.data.node_groups, self._tree)
        tree.nodes["Last Frame"].inputs["Max"].default_value = self._written - 1
        items = tree.nodes["Index Switch"].index_switch_items
        while len(items) > max(self._written, 1):
            items.remove(items[-1])
        result.remove_frames(result.resolve(bpy.data.collections, self._collection), self._written)
        result.replace_earlier(scene, owner)
        return owner

    def discard(self) -> None:
        """Remove everything that was written and show earlier results again."""
        super().discard()
        try:
            # Still there when the object was deleted by someone else.
            collection = result.resolve(bpy.data.collections, self._collection)
        except result.ResultLost:
            return
        result.remove_frames(collection, 0)
        bpy.data.collections.remove(collection)

    def _add_collection(self, scene: bpy.types.Scene, owner: bpy.types.Object) -> bpy.types.Collection:
        collection = bpy.data.collections.new(f"{owner.name} Frames")
        # Hidden for good: these objects exist only to be picked by the player.
        collection.hide_viewport = collection.hide_render = True
        scene.collection.children.link(collection)
        owner[result.FRAMES_PROPERTY] = collection
        return collection

    def _add_player(self, scene: bpy.types.Scene, owner: bpy.types.Object) -> bpy.types.NodeTree:
        tree = build_player(f"{owner.name} Player", self.frame_count)
        owner.modifiers.new("FaceTalk Player", "NODES").node_group = tree
        first = self._scene_frames[0]
        tree.nodes["Start Frame"].outputs[0].default_value = float(first)
        offset = first - self._clip.frame_zero + self._clip.content_offset
        path = 'nodes["%s"].outputs[0].default_value'
        playback.drive_from_strip(tree, path % "Start Frame", scene, self._clip, offset)
        playback.drive_from_frame_rate(tree, path % "Speed", scene, self._clip.frames_per_second)
        return tree


def build_player(name: str, frame_count: int) -> bpy.types.NodeTree:
    """The player: Scene Time -> Index Switch -> Object Info -> Set Material, frames clamped to 0..frame_count - 1."""
    tree = bpy.data.node_groups.new(name, "GeometryNodeTree")
    tree.is_modifier = True
    material = tree.interface.new_socket("Material", in_out="INPUT", socket_type="NodeSocketMaterial")
    material.default_value = head_material()
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    given = tree.nodes.new("NodeGroupInput").outputs

    def node(kind: str, *inputs, **properties) -> bpy.types.Node:
        added = tree.nodes.new(kind)
        added.location = (180.0 * len(tree.nodes), 0.0)
        for key, value in properties.items():
            setattr(added, key, value)
        for socket, value in zip(added.inputs, inputs, strict=False):
            if isinstance(value, bpy.types.NodeSocket):
                tree.links.new(value, socket)
            else:
                socket.default_value = value
        return added

    start, speed = (node("ShaderNodeValue", name=name).outputs[0] for name in ("Start Frame", "Speed"))
    speed.default_value = 1.0
    now = node("GeometryNodeInputSceneTime").outputs["Frame"]
    elapsed = node("ShaderNodeMath", now, start, operation="SUBTRACT").outputs[0]
    # A little more than the product: whole frames must not fall below themselves by rounding.
    position = node("ShaderNodeMath", elapsed, speed, 1e-3, operation="MULTIPLY_ADD").outputs[0]
    held = node("ShaderNodeClamp", position, 0.0, float(frame_count - 1), name="Last Frame").outputs[0]
    index = node("FunctionNodeFloatToInt", held, rounding_mode="FLOOR").outputs[0]
    switch = node("GeometryNodeIndexSwitch", data_type="OBJECT", name="Index Switch")
    switch.index_switch_items.clear()
    tree.links.new(index, switch.inputs["Index"])
    picked = node("GeometryNodeObjectInfo", switch.outputs[0], transform_space="ORIGINAL")
    dressed = node("GeometryNodeSetMaterial", picked.outputs["Geometry"])
    tree.links.new(given["Material"], dressed.inputs["Material"])
    output = node("NodeGroupOutput")
    tree.links.new(dressed.outputs[0], output.inputs[0])
    return tree
