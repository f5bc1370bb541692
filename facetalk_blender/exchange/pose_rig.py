"""A head that turns by a modifier of nodes turns by a bone while it is written to a format that knows no such modifier.

The bone stands at the base of the neck, and the vertices follow it by the share that the modifier gives them. Skinning
blends places where the modifier blends angles, which is less than a millimetre at what heads do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...engine.shared.pose import NECK_BASE, POSE_NAMES, bend, rotations
from .. import compat
from ..outputs.head_pose import AMOUNT, MODIFIER_NAME

NECK, HEAD = "FaceTalk Neck", "FaceTalk Head"  # bones, and the vertex groups that follow them
BONE_LENGTH = 0.1  # metres


@contextmanager
def pose_rigs(scene: bpy.types.Scene, items: list[bpy.types.Object]) -> Iterator[None]:
    """Give every head of the items a rig with its pose over the scene's frames; afterwards all is as it was."""
    posed = [item for item in items if item.modifiers.get(MODIFIER_NAME) is not None]
    tables = _poses(scene, posed)
    made: list[tuple[bpy.types.Object, bpy.types.Object]] = []
    try:
        for item in posed:
            made.append((item, _rig(scene, item)))
            _animate(scene, made[-1][1], tables[item.name])
        yield
    finally:
        for item, rig in made:
            _remove(item, rig)


def _poses(scene: bpy.types.Scene, items: list[bpy.types.Object]) -> dict[str, np.ndarray]:
    """Poses (F, 6) that the modifiers show over the scene's frames, by the items' names."""
    tables: dict[str, list[np.ndarray]] = {item.name: [] for item in items}
    frame = scene.frame_current, scene.frame_subframe
    for moment in range(scene.frame_start, scene.frame_end + 1) if items else ():
        scene.frame_set(moment)
        for item in items:
            modifier = item.modifiers[MODIFIER_NAME]
            nodes = modifier.node_group.nodes
            amount = compat.modifier_input(modifier, AMOUNT) if modifier.show_viewport else 0.0
            values = [nodes[name].outputs[0].default_value for name in POSE_NAMES]
            tables[item.name].append(amount * np.array(values, np.float32))
    scene.frame_set(frame[0], subframe=frame[1])
    return {name: np.array(rows) for name, rows in tables.items()}


def _rig(scene: bpy.types.Scene, item: bpy.types.Object) -> bpy.types.Object:
    rig = bpy.data.objects.new(f"{item.name} Rig", bpy.data.armatures.new(f"{item.name} Rig"))
    scene.collection.objects.link(rig)
    rig.matrix_world = item.matrix_world
    layer = bpy.context.view_layer
    active, layer.objects.active = layer.objects.active, rig
    bpy.ops.object.mode_set(mode="EDIT")
    for name in (NECK, HEAD):
        bone = rig.data.edit_bones.new(name)
        bone.head, bone.tail = Vector(NECK_BASE), Vector(NECK_BASE) + Vector((0, 0, BONE_LENGTH))
    bpy.ops.object.mode_set(mode="OBJECT")
    layer.objects.active = active
    count = len(item.data.vertices)
    places = np.empty(3 * count, np.float32)
    item.data.vertices.foreach_get("co", places)
    share = bend(places.reshape(-1, 3))
    for name, weights in ((NECK, 1 - share), (HEAD, share)):
        group = item.vertex_groups.new(name=name)
        for index in np.flatnonzero(weights > 1e-4):
            group.add([int(index)], float(weights[index]), "REPLACE")
    item.modifiers.new(HEAD, "ARMATURE").object = rig
    return rig


def _animate(scene: bpy.types.Scene, rig: bpy.types.Object, table: np.ndarray) -> None:
    bone = rig.pose.bones[HEAD]
    bone.rotation_mode = "QUATERNION"
    rest, pivot = rig.data.bones[HEAD].matrix_local, Vector(NECK_BASE)
    for frame, (pose, turn) in enumerate(zip(table, rotations(table), strict=True), scene.frame_start):
        moved = Matrix.Translation(pivot + Vector(pose[3:] / 1000)) @ Matrix(turn.tolist()).to_4x4()
        bone.matrix_basis = rest.inverted() @ moved @ Matrix.Translation(-pivot) @ rest
        bone.keyframe_insert("location", frame=frame)
        bone.keyframe_insert("rotation_quaternion", frame=frame)


def _remove(item: bpy.types.Object, rig: bpy.types.Object) -> None:
    item.modifiers.remove(item.modifiers[HEAD])
    for name in (NECK, HEAD):
        item.vertex_groups.remove(item.vertex_groups[name])
    data, action = rig.data, rig.animation_data.action if rig.animation_data else None
    bpy.data.objects.remove(rig)
    bpy.data.armatures.remove(data)
    if action is not None:
        bpy.data.actions.remove(action)
