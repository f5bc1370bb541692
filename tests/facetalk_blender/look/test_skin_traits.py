"""Traits of the skin: from the panel and the options to the object and the modifier, on every output, and live."""

import pytest
from blender_scene import bpy, generate, speaking_strip
from repository import import_from_extension

compat = import_from_extension("facetalk_blender.compat")
face_detail = import_from_extension("facetalk_blender.look.face_detail")
skin_traits = import_from_extension("facetalk_blender.look.skin_traits")

OLD = skin_traits.SkinTraits(wrinkles=1.5, age=0.8, redness=-0.25, freckles=0.5, makeup=0.75)


def amounts(item):
    """Inputs of the modifier by their names."""
    modifier = item.modifiers[face_detail.MODIFIER_NAME]
    sockets = [s for s in modifier.node_group.interface.items_tree if s.in_out == "INPUT" and s.name != "Geometry"]
    return {socket.name: compat.modifier_input(modifier, socket.name) for socket in sockets}


@pytest.mark.parametrize("output", ["FRAME_MESHES", "SHAPE_KEYS", "EXPRESSION_CURVES"])
def test_every_output_has_the_traits_that_are_asked_for(scene, client, tmp_path, output):
    run = generate(client, speaking_strip(scene, tmp_path), output=output, skin_traits=OLD)
    assert run.error == ""
    head = bpy.data.objects[run.result_name]
    assert list(head[skin_traits.TRAITS_PROPERTY]) == [-0.25, 0.5, 0.75]
    assert amounts(head) == pytest.approx({"Wrinkles": 1.5, "Age": 0.8})
    skin_traits.set_traits(head, skin_traits.SkinTraits())
    assert amounts(head) == pytest.approx({"Wrinkles": 1.0, "Age": face_detail.DEFAULT_AGE})


def test_a_modifier_that_comes_later_has_them_too(scene):
    item = bpy.data.objects.new("Head", bpy.data.meshes.new("Head"))
    skin_traits.set_traits(item, OLD)
    face_detail.add(item)
    assert amounts(item) == pytest.approx({"Wrinkles": 1.5, "Age": 0.8})
