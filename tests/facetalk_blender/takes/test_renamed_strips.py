"""Takes, heads and curves go on belonging to their sound strip when it is renamed or replaced."""

import subprocess
import sys

import pytest
from blender_scene import START, bpy, speaking_strip, write_wav
from registered_extension import head_of, module
from speaking_faces import face


def strip_named(name):
    return bpy.context.scene.sequence_editor.strips_all[name]


def rename(old, new):
    strip_named(old).name = new
    bpy.context.view_layer.update()


def problem(text):
    return module("facetalk_blender.takes.status").strip_problem(text)


def names_in(scene):
    owners = [*bpy.data.texts, *bpy.data.actions, *scene.objects]
    return {item["facetalk_strip"] for item in owners if "facetalk_strip" in item}


def links(scene):
    return [key for key in scene.keys() if key.startswith("facetalk_link_")]


def shown(text, frame):
    """The frame of the scripted surfaces that its head shows."""
    bpy.context.scene.frame_set(frame)
    return len(head_of(text).evaluated_get(bpy.context.view_layer.depsgraph).data.vertices) - 5


def test_names_follow_a_renamed_strip(settings):
    text = settings.take
    rename("tone", 'a "new\\name"')
    assert names_in(bpy.context.scene) == {'a "new\\name"'} == {settings.strip}
    assert problem(text) == ""
    assert bpy.ops.facetalk.vary_take() == {"FINISHED"}
    assert len(links(bpy.context.scene)) == 1
    strip_named(settings.strip).frame_start += 7
    settings.take_position = bpy.data.texts.find(text.name)
    assert shown(text, START + 27) == 20


@pytest.mark.slow
def test_two_strips_that_swap_their_names_keep_their_takes(settings, tmp_path):
    first = settings.take
    strip = module("facetalk_blender.sound.strip").load_sound(
        bpy.context.scene, write_wav(tmp_path / "other.wav", 1.0), 1, 2
    )
    settings.strip = strip.name
    bpy.ops.facetalk.generate()
    second = settings.take
    strips = strip_named("tone"), strip_named("other")
    for strip, name in zip(strips + strips[:1], ("aside", "tone", "other"), strict=True):
        strip.name = name
    bpy.context.view_layer.update()
    assert (first["facetalk_strip"], second["facetalk_strip"]) == ("other", "tone")
    assert head_of(first)["facetalk_strip"] == "other"
    assert settings.strip == "tone"


@pytest.mark.slow
def test_undo_takes_the_names_back(settings):
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="Before")
    rename("tone", "renamed")
    bpy.ops.ed.undo_push(message="Rename")
    assert names_in(bpy.context.scene) == {"renamed"}
    assert bpy.ops.ed.undo() == {"FINISHED"}
    bpy.context.view_layer.update()
    assert names_in(bpy.context.scene) == {"tone"}


RENAME_ELSEWHERE = """
import os, sys, bpy
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
strip = bpy.context.scene.sequence_editor.strips_all["tone"]
strip.name = "elsewhere"
strip.frame_start += 5
bpy.ops.wm.save_mainfile()
os._exit(0)
"""


@pytest.mark.slow
def test_names_follow_a_strip_that_was_renamed_without_the_extension(settings, tmp_path):
    path = str(tmp_path / "renamed.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    subprocess.run([sys.executable, "-c", RENAME_ELSEWHERE, path], check=True, capture_output=True, timeout=120)
    bpy.ops.wm.open_mainfile(filepath=path)
    text = bpy.context.scene.facetalk.take
    assert names_in(bpy.context.scene) == {"elsewhere"}
    assert problem(text) == ""
    assert shown(text, START + 15) == 10


def test_curves_on_an_artists_mesh_follow_a_renamed_strip(registered, tmp_path):
    strip = speaking_strip(bpy.context.scene, tmp_path, frame=START)
    settings, item = bpy.context.scene.facetalk, face(["jawOpen"])
    settings.strip, settings.output = strip.name, "EXPRESSION_CURVES"
    settings.curves.targets.add().item = item
    bpy.ops.facetalk.generate()
    action = item.data.shape_keys.animation_data.action
    first = action.frame_range[0]
    rename("tone", "renamed")
    strip.frame_start += 9
    bpy.context.view_layer.update()
    assert action["facetalk_strip"] == "renamed"
    assert action.frame_range[0] == first + 9
    earlier = action.name
    assert bpy.ops.facetalk.generate() == {"FINISHED"}  # shown in place of the earlier take's curves
    animation = item.data.shape_keys.animation_data
    assert animation.action.name != earlier
    assert animation.action["facetalk_strip"] == "renamed"
    assert [track.strips[0].action.name for track in animation.nla_tracks if track.mute] == [earlier]


def replace_strip(sound_path, **trims):
    """Lay a file on new strips, which lack so many frames at their start, and delete the strip."""
    sounds = module("facetalk_blender.sound.strip")
    for channel, (name, trim) in enumerate(trims.items(), 2):
        strip = sounds.load_sound(bpy.context.scene, sound_path, START + 10, channel)
        strip.name, strip.frame_offset_start = name, trim
        module("facetalk_blender.sound.digest").DIGESTS.of(strip, wait=True)
    strips = bpy.context.scene.sequence_editor.strips
    strips.remove(strips["tone"])
    bpy.context.view_layer.update()


def test_a_strip_with_the_same_sound_replaces_one_that_is_gone(settings, tmp_path):
    text = settings.take
    copy = tmp_path / "copy.wav"
    copy.write_bytes((tmp_path / "tone.wav").read_bytes())
    replace_strip(copy, again=0)
    assert names_in(bpy.context.scene) == {"again"}
    assert problem(text) == ""
    assert shown(text, START + 30) == 20


def test_of_several_strips_the_one_that_plays_the_same_part_replaces_it(settings, tmp_path):
    replace_strip(tmp_path / "tone.wav", trimmed=20, whole=0)
    assert names_in(bpy.context.scene) == {"whole"}


@pytest.mark.slow
@pytest.mark.parametrize("strips", [{"one": 0, "two": 0}, {"other": 0}])
def test_a_strip_is_not_replaced_by_guessing(settings, tmp_path, strips):
    path = tmp_path / "tone.wav" if len(strips) > 1 else write_wav(tmp_path / "other.wav", frequency=300.0)
    replace_strip(path, **strips)
    assert names_in(bpy.context.scene) == {"tone"}
    assert "gone" in problem(settings.take)


@pytest.mark.slow
def test_links_go_with_the_last_take(settings):
    scene = bpy.context.scene
    assert len(links(scene)) == 1
    bpy.ops.facetalk.delete_take()
    assert not links(scene)
    assert not scene.animation_data.drivers


def test_a_cancelled_generation_leaves_no_link(registered, tmp_path):
    strip = speaking_strip(bpy.context.scene, tmp_path)
    generation = module("facetalk_blender.generation.generation")
    run = generation.Generation(registered.client(), strip, generation.Options(bundle="slow"))
    run.cancel()
    assert not links(bpy.context.scene)
