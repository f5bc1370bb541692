"""The frame-meshes player shows the right mesh at the right frame, with and without the extension."""

import random

import numpy as np
import pytest
import scripted_shapes
from blender_scene import COUNT, START, bpy, generate, speaking_strip
from repository import import_from_extension


@pytest.fixture
def head(scene, client, tmp_path):
    run = generate(client, speaking_strip(scene, tmp_path, frame=START))
    assert run.error == ""
    assert run.state.name == "DONE"
    return bpy.data.objects[run.result_name]


def shown(head, frame):
    """Vertices of the evaluated mesh at a frame."""
    bpy.context.scene.frame_set(frame)
    mesh = head.evaluated_get(bpy.context.view_layer.depsgraph).data
    vertices = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", vertices.ravel())
    return vertices


def check(head, frame, start=START):
    index = frame - start if 0 <= frame - start < COUNT else COUNT  # outside the clip the head rests
    expected = scripted_shapes.surface(index)[1]["vertices"]
    np.testing.assert_allclose(shown(head, frame), expected, atol=1e-7)


def test_every_frame_shows_its_mesh_in_any_order(head):
    frames = list(range(START - 5, START + COUNT + 5))
    for frame in frames + random.Random(1).sample(frames, len(frames)):
        check(head, frame)


def test_meshes_are_sound_and_closed(head):
    bpy.context.scene.frame_set(START + 7)
    mesh = head.evaluated_get(bpy.context.view_layer.depsgraph).to_mesh()
    assert not mesh.validate(verbose=True)
    assert len(mesh.vertices) - len(mesh.edges) + len(mesh.polygons) == 2  # Euler's formula
    assert mesh.materials[0].name == "FaceTalk Skin"
    assert mesh.color_attributes.active_color_name == "facetalk_color"


def test_playback_survives_saving_without_the_extension(head, tmp_path):
    path, name = str(tmp_path / "head.blend"), head.name
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    for frame in (START + 30, START - 3, START + 1, START + COUNT + 9, START):
        check(bpy.data.objects[name], frame)


def test_the_head_follows_its_strip(head):
    strip = bpy.context.scene.sequence_editor.strips_all[0]
    strip.frame_start += 20
    for frame in (START + 20, START + 33):
        check(head, frame, START + 20)


def test_the_head_keeps_in_sync_at_another_frame_rate(head):
    bpy.context.scene.render.fps = 48
    np.testing.assert_allclose(shown(head, START + 20), scripted_shapes.surface(10)[1]["vertices"], atol=1e-7)


def test_the_frame_objects_are_hidden_and_apart(head):
    frames = head["facetalk_frames"]
    assert frames.hide_render
    assert frames.hide_viewport
    assert len(frames.objects) == COUNT + 1  # and the head at rest


def test_a_take_is_kept_with_the_head(head):
    take = import_from_extension("facetalk_blender.takes.take").load(head)
    np.testing.assert_array_equal(take.codes, scripted_shapes.take(2.0)["codes"])
    assert take.rate == scripted_shapes.RATE
    assert take.settings["sound"] == "tone.wav"


def test_generating_again_keeps_the_earlier_take_hidden(head, client):
    scene = bpy.context.scene
    own = bpy.data.objects.new("Own", bpy.data.meshes.new("Own"))
    scene.collection.objects.link(own)
    head.location.x = 3.0
    run = generate(client, scene.sequence_editor.strips_all[0], seed=1)
    new = bpy.data.objects[run.result_name]
    assert new != head
    assert new.location.x == 3.0
    assert own.name in scene.objects
    assert head.hide_render
    assert head.hide_viewport
    assert not new.hide_render
    assert not own.hide_render
    assert {text["facetalk_seed"] for text in bpy.data.texts} == {"0", "1"}
    assert len(head["facetalk_frames"].objects) == COUNT + 1  # and the head at rest


def test_more_frames_than_one_switch_holds(scene, client, tmp_path):
    run = generate(client, speaking_strip(scene, tmp_path, seconds=6.0, frame=START))
    head = bpy.data.objects[run.result_name]
    for frame in (0, 63, 64, 65, 127, 128, 143):
        expected = scripted_shapes.surface(frame)[1]["vertices"]
        np.testing.assert_allclose(shown(head, START + frame), expected, atol=1e-7)
