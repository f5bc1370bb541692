"""Why a face with expression curves holds still."""

import pytest
from blender_scene import START, speaking_strip
from repository import import_from_extension
from speaking_faces import artists_action, bake, face

action_module = import_from_extension("facetalk_blender.outputs.curve_action")
check = import_from_extension("facetalk_blender.outputs.curves.movement_check")
curves = import_from_extension("facetalk_blender.outputs.curves.expression_curves")
KeyLink = import_from_extension("facetalk_blender.retargeting.key_link").KeyLink
EngineError = import_from_extension("engine.shared.errors").EngineError


def mute_key(item):
    item.data.shape_keys.key_blocks["jawOpen"].mute = True


def pin(item):
    item.active_shape_key_index, item.show_only_shape_key = 0, True


def drive(item):
    item.data.shape_keys.key_blocks["jawOpen"].driver_add("value").driver.expression = "0.1"


def other_action(item):
    artists_action(item, "jawOpen")


def no_shape(item):
    item.data.shape_keys.key_blocks["jawOpen"].points[0].co.z = 0.0


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (mute_key, "Muted shape keys of Face: jawOpen"),
        (pin, "turn off the pin"),
        (drive, "Drivers hold jawOpen"),
        (other_action, "holds jawOpen of Face"),
        (no_shape, "without a shape"),
    ],
)
def test_a_still_face_has_its_reason(scene, tmp_path, spoil, reason):
    strip, item = speaking_strip(scene, tmp_path, frame=START), face(["jawOpen", "smile"])
    spoil(item)
    scene.frame_set(7)
    (note,) = bake(strip, targets=("Face",)).notes
    assert reason in note
    assert note.endswith(".")
    assert scene.frame_current == 7


def test_a_muted_track_and_a_modifier_are_found(scene, tmp_path):
    strip, item = speaking_strip(scene, tmp_path, frame=START), face(["jawOpen", "smile"])
    artists_action(item, "smile")
    bake(strip, targets=("Face",))
    action = action_module.actions_of(scene, strip.name)[0]
    track = item.data.shape_keys.animation_data.nla_tracks[0]
    track.mute = True
    assert "is muted" in check.problems(scene, item, action)[0]
    track.mute = False
    assert check.problems(scene, item, action) == []
    modifier = item.modifiers.new("Flat", "SHRINKWRAP")
    modifier.target = face(["x"], "Wall")
    modifier.wrap_method, modifier.use_project_z = "NEAREST_VERTEX", False
    (note,) = check.problems(scene, item, action)
    assert "modifier" in note


def test_a_hidden_mesh_is_told_to_be_hidden(scene, tmp_path):
    strip, item = speaking_strip(scene, tmp_path, frame=START), face(["jawOpen"])
    item.hide_viewport = True
    (note,) = bake(strip, targets=("Face",)).notes
    assert "hidden" in note


def test_teeth_that_move_with_some_visemes_only_raise_no_alarm(scene, tmp_path):
    visemes = import_from_extension("facetalk_blender.retargeting.names").VISEMES
    strip, item = speaking_strip(scene, tmp_path, frame=START), face(list(visemes), "Teeth")
    for index, name in enumerate(visemes):
        if name not in ("viseme_aa", "viseme_E"):
            item.data.shape_keys.key_blocks[name].points[index].co.z = 0.0
    assert bake(strip, targets=("Teeth",)).notes == []
    links = tuple(KeyLink(name, name) for name in visemes)
    assert bake(strip, targets=("Teeth",), links=links).notes == []


def test_a_target_of_which_nothing_is_known_is_named(scene, tmp_path):
    strip = speaking_strip(scene, tmp_path, frame=START)
    face(["jawOpen"]), face(["Key 1"], "Lashes")
    (note,) = bake(strip, targets=("Face", "Lashes")).notes
    assert "Lashes" in note


def test_a_mouth_that_nothing_opens_is_told_before_anyone_looks(scene, tmp_path):
    strip = speaking_strip(scene, tmp_path, frame=START)
    face(["mouthPucker", "eyeBlinkLeft"])
    (note,) = bake(strip, targets=("Face",)).notes
    assert "Nothing opens the mouth" in note
