"""The head's pose: a modifier of stock nodes bends the neck and turns the head as the take says.

Its six numbers are driven by the strip like all else that plays, so nothing of the extension is needed. The lower end
of the neck stays, and with it the shirt. The artist may change the modifier's Amount, or animate it.
"""

from __future__ import annotations

import bpy
import numpy as np
from bpy.types import NodeSocket, NodeTree

from ...engine.shared.pose import NECK_BASE, NECK_LOWER, NECK_UPPER, POSE_NAMES, RISE_IN_FRONT, THROAT
from ..blender_data.nodes import add_math, add_node, new_modifier_tree
from ..sound.strip_link import STRIP_PROPERTY
from .take_driver import drive_by_take

MODIFIER_NAME = "FaceTalk Head Pose"
AMOUNT = "Amount"
REST_SECONDS = 0.6  # within which the head comes from its rest and goes to it: slower than the face
LARGEST_AMOUNT = 2.0


def add(owner: bpy.types.Object, scene: bpy.types.Scene, audio_start: float, pose: np.ndarray, rate: float) -> None:
    """Move a result by a head pose (N, 6), see `engine.shared.pose`, of `rate` rows a second.

    audio_start: the second of the sound file that its first row belongs to.
    """
    tree = _build(f"{owner.name} Head Pose")
    owner.modifiers.new(MODIFIER_NAME, "NODES").node_group = tree
    end = (len(pose) - 1) / rate
    seconds = np.concatenate([[-REST_SECONDS], np.arange(len(pose)) / rate, [end + REST_SECONDS]])
    for name, column in zip(POSE_NAMES, pose.T, strict=True):
        points = list(zip(seconds.tolist(), [0.0, *column.tolist(), 0.0], strict=True))
        path = f'nodes["{name}"].outputs[0].default_value'
        drive_by_take(tree, path, scene, owner[STRIP_PROPERTY], audio_start, end, points, "BEZIER")


def _build(name: str) -> NodeTree:
    """Every point turned about the base of the neck by its share of the pose: `engine.shared.pose.posed`."""
    tree, geometry = new_modifier_tree(name)
    amount = tree.interface.new_socket(AMOUNT, in_out="INPUT", socket_type="NodeSocketFloat")
    amount.default_value, amount.min_value, amount.max_value = 1.0, 0.0, LARGEST_AMOUNT
    position = add_node(tree, "GeometryNodeInputPosition").outputs[0]
    share = add_math(tree, "MULTIPLY", _bend(tree, position), geometry.node.outputs[AMOUNT])
    values = {name: add_node(tree, "ShaderNodeValue", name=name, label=name).outputs[0] for name in POSE_NAMES}
    moved = position
    for name, axis in (("roll", "Y_AXIS"), ("pitch", "X_AXIS"), ("yaw", "Z_AXIS")):
        angle = add_math(tree, "MULTIPLY", add_math(tree, "RADIANS", values[name]), share)
        moved = _turned(tree, moved, axis, angle)
    metres = add_node(tree, "ShaderNodeCombineXYZ", *(values[name] for name in "xyz")).outputs[0]
    scale = add_math(tree, "MULTIPLY", share, 0.001)
    shift = add_node(tree, "ShaderNodeVectorMath", metres, operation="SCALE")
    tree.links.new(scale, shift.inputs["Scale"])
    moved = add_node(tree, "ShaderNodeVectorMath", moved, shift.outputs[0], operation="ADD").outputs[0]
    placed = add_node(tree, "GeometryNodeSetPosition", geometry)
    tree.links.new(moved, placed.inputs["Position"])
    add_node(tree, "NodeGroupOutput", placed.outputs[0])
    return tree


def _bend(tree: NodeTree, position: NodeSocket) -> NodeSocket:
    """Share of the pose that a point takes part in: `engine.shared.pose.bend`."""
    _, y, z = add_node(tree, "ShaderNodeSeparateXYZ", position).outputs
    in_front = add_math(tree, "MAXIMUM", add_math(tree, "SUBTRACT", THROAT, y), 0.0)
    height = add_math(tree, "MULTIPLY_ADD", in_front, RISE_IN_FRONT, z)
    ends = (height, NECK_LOWER, NECK_UPPER, 0.0, 1.0)
    return add_node(tree, "ShaderNodeMapRange", *ends, interpolation_type="SMOOTHSTEP").outputs[0]


def _turned(tree: NodeTree, vector: NodeSocket, axis: str, angle: NodeSocket) -> NodeSocket:
    node = add_node(tree, "ShaderNodeVectorRotate", vector, NECK_BASE, rotation_type=axis)
    tree.links.new(angle, node.inputs["Angle"])
    return node.outputs[0]
