"""Every output is dressed: slots, attributes and vertex groups say what the regions of the head are."""

import numpy as np
import pytest
import scripted_shapes
from blender_scene import bpy, generate, group_weights, speaking_strip
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from repository import import_from_extension

appearance = import_from_extension("facetalk_blender.look.appearance")
material = import_from_extension("facetalk_blender.look.material")

NAMES = ("skin", "lips", "sclera", "iris", "pupil", "teeth", "gums", "tongue", "mouth_cavity", "brows", "neck")
COLORS = (appearance.DEFAULT_SKIN_COLOR, appearance.DEFAULT_EYE_COLOR)
DARK, BROWN = (0.1, 0.05, 0.03), (0.03, 0.015, 0.01)


def regions_of(weights, **more):
    return appearance.Regions(NAMES, weights, **more)


@given(arrays.arrays(np.uint8, (12, len(NAMES))), st.integers(0, 1000))
@settings(max_examples=30)
def test_groups_and_slots_match_the_weights(weights, seed):
    polygons = np.random.default_rng(seed).integers(0, 12, (20, 3))
    look = appearance.Look.of(regions_of(weights), polygons, COLORS)
    grouped = np.zeros(weights.shape)
    for name, weight, vertices in appearance.group_members(regions_of(weights)):
        grouped[vertices, [appearance.group_name(region) for region in NAMES].index(name)] += weight
    np.testing.assert_allclose(grouped, weights / 255, atol=0.5 / appearance.GROUP_LEVELS + 1e-6)
    for corners, slot in zip(polygons, look.slots, strict=True):
        total = dict.fromkeys(appearance.SLOTS, 0)
        for region, weight in zip(NAMES, weights[corners].sum(0, dtype=int), strict=True):
            total[appearance.REGION_SLOTS[region]] += int(weight)
        assert total[appearance.SLOTS[slot]] == max(total.values())


def test_pure_regions_look_as_listed():
    look = appearance.Look.of(
        regions_of(255 * np.eye(len(NAMES), dtype=np.uint8)), np.zeros((1, 3), int), (DARK, BROWN)
    )
    color = dict(zip(NAMES, look.values[appearance.COLOR_ATTRIBUTE][:, :3], strict=True))
    np.testing.assert_allclose(color["skin"], DARK, rtol=1e-5)
    np.testing.assert_allclose(color["neck"], DARK, rtol=1e-5)
    np.testing.assert_allclose(color["iris"], BROWN, rtol=1e-5)
    assert color["lips"][0] / color["lips"][1] > 1.3 * DARK[0] / DARK[1]  # redder than the skin
    assert color["teeth"].min() > 0.5 > color["mouth_cavity"].max()
    skin, tissue = look.values[appearance.SKIN_ATTRIBUTE], look.values[appearance.TISSUE_ATTRIBUTE]
    np.testing.assert_array_equal(skin[:, 0], [name in ("skin", "neck", "brows") for name in NAMES])
    np.testing.assert_array_equal(tissue[:, 0], [name in ("sclera", "iris", "pupil") for name in NAMES])


def test_directions_lie_on_the_eyes_only():
    weights = np.zeros((5, len(NAMES)), np.uint8)
    rest = np.arange(15, dtype=np.float32).reshape(5, 3)
    regions = regions_of(
        weights, rest=rest, eye_vertices=np.array([1, 4]), eye_directions=np.eye(3, dtype=np.float32)[:2]
    )
    values = appearance.Look.of(regions, np.zeros((1, 3), int), COLORS).values
    np.testing.assert_array_equal(values[appearance.EYE_ATTRIBUTE][[0, 1, 4]], [[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(values[appearance.REST_ATTRIBUTE], rest)


def slot_of_vertices(mesh):
    return [material.name for material in mesh.materials], [polygon.material_index for polygon in mesh.polygons]


@pytest.mark.parametrize("output", ["FRAME_MESHES", "SHAPE_KEYS", "EXPRESSION_CURVES"])
def test_every_output_has_slots_and_colors_and_fixed_topology_stored_groups(scene, client, tmp_path, output):
    strip = speaking_strip(scene, tmp_path)
    run = generate(client, strip, output=output, skin_color=DARK, eye_color=BROWN)
    assert run.error == ""
    head = bpy.data.objects[run.result_name]
    np.testing.assert_allclose(head["facetalk_skin_color"][:3], DARK, rtol=1e-6)
    np.testing.assert_allclose(head["facetalk_eye_color"][:3], BROWN, rtol=1e-6)
    assert [slot.material.name for slot in head.material_slots] == [f"FaceTalk {slot}" for slot in appearance.SLOTS]
    scene.frame_set(5)
    shown = head.evaluated_get(bpy.context.view_layer.depsgraph).to_mesh()
    assert len(shown.materials) == len(appearance.SLOTS)
    assert {appearance.COLOR_ATTRIBUTE, appearance.SKIN_ATTRIBUTE, appearance.TISSUE_ATTRIBUTE} <= set(
        shown.attributes.keys()
    )
    owner = head
    if output == "FRAME_MESHES":
        owner = next(item for item in head["facetalk_frames"].objects if len(item.data.vertices) == len(shown.vertices))
        assert not any(vertex.groups for vertex in owner.data.vertices)  # see frames/test_region_groups.py
    else:
        assert [group.name for group in owner.vertex_groups] == ["Skin", "Lips"]
        expected = scripted_shapes.regions(len(shown.vertices)) / 255
        np.testing.assert_allclose(group_weights(shown, ("Skin", "Lips")), expected)
    assert {polygon.material_index for polygon in owner.data.polygons} <= {0, 1}
    color = np.empty(4 * len(shown.vertices), np.float32)
    shown.attributes[appearance.COLOR_ATTRIBUTE].data.foreach_get("color", color)
    np.testing.assert_allclose(color[:3], DARK, rtol=1e-5)


def test_an_artists_changes_to_the_materials_stay(scene):
    first = material.head_materials()
    first[1].node_tree.nodes.clear()
    group = bpy.data.node_groups["FaceTalk Surface"]
    group.nodes["Scalp Stubble"].outputs[0].default_value = 0.0
    again = material.head_materials()
    assert again == first
    assert not again[1].node_tree.nodes
    assert group.nodes["Scalp Stubble"].outputs[0].default_value == 0.0
    assert len([tree for tree in bpy.data.node_groups if tree.name.startswith("FaceTalk Surface")]) == 1


def test_where_light_leaves_the_skin_no_shader_is_evaluated(scene):
    """Cycles leaves that out as long as no subsurface has a normal of its own; it halves the time of a render."""
    material.head_materials()
    nodes = bpy.data.node_groups["FaceTalk Surface"].nodes
    shaders = [(node, node.inputs["Subsurface Weight"]) for node in nodes if node.type == "BSDF_PRINCIPLED"]
    below = [node for node, weight in shaders if weight.is_linked or weight.default_value > 0]
    assert len(below) == 3  # skin, lips, mouth
    for shader in below:
        assert not shader.inputs["Normal"].is_linked
        assert shader.subsurface_method == "BURLEY"


def test_the_shader_shows_the_objects_own_color(scene):
    """Two heads share one material; Cycles shows each in its own skin colour."""
    mesh_building = import_from_extension("facetalk_blender.blender_data.mesh_building")
    vertices = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]], np.float32)
    polygons = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    look = appearance.Look.of(appearance.Regions(("skin",), np.full((4, 1), 255, np.uint8)), polygons, COLORS)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location, camera.rotation_euler = (0, -3, 0), (np.pi / 2, 0, 0)
    camera.data.type, camera.data.ortho_scale = "ORTHO", 1.0
    scene.collection.objects.link(camera)
    scene.camera, scene.world = camera, bpy.data.worlds.new("World")
    scene.world.color = (1, 1, 1)
    scene.render.engine, scene.render.resolution_x, scene.render.resolution_y = "CYCLES", 8, 8
    scene.cycles.samples, scene.cycles.use_denoising = 16, False
    scene.view_settings.view_transform = "Standard"
    shown = {}
    for name, color in (("red", (0.8, 0.05, 0.05)), ("blue", (0.05, 0.05, 0.8))):
        head = bpy.data.objects.new(name, bpy.data.meshes.new(name))
        scene.collection.objects.link(head)
        appearance.set_colors(head, color, None)
        mesh_building.fill_mesh(head.data, vertices, polygons)
        material.dress_mesh(head.data, look)
        scene.render.filepath = str(bpy.app.tempdir) + name + ".png"
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(scene.render.filepath)
        shown[name] = np.array(image.pixels[:]).reshape(-1, 4)[:, :3].mean(0)
        bpy.data.objects.remove(head)
    assert shown["red"][0] > 2 * shown["red"][2]
    assert shown["blue"][2] > 2 * shown["blue"][0]
