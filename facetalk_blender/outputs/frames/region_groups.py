"""Vertex groups of frame meshes, computed for the frame that is shown: stored ones take more room than all the rest.

A modifier of stock nodes below the player copies the soft weights of the frame into vertex groups. Blender stores an
attribute as a vertex group where the mesh has a group of that name, so frames have the names, without members. A driver
turns the modifier on as soon as another follows it; until then it costs nothing.
"""

from __future__ import annotations

import bpy

from ...blender_data.nodes import add_math, add_node, new_modifier_tree
from ...look.appearance import SKIN_ATTRIBUTE, SLOTS, TISSUE_ATTRIBUTE

MODIFIER_NAME = "FaceTalk Vertex Groups"  # of the node tree too
# Groups of the attributes' parts x, y and z.
GROUPS_OF_ATTRIBUTES = {
    SKIN_ATTRIBUTE: ("Skin", "Lips", "Brows"),
    TISSUE_ATTRIBUTE: ("Eyes", "Teeth", "Gums and Tongue"),
}
GROUPS_OF_SLOTS = ("Neck", "Iris", "Pupil", "Mouth Cavity")  # which no attribute tells apart, but the polygons' slots
GROUPS = (*(name for names in GROUPS_OF_ATTRIBUTES.values() for name in names), *GROUPS_OF_SLOTS)
SWITCHES = tuple(f'modifiers["{MODIFIER_NAME}"].{switch}' for switch in ("show_viewport", "show_render"))


def name_groups(item: bpy.types.Object) -> None:
    """Give the mesh of an object the groups' names; it keeps those that it has."""
    for name in GROUPS:
        if name not in item.vertex_groups:
            item.vertex_groups.new(name=name)


def add_groups(owner: bpy.types.Object) -> None:
    """Add the modifier to an object that shows frames, below the player."""
    name_groups(owner)
    modifier = owner.modifiers.new(MODIFIER_NAME, "NODES")
    modifier.node_group = bpy.data.node_groups.get(MODIFIER_NAME) or _build()
    for path in SWITCHES:
        driver = owner.driver_add(path).driver
        driver.type = "SUM"
        target = driver.variables.new().targets[0]
        target.id = owner
        target.use_fallback_value, target.fallback_value = True, 0.0
    look_below(owner)


def move_groups_below(owner: bpy.types.Object, name: str) -> None:
    """Move the modifier below another one of this extension, which has no use for the groups, if the object has it."""
    modifiers = owner.modifiers
    place, other = modifiers.find(MODIFIER_NAME), modifiers.find(name)
    if 0 <= place < other:
        modifiers.move(place, other)
        look_below(owner)


def look_below(owner: bpy.types.Object) -> None:
    """Have the drivers look at the modifier that follows now: they know it by its number."""
    place = owner.modifiers.find(MODIFIER_NAME)
    for curve in owner.animation_data.drivers if owner.animation_data and place >= 0 else ():
        if curve.data_path in SWITCHES:
            # Its type is a number above 0; the fallback stands for none.
            curve.driver.variables[0].targets[0].data_path = f"modifiers[{place + 1}].type"


def _build() -> bpy.types.NodeTree:
    tree, geometry = new_modifier_tree(MODIFIER_NAME)
    for name, weight in _weights(tree).items():
        stored = (geometry, True, name, weight)
        geometry = add_node(tree, "GeometryNodeStoreNamedAttribute", *stored, data_type="FLOAT").outputs[0]
    add_node(tree, "NodeGroupOutput", geometry)
    return tree


def _weights(tree: bpy.types.NodeTree) -> dict[str, bpy.types.NodeSocket]:
    """The weight of every group."""
    weights = {}
    for attribute, names in GROUPS_OF_ATTRIBUTES.items():
        vector = add_node(tree, "GeometryNodeInputNamedAttribute", attribute, data_type="FLOAT_VECTOR").outputs[0]
        weights |= zip(names, add_node(tree, "ShaderNodeSeparateXYZ", vector).outputs, strict=True)
    slot = add_node(tree, "GeometryNodeInputMaterialIndex").outputs[0]
    for name in GROUPS_OF_SLOTS:
        inside = add_math(tree, "COMPARE", slot, float(SLOTS.index(name)), 0.5)
        # Compared on the polygons, so that a vertex on a border gets the share of its polygons.
        weights[name] = add_node(tree, "GeometryNodeFieldOnDomain", inside, data_type="FLOAT", domain="FACE").outputs[0]
    return weights
