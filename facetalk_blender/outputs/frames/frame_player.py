"""The geometry-nodes tree that picks one of many objects by the scene's time, made of stock nodes.

Scene Time picks an object through Index Switches, Object Info brings its mesh. Nothing of the extension is needed
to play, scrub or render.
"""

from __future__ import annotations

import bpy

from ...blender_data.nodes import add_math, add_node

FRAMES_PER_SWITCH = 64  # adding an item to an Index Switch takes time in proportion to the items it has


def build_player(name: str, frame_count: int, rests: bool) -> bpy.types.NodeTree:
    """The player: Scene Time, or the value Rest where nothing is heard -> Index Switches -> Object Info.

    rests: whether nothing is heard outside the handles; else the frames there hold.

    The objects of frames are set by `set_frame`.
    """
    tree = bpy.data.node_groups.new(name, "GeometryNodeTree")
    tree.is_modifier = True
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    names = ("Start Frame", "Speed", "First Heard", "Last Heard", "Heard", "Rest")
    start, speed, first, last, heard, rest = (add_node(tree, "ShaderNodeValue", name=name).outputs[0] for name in names)
    now = add_node(tree, "GeometryNodeInputSceneTime").outputs["Frame"]
    held = add_node(tree, "ShaderNodeClamp", now, first, last).outputs[0]
    elapsed = add_math(tree, "SUBTRACT", held, start)
    # A little more than the product: whole frames must not fall below themselves by rounding.
    position = add_math(tree, "MULTIPLY_ADD", elapsed, speed, 1e-3)
    index = add_node(tree, "ShaderNodeClamp", position, 0.0, float(frame_count - 1), name="Last Frame").outputs[0]
    if rests:  # outside the handles, and before the first frame
        apart = add_math(tree, "ABSOLUTE", add_math(tree, "SUBTRACT", now, held))
        heard = add_math(tree, "MULTIPLY", add_math(tree, "LESS_THAN", apart, 1.0), heard)
        heard = add_math(tree, "MULTIPLY", add_math(tree, "GREATER_THAN", position, 0.0), heard)
    index = add_math(tree, "MULTIPLY_ADD", add_math(tree, "SUBTRACT", index, rest), heard, rest)
    whole = add_math(tree, "FLOOR", index)
    switch = add_node(tree, "GeometryNodeIndexSwitch", data_type="OBJECT", name="Index Switch")
    switch.index_switch_items.clear()
    chosen = add_node(tree, "FunctionNodeFloatToInt", add_math(tree, "DIVIDE", whole, float(FRAMES_PER_SWITCH)))
    chosen.rounding_mode = "FLOOR"
    tree.links.new(chosen.outputs[0], switch.inputs["Index"])
    within = add_node(tree, "FunctionNodeFloatToInt", add_math(tree, "MODULO", whole, float(FRAMES_PER_SWITCH)))
    within.name = "Within Switch"
    picked = add_node(tree, "GeometryNodeObjectInfo", switch.outputs[0], transform_space="ORIGINAL")
    output = add_node(tree, "NodeGroupOutput")
    tree.links.new(picked.outputs["Geometry"], output.inputs[0])
    return tree


def set_frame(tree: bpy.types.NodeTree, position: int, item: bpy.types.Object) -> None:
    """Make the player show an object at a frame's position; positions are set from 0 on."""
    number, within = divmod(position, FRAMES_PER_SWITCH)
    if within == 0:
        # The group is complete but for its objects before the player knows it: changes of a tree that nothing uses
        # are cheap.
        group = _frame_group(f"{tree.name} {number}")
        node = add_node(tree, "GeometryNodeGroup", name=f"Frames {number}", node_tree=group)
        tree.links.new(tree.nodes["Within Switch"].outputs[0], node.inputs[0])
        outer = tree.nodes["Index Switch"]
        outer.index_switch_items.new()
        tree.links.new(node.outputs[0], outer.inputs[number + 1])
    switch = tree.nodes[f"Frames {number}"].node_tree.nodes["Index Switch"]
    if len(switch.index_switch_items) == within:
        switch.index_switch_items.new()
    switch.inputs[within + 1].default_value = item


def _frame_group(name: str) -> bpy.types.NodeTree:
    group = bpy.data.node_groups.new(name, "GeometryNodeTree")
    group.interface.new_socket("Index", in_out="INPUT", socket_type="NodeSocketInt")
    group.interface.new_socket("Object", in_out="OUTPUT", socket_type="NodeSocketObject")
    switch = add_node(group, "GeometryNodeIndexSwitch", data_type="OBJECT", name="Index Switch")
    switch.index_switch_items.clear()
    group.links.new(group.nodes.new("NodeGroupInput").outputs[0], switch.inputs["Index"])
    group.links.new(switch.outputs[0], add_node(group, "NodeGroupOutput").inputs[0])
    return group
