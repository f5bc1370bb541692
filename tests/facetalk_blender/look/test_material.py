"""The head's materials: an output for each renderer, also beside a node group that an earlier version made."""

import pytest
from blender_scene import bpy
from repository import import_from_extension

material = import_from_extension("facetalk_blender.look.material")
surface_shader = import_from_extension("facetalk_blender.look.surface_shader")


def shown_outputs(tree):
    """The output of the group that every renderer shows."""
    nodes = (node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
    return {node.target: node.inputs["Surface"].links[0].from_socket.name for node in nodes}


def test_eevee_shows_the_shaded_surface_and_cycles_the_plain_one(scene):
    for made in material.head_materials():
        tree = made.node_tree
        assert shown_outputs(tree) == {"ALL": "Surface", "EEVEE": "Surface in EEVEE"}
        assert tree.get_output_node("EEVEE").target == "EEVEE"
        assert tree.get_output_node("CYCLES").target == "ALL"
    group = bpy.data.node_groups[surface_shader.GROUP_NAME]
    (ends,) = (node for node in group.nodes if node.type == "GROUP_OUTPUT")
    assert all(socket.is_linked for socket in ends.inputs[:2])
    # What costs time in Cycles hangs on the output that Cycles does not show.
    before = {ends.inputs["Surface"].links[0].from_node}
    seen = set()
    while before:
        node = before.pop()
        seen.add(node.bl_idname)
        before |= {link.from_node for socket in node.inputs for link in socket.links}
    assert "ShaderNodeAmbientOcclusion" not in seen


@pytest.mark.parametrize("lost", ["FaceTalk Lips", "FaceTalk Skin"])
def test_a_material_is_made_again_beside_a_group_of_an_earlier_version(scene, lost):
    material.head_materials()
    group = bpy.data.node_groups[surface_shader.GROUP_NAME]
    group.interface.remove(next(item for item in group.interface.items_tree if item.name == "Surface in EEVEE"))
    bpy.data.materials.remove(bpy.data.materials[lost])
    (made,) = (item for item in material.head_materials() if item.name == lost)
    assert shown_outputs(made.node_tree) == {"ALL": "Surface"}
