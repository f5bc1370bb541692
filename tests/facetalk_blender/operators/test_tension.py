"""Tension on the artist's own mesh."""

import numpy as np
import pytest
from blender_scene import bpy
from repository import import_from_extension

mesh_building = import_from_extension("facetalk_blender.blender_data.mesh_building")
own_tension = import_from_extension("facetalk_blender.look.own_tension")
registration = import_from_extension("facetalk_blender.registration")


@pytest.fixture
def sheet(scene):
    """An active sheet of quads with a key that gathers it by a fifth, and the extension."""
    registration.register()
    steps = np.arange(8) * 0.01
    x, y = np.meshgrid(steps, steps)
    vertices = np.stack([x, y, np.zeros_like(x)], -1).reshape(-1, 3).astype(np.float32)
    corner = (np.arange(7)[:, None] * 8 + np.arange(7)).ravel()
    item = bpy.data.objects.new("Sheet", bpy.data.meshes.new("Sheet"))
    scene.collection.objects.link(item)
    mesh_building.fill_mesh(item.data, vertices, np.stack([corner, corner + 1, corner + 9, corner + 8], 1))
    item.shape_key_add(name="Basis")
    item.shape_key_add(name="Gathered").points.foreach_set("co", (vertices * 0.8).ravel())
    bpy.context.view_layer.objects.active = item
    yield item
    registration.unregister()


def shown(item):
    bpy.context.view_layer.update()
    mesh = item.evaluated_get(bpy.context.view_layer.depsgraph).data
    values = np.empty(len(mesh.vertices), np.float32)
    mesh.attributes[own_tension.TENSION_ATTRIBUTE].data.foreach_get("value", values)
    return values


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_tension_is_the_share_that_is_gathered(sheet, weight):
    sheet.data.shape_keys.key_blocks["Gathered"].value = weight
    assert bpy.ops.facetalk.add_tension() == {"FINISHED"}
    np.testing.assert_allclose(shown(sheet), -0.2 * weight, atol=1e-5)


def test_it_is_measured_before_the_mesh_is_divided(sheet):
    sheet.data.shape_keys.key_blocks["Gathered"].value = 1.0
    sheet.modifiers.new("Subdivision", "SUBSURF").levels = 1
    bpy.ops.facetalk.add_tension()
    bpy.ops.facetalk.add_tension()
    assert [modifier.name for modifier in sheet.modifiers] == ["FaceTalk Tension", "Subdivision"]
    assert len(shown(sheet)) > len(sheet.data.vertices)
    np.testing.assert_allclose(shown(sheet), -0.2, atol=1e-5)


def test_there_is_a_reason_where_it_cannot_be_added(scene):
    registration.register()
    try:
        assert not bpy.ops.facetalk.add_tension.poll()
    finally:
        registration.unregister()
