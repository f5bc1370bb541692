"""A .blend file saved earlier: what was made is found, plays as it did, and can be made again and removed.

The fixture was saved under Blender 4.5: one strip, renamed after five takes were made of it (frame meshes in
the file and in a cache folder, shape keys, curves on a head and on an artist's mesh), of which two are compared.
"""

import shutil

import numpy as np
import pytest
from blender_scene import bpy
from registered_extension import drawn, head_of, module
from repository import ROOT

FIXTURE = ROOT / "tests" / "fixtures" / "saved_file"
STRIP = 'a "new" name'
TAKES = {name: f"tone Take {number}" for number, name in enumerate(("file", "cache", "keys", "curves", "target"), 1)}


@pytest.fixture
def opened(registered, tmp_path):
    """A copy of the file, opened; its scene's settings."""
    shutil.copytree(FIXTURE, tmp_path / "project")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "project" / "saved.blend"))
    return bpy.context.scene.facetalk


def made_of(name):
    """The object that shows a take: a head, or the artist's mesh."""
    return bpy.data.objects["Face"] if name == "target" else head_of(bpy.data.texts[TAKES[name]])


def choose(name):
    bpy.context.scene.facetalk.take_position = bpy.data.texts.find(TAKES[name])


def check_shown(name, frames=(5, 11, 16, 22, 30)):
    item = made_of(name)
    item.hide_viewport = False
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        mesh = item.evaluated_get(bpy.context.view_layer.depsgraph).data
        shown = np.empty((len(mesh.vertices), 3), np.float32)
        mesh.attributes["position"].data.foreach_get("vector", shown.ravel())
        with np.load(FIXTURE / "shown.npz") as before:
            np.testing.assert_allclose(shown, before[f"{name} {frame}"], atol=8e-6)


@pytest.mark.parametrize("name", TAKES)
def test_what_was_made_plays_as_before(opened, name):
    check_shown(name)  # the artist's mesh rests, since another take is chosen


def test_curves_on_the_artists_mesh_come_back(opened):
    choose("target")
    heights = []
    for frame in range(11, 23):
        bpy.context.scene.frame_set(frame)
        mesh = made_of("target").evaluated_get(bpy.context.view_layer.depsgraph).data
        heights.append([vertex.co.z for vertex in mesh.vertices])
    moved = np.ptp(heights, axis=0)
    assert moved.max() > 0.1
    choose("keys")
    check_shown("target")


def test_takes_know_their_strip_and_sound(opened):
    status = module("facetalk_blender.takes.status")
    module("facetalk_blender.sound.digest").DIGESTS.of(bpy.context.scene.sequence_editor.strips_all[STRIP], wait=True)
    for name in TAKES.values():
        text = bpy.data.texts[name]
        assert status.strip_problem(text) == ""
        assert status.change_of_sound(text) == ""
    bpy.context.scene.sequence_editor.strips_all[STRIP].name = "third"
    bpy.context.view_layer.update()
    assert opened.strip == bpy.data.texts[TAKES["keys"]]["facetalk_strip"] == "third"


def test_comparing_ends(opened):
    assert made_of("cache").delta_location.x > 0
    choose("keys")
    assert made_of("cache").delta_location.x == 0
    assert made_of("cache").hide_viewport
    assert not made_of("keys").hide_viewport


@pytest.mark.parametrize("name", ["file", "cache"])
def test_frames_move_and_are_made_again(opened, name):
    choose(name)
    assert not any("missing" in text for text in drawn("takes.FACETALK_PT_takes"))
    assert bpy.ops.facetalk.move_frames() == {"FINISHED"}
    check_shown(name)
    opened.output, opened.resolution = "FRAME_MESHES", "64"
    assert bpy.ops.facetalk.make_output() == {"FINISHED"}
    check_shown(name, (11, 16, 22))


@pytest.mark.parametrize("name", ["file", "cache"])
def test_frames_that_are_made_again_rest_outside_the_strip(opened, name):
    choose(name)
    opened.output, opened.resolution = "FRAME_MESHES", "64"
    assert bpy.ops.facetalk.make_output() == {"FINISHED"}
    item, counts = made_of(name), []
    for frame in (5, 22, 30):
        bpy.context.scene.frame_set(frame)
        counts.append(len(item.evaluated_get(bpy.context.view_layer.depsgraph).data.vertices))
    assert counts[0] == counts[2] == counts[1] + 1


def test_a_range_is_made_again_and_the_rest_is_kept(opened):
    choose("file")
    opened.output, opened.frames_in = "FRAME_MESHES", "FILE"
    bpy.context.scene.use_preview_range = True
    bpy.context.scene.frame_preview_start, bpy.context.scene.frame_preview_end = 21, 22
    before = {item.data.name for item in made_of("file")["facetalk_frames"].objects}
    assert bpy.ops.facetalk.regenerate_range() == {"FINISHED"}
    assert opened.take.name not in TAKES.values()
    after = {item.data.name for item in head_of(opened.take)["facetalk_frames"].objects}
    assert before & after


def test_everything_can_be_removed(opened):
    for name in TAKES:
        choose(name)
        assert bpy.ops.facetalk.delete_take() == {"FINISHED"}
    scene = bpy.context.scene
    assert [item.name for item in scene.objects if item.type == "MESH"] == ["Face"]
    assert not bpy.data.actions
    assert not bpy.data.cache_files
    assert not [key for key in scene.keys() if key.startswith("facetalk_link")]
    assert bpy.data.objects["Face"].data.shape_keys.animation_data is None
