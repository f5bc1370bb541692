"""Frame meshes have the regions as vertex groups as soon as a modifier could use them, and pay nothing before."""

import numpy as np
import pytest
import scripted_shapes
from blender_scene import START, bpy, generate, group_weights, speaking_strip
from repository import import_from_extension

appearance = import_from_extension("facetalk_blender.look.appearance")
generation = import_from_extension("facetalk_blender.generation.generation")
conversion = import_from_extension("facetalk_blender.generation.frame_conversion")
mesh_building = import_from_extension("facetalk_blender.blender_data.mesh_building")
material = import_from_extension("facetalk_blender.look.material")
region_groups = import_from_extension("facetalk_blender.outputs.frames.region_groups")
removal = import_from_extension("facetalk_blender.outputs.removal")
storage = import_from_extension("facetalk_blender.outputs.frames.frame_storage")

NAMES = tuple(appearance.REGION_SLOTS)


def evaluated(head):
    return head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data


def weights_by_name(head):
    names = [group.name for group in head.vertex_groups]
    return dict(zip(names, group_weights(evaluated(head), names).T, strict=True))


def vectors(mesh, name):
    values = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.attributes[name].data.foreach_get("vector", values.ravel())
    return values


def check_lips_alone_are_smoothed(head, indices=(7, 0, 20, 47)):
    """At several frames: groups are the stored attributes, and the modifier that follows moves lips, nothing else."""
    for index in indices:
        bpy.context.scene.frame_set(START + index)
        expected = scripted_shapes.regions(index + 5) / 255
        weights = weights_by_name(head)
        np.testing.assert_array_equal(np.stack([weights["Skin"], weights["Lips"]], 1), expected)
        skin = vectors(evaluated(head), appearance.SKIN_ATTRIBUTE)
        np.testing.assert_array_equal(np.stack([weights[name] for name in ("Skin", "Lips", "Brows")], 1), skin)
        moved = vectors(evaluated(head), "position") - scripted_shapes.surface(index)[1]["vertices"]
        moved = np.linalg.norm(moved, axis=1) > 2e-5  # metres, more than storing rounds
        assert not moved[expected[:, 1] == 0].any()
        assert moved[expected[:, 1] == 1].any()


def add_smooth(head):
    smooth = head.modifiers.new("Soft Lips", "SMOOTH")
    smooth.vertex_group = "Lips"
    return smooth


@pytest.fixture(params=["FILE", "CACHE"])
def head(request, scene, client, tmp_path):
    strip = speaking_strip(scene, tmp_path, frame=START)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "head.blend"))
    strip = bpy.context.scene.sequence_editor.strips_all[strip.name]
    run = generate(client, strip, storage=storage.FrameStorage(request.param))
    assert run.error == ""
    return bpy.data.objects[run.result_name]


def test_groups_are_there_while_a_modifier_follows(head):
    bpy.context.scene.frame_set(START)
    groups = head.modifiers[region_groups.MODIFIER_NAME]
    assert not groups.show_viewport
    assert not groups.show_render
    assert not any(weights.any() for weights in weights_by_name(head).values())
    smooth = add_smooth(head)
    check_lips_alone_are_smoothed(head)
    assert groups.show_viewport
    assert groups.show_render
    head.modifiers.remove(smooth)
    bpy.context.scene.frame_set(START + 3)
    assert not groups.show_viewport
    assert not groups.show_render
    assert not any(weights.any() for weights in weights_by_name(head).values())


@pytest.mark.slow
def test_groups_survive_saving_without_the_extension(head):
    add_smooth(head)
    path, name = bpy.data.filepath, head.name
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    check_lips_alone_are_smoothed(bpy.data.objects[name])


@pytest.mark.slow
def test_groups_survive_moving_the_frames_there_and_back(head):
    add_smooth(head)
    names = [modifier.name for modifier in head.modifiers]
    file = ["FaceTalk Player", "FaceTalk Face Detail", "FaceTalk Vertex Groups", "Soft Lips"]
    cache = ["FaceTalk Player", "FaceTalk Unpacking", *file[1:]]
    assert names in (file, cache)
    for _ in range(2):
        run = conversion.Conversion(bpy.context.scene, head, storage.FrameStorage())
        run.run()
        assert run.error == ""
        names = cache if names == file else file
        assert [modifier.name for modifier in head.modifiers] == names
        check_lips_alone_are_smoothed(head)


@pytest.mark.slow
def test_frames_of_an_earlier_result_that_are_used_again_get_the_groups(head, client):
    """Where a range is sampled again, the other frames stay; those of an earlier version have no groups' names."""
    choice = "CACHE" if storage.is_cached(head) else "FILE"
    for item in head["facetalk_frames"].objects if choice == "FILE" else []:
        item.vertex_groups.clear()
    strip = bpy.context.scene.sequence_editor.strips_all[head["facetalk_strip"]]
    settings = generation.Options(storage=storage.FrameStorage(choice))
    place = {"source": head["facetalk_take"], "frame_range": (START + 40, START + 44)}
    run = generation.Generation(client, strip, settings, **place)
    run.run()
    assert run.error == ""
    again = bpy.data.objects[run.result_name]
    add_smooth(again)
    check_lips_alone_are_smoothed(again, (7, 0, 20))


def test_heads_share_the_nodes_which_go_with_the_last(scene, client, tmp_path):
    strip = speaking_strip(scene, tmp_path)
    heads = [bpy.data.objects[generate(client, strip, seed=seed).result_name] for seed in (0, 1)]
    assert len({head.modifiers[region_groups.MODIFIER_NAME].node_group for head in heads}) == 1
    removal.remove_result(heads[0])
    assert region_groups.MODIFIER_NAME in bpy.data.node_groups
    removal.remove_result(heads[1])
    assert not [tree for tree in bpy.data.node_groups if tree.type == "GEOMETRY"]


def test_every_group_is_what_attributes_and_slots_say(scene):
    generator = np.random.default_rng(3)
    side = 12
    corners = np.arange(side * side).reshape(side, side)
    polygons = np.stack([corners[:-1, :-1], corners[1:, :-1], corners[1:, 1:], corners[:-1, 1:]], -1).reshape(-1, 4)
    vertices = generator.random((side * side, 3)).astype(np.float32)
    regions = appearance.Regions(NAMES, generator.integers(0, 256, (side * side, len(NAMES))).astype(np.uint8))
    look = appearance.Look.of(regions, polygons, (appearance.DEFAULT_SKIN_COLOR, appearance.DEFAULT_EYE_COLOR))
    head = bpy.data.objects.new("head", bpy.data.meshes.new("head"))
    scene.collection.objects.link(head)
    mesh_building.fill_mesh(head.data, vertices, polygons.astype(np.int32))
    material.dress_mesh(head.data, look)
    region_groups.add_groups(head)
    head.modifiers.new("Follows", "SMOOTH")
    shown = weights_by_name(head)
    skin, tissue = (look.values[name] for name in (appearance.SKIN_ATTRIBUTE, appearance.TISSUE_ATTRIBUTE))
    soft = {"Skin": skin[:, 0], "Lips": skin[:, 1], "Brows": skin[:, 2]}
    soft |= {"Eyes": tissue[:, 0], "Teeth": tissue[:, 1], "Gums and Tongue": tissue[:, 2]}
    for name, weights in soft.items():
        np.testing.assert_allclose(shown[name], weights, atol=1e-6, err_msg=name)
    for name in ("Neck", "Iris", "Pupil", "Mouth Cavity"):
        inside = look.slots == appearance.SLOTS.index(name)
        share = [inside[(polygons == vertex).any(1)].mean() for vertex in range(side * side)]
        np.testing.assert_allclose(shown[name], share, atol=1e-6, err_msg=name)
    assert set(shown) >= set(appearance.SLOTS)
