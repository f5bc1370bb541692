"""What makes vertices of a cached frame's whole numbers: a modifier of stock nodes below the Mesh Sequence Cache.

Frames of an earlier version, which hold places, pass unchanged.
"""

from __future__ import annotations

import bpy

from ... import compat
from ...blender_data.datablocks import remove_unused_node_groups
from ...blender_data.nodes import add_node, new_modifier_tree
from ...look.appearance import REST_ATTRIBUTE
from .frame_writer import PLAYER_NAME
from .usd_frame import PACKED_PREFIX, PLACE_ATTRIBUTES, PLACE_STEP, REST_ATTRIBUTES, REST_STEP

MODIFIER_NAME = "FaceTalk Unpacking"  # of the node tree too


def add_unpacking(owner: bpy.types.Object) -> None:
    """Have the modifier follow the player."""
    modifiers = owner.modifiers
    if MODIFIER_NAME not in modifiers:
        modifiers.new(MODIFIER_NAME, "NODES").node_group = bpy.data.node_groups.get(MODIFIER_NAME) or _build()
    now, player = modifiers.find(MODIFIER_NAME), modifiers.find(PLAYER_NAME)
    modifiers.move(now, player + (now > player))


def remove_unpacking(owner: bpy.types.Object) -> None:
    """Take the modifier from an object that shows no cached frames any more."""
    if (modifier := owner.modifiers.get(MODIFIER_NAME)) is not None:
        tree = modifier.node_group
        owner.modifiers.remove(modifier)
        remove_unused_node_groups([tree] if tree else [])


def _build() -> bpy.types.NodeTree:
    tree, geometry = new_modifier_tree(MODIFIER_NAME)
    packed, places = _vector(tree, PLACE_ATTRIBUTES, PLACE_STEP)
    geometry = add_node(tree, "GeometryNodeSetPosition", geometry, packed, places).outputs[0]
    packed, added = _vector(tree, REST_ATTRIBUTES, REST_STEP)
    position = add_node(tree, "GeometryNodeInputPosition").outputs[0]
    rest = add_node(tree, "ShaderNodeVectorMath", position, added, operation="ADD").outputs[0]
    values = (geometry, True, REST_ATTRIBUTE, rest)
    stored = add_node(tree, "GeometryNodeStoreNamedAttribute", *values, data_type="FLOAT_VECTOR")
    with_rest = add_node(tree, "GeometryNodeSwitch", packed, geometry, stored.outputs[0], input_type="GEOMETRY")
    removed = compat.add_removal_of_attributes(tree, with_rest.outputs[0], f"{PACKED_PREFIX}*")
    add_node(tree, "NodeGroupOutput", removed)
    return tree


def _vector(
    tree: bpy.types.NodeTree, names: tuple[str, ...], step: float
) -> tuple[bpy.types.NodeSocket, bpy.types.NodeSocket]:
    """Whether there are attributes of three whole numbers, and the vector that they make."""
    nodes = [add_node(tree, "GeometryNodeInputNamedAttribute", name, data_type="INT") for name in names]
    whole = add_node(tree, "ShaderNodeCombineXYZ", *(node.outputs["Attribute"] for node in nodes)).outputs[0]
    scaled = add_node(tree, "ShaderNodeVectorMath", whole, operation="SCALE")
    scaled.inputs["Scale"].default_value = step
    return nodes[0].outputs["Exists"], scaled.outputs[0]
