"""Outside the lines a character is what it was before, however many lines there are and whatever the artist has."""

import json

import numpy as np
import pytest
from blender_scene import START, bpy, speaking_strip
from repository import import_from_extension
from speaking_faces import a_text, artists_action, bake, expected, face, snapshot, speech, values

from engine.shared.arkit import ARKIT_NAMES

action_module = import_from_extension("facetalk_blender.outputs.curve_action")
curves = import_from_extension("facetalk_blender.outputs.curves.expression_curves")
rest_track = import_from_extension("facetalk_blender.outputs.rest_track")
sound_strip = import_from_extension("facetalk_blender.sound.strip")

DENSE = {"tolerance": None}
BEFORE = {"jawOpen": 0.125, "mouthClose": 0.0}
OUTSIDE = (-200, 1, START - 4, START + 51, 95, 155, 400)


def line(scene, tmp_path, frame):
    """A strip of two seconds, each in a channel of its own."""
    taken = len(scene.sequence_editor.strips) if scene.sequence_editor else 0
    if not taken:
        return speaking_strip(scene, tmp_path, frame=frame)
    return sound_strip.load_sound(scene, tmp_path / "tone.wav", frame, channel=taken + 1)


def character(**more):
    item = face([*BEFORE, "smile", *more])
    for key, value in (BEFORE | more).items():
        item.data.shape_keys.key_blocks[key].value = value
    return item


def assert_as_before(item, frames=OUTSIDE, keys=tuple(BEFORE)):
    for key in keys:
        np.testing.assert_allclose(values(item, key, frames), BEFORE[key], atol=1e-4, err_msg=key)


@pytest.mark.parametrize("animated", [False, True])
@pytest.mark.parametrize("lines", [1, 2, 3])
@pytest.mark.parametrize("tolerance", [None, 0.01])
def test_outside_the_lines_keys_are_what_they_were(scene, tmp_path, lines, animated, tolerance):
    item = character()
    action = artists_action(item, "smile") if animated else None
    before = snapshot(action) if animated else None
    strips = [line(scene, tmp_path, START + 90 * index) for index in range(lines)]
    takes = [speech(seed=index) for index in range(lines)]
    for strip, take in zip(strips, takes, strict=True):
        assert bake(strip, take, targets=("Face",), tolerance=tolerance).notes == []
    outside = [frame for frame in OUTSIDE if lines < 3 or frame != 400]
    assert_as_before(item, outside)
    frames = np.arange(START, START + 48)
    for index, take in enumerate(takes):
        shown = values(item, "jawOpen", frames + 90 * index)
        np.testing.assert_allclose(shown, expected(take, "jawOpen", frames), atol=1e-4 + (tolerance or 0))
    if animated:
        assert item.data.shape_keys.animation_data.action == action
        assert snapshot(action) == before
        np.testing.assert_allclose(values(item, "smile", (1, 30, 90)), 0.25)
    for strip in strips:
        curves.remove_from_targets(scene, strip.name)
    assert list(bpy.data.actions) == ([action] if animated else [])
    assert {key: item.data.shape_keys.key_blocks[key].value for key in BEFORE} == BEFORE
    assert not item.data.shape_keys.keys()


def test_all_keys_of_a_line_that_others_do_not_move_rest_too(scene, tmp_path):
    item, first, second = character(), line(scene, tmp_path, START), line(scene, tmp_path, 101)
    link = import_from_extension("facetalk_blender.retargeting.key_link").KeyLink
    bake(first, links=(link("jawOpen", "jawOpen"),), targets=("Face",), **DENSE)
    bake(second, links=(link("mouthClose", "mouthClose"),), targets=("Face",), **DENSE)
    assert_as_before(item)
    assert_as_before(item, (30,), ("mouthClose",))
    assert_as_before(item, (120,), ("jawOpen",))


def test_lines_that_follow_at_once_pass_into_each_other(scene, tmp_path):
    item, one, two = character(), speech(seed=1), speech(seed=2)
    for strip, take in ((line(scene, tmp_path, START), one), (line(scene, tmp_path, START + 48), two)):
        bake(strip, take, targets=("Face",), **DENSE)
    frames = np.arange(START, START + 45)
    np.testing.assert_allclose(values(item, "jawOpen", frames), expected(one, "jawOpen", frames), atol=1e-4)
    np.testing.assert_allclose(values(item, "jawOpen", frames + 48), expected(two, "jawOpen", frames), atol=1e-4)


def test_tracks_of_the_artist_are_what_they_were_in_their_gaps_too(scene, tmp_path):
    item = character(own=0.0)
    artists_action(item, "own")
    data = item.data.shape_keys.animation_data
    data.action.layers[0].strips[0].channelbag(data.action_slot).fcurves[0].keyframe_points.insert(20, 0.75)
    action, slot, data.action = data.action, data.action_slot, None
    strip = data.nla_tracks.new().strips.new("Own", 1, action)
    strip.action_slot, strip.extrapolation = slot, "NOTHING"
    frames = (1, 10, 20, 60, 300)
    before = values(item, "own", frames)
    made = [line(scene, tmp_path, START), line(scene, tmp_path, 101)]
    links = (import_from_extension("facetalk_blender.retargeting.key_link").KeyLink("jawOpen", "jawOpen"),)
    for sound in made:
        bake(sound, targets=("Face",), links=links)
    np.testing.assert_allclose(values(item, "own", frames), before)
    assert_as_before(item)
    for sound in made:
        curves.remove_from_targets(scene, sound.name)
    assert [track.strips[0].action for track in data.nla_tracks] == [action]


def test_takes_of_a_strip_that_wait_leave_no_trace(scene, tmp_path):
    item, strip = character(), line(scene, tmp_path, START)
    for seed in range(3):
        bake(strip, speech(seed=seed), targets=("Face",))
    assert_as_before(item)
    action_module.show_take(scene, a_text(strip))
    assert_as_before(item, (*OUTSIDE, 30))
    item.data.shape_keys.key_blocks["jawOpen"].value = 0.5
    scene.frame_set(12)
    assert item.data.shape_keys.key_blocks["jawOpen"].value == 0.5


def test_a_track_of_an_earlier_version_gets_its_base_below(scene, tmp_path):
    item, first = character(), line(scene, tmp_path, START)
    artists_action(item, "smile")
    take = speech(seed=1)
    bake(first, take, targets=("Face",), **DENSE)
    data = item.data.shape_keys.animation_data
    data.nla_tracks[0].strips[0].extrapolation = "NOTHING"
    bake(line(scene, tmp_path, 101), targets=("Face",), **DENSE)
    assert rest_track.is_base(data.nla_tracks[0].strips[0].action)
    assert_as_before(item)
    frames = np.arange(START, START + 48)
    np.testing.assert_allclose(values(item, "jawOpen", frames), expected(take, "jawOpen", frames), atol=1e-4)


def test_all_of_arkit_stand_at_zero_between_two_lines(scene, tmp_path):
    item = face(list(ARKIT_NAMES))
    for frame in (10, 80):
        bake(line(scene, tmp_path, frame), targets=("Face",))
    for frame in (1, 68, 150):
        scene.frame_set(frame)
        assert max(block.value for block in item.data.shape_keys.key_blocks[1:]) < 1e-4
    assert json.loads(item.data.shape_keys[rest_track.REST_PROPERTY])["jawOpen"] == 0.0
