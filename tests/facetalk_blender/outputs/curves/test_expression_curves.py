"""Expression curves on meshes of the artist: right values, and nothing of the artist's is touched."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
from blender_scene import START, bpy, speaking_strip
from repository import import_from_extension
from speaking_faces import a_text, artists_action, bake, expected, face, snapshot, speech, values

action_module = import_from_extension("facetalk_blender.outputs.curve_action")
following = import_from_extension("facetalk_blender.outputs.curve_following")
check = import_from_extension("facetalk_blender.outputs.curves.movement_check")
curves = import_from_extension("facetalk_blender.outputs.curves.expression_curves")
sound_strip = import_from_extension("facetalk_blender.sound.strip")
KeyLink = import_from_extension("facetalk_blender.retargeting.key_link").KeyLink
EngineError = import_from_extension("engine.shared.errors").EngineError

DENSE = {"tolerance": None}


@pytest.mark.parametrize("fps", [24, 30, 60])
@pytest.mark.parametrize("tolerance", [None, 0.02])
def test_values_at_scene_frames_are_the_takes(scene, tmp_path, fps, tolerance):
    scene.render.fps = fps
    strip, item, take = speaking_strip(scene, tmp_path, frame=START), face(["jawOpen", "mouthClose"]), speech()
    writer = bake(strip, take, targets=("Face",), tolerance=tolerance)
    assert writer.notes == []
    assert writer.written == writer.frame_count == 2 * fps
    frames = range(START, START + 2 * fps)
    for key in ("jawOpen", "mouthClose"):
        error = np.abs(values(item, key, frames) - expected(take, key, frames, fps))
        assert error.max() < (tolerance or 0) + 1e-4
    (action,) = bpy.data.actions
    points = [len(curve.keyframe_points) for curve in action_module.curves_of(action, action.slots[0])]
    rest = 2 * action_module.rest_frames(fps)
    assert set(points) == {2 * fps + rest} if tolerance is None else max(points) < 2 * fps
    assert rest / 2 <= 0.15 * fps
    outside = (1 - fps, START - rest // 2, START + 2 * fps - 1 + rest // 2, START + 3 * fps)
    np.testing.assert_allclose(values(item, "jawOpen", outside), 0.0, atol=1e-4)


def test_several_meshes_share_one_action_with_a_slot_each(scene, tmp_path):
    strip, take = speaking_strip(scene, tmp_path, frame=START), speech()
    head, teeth = face(["jawOpen", "eyeBlinkLeft", "unrelated"]), face(["Jaw_Open"], "Teeth")
    assert bake(strip, take, targets=("Face", "Teeth"), **DENSE).notes == []
    (action,) = bpy.data.actions
    assert len(action.slots) == 2
    for item in (head, teeth):
        data = item.data.shape_keys.animation_data
        assert data.action == action
        assert data.action_slot.name_display == item.name
    np.testing.assert_allclose(values(teeth, "Jaw_Open", [30]), expected(take, "jawOpen", [30]), atol=1e-4)
    assert values(head, "unrelated", [30]) == 0


def test_gain_limits_and_unlisted_keys(scene, tmp_path):
    strip, item, take = speaking_strip(scene, tmp_path, frame=START), face(["jawOpen", "Mouth", "other"]), speech()
    item.data.shape_keys.key_blocks["Mouth"].slider_max = 0.5
    links = (KeyLink("Mouth", "mouthClose", 2.0), KeyLink("other", "", 1.0))
    bake(strip, take, targets=("Face",), links=links, **DENSE)
    frames = range(START, START + 48)
    wanted = np.clip(2 * expected(take, "mouthClose", frames), 0, 0.5)
    np.testing.assert_allclose(values(item, "Mouth", frames), wanted, atol=1e-4)
    assert not values(item, "jawOpen", frames).any()
    assert not values(item, "other", frames).any()


def test_visemes_move_a_character_that_has_nothing_else(scene, tmp_path):
    names = import_from_extension("facetalk_blender.retargeting.names").VISEMES
    strip, item = speaking_strip(scene, tmp_path, frame=START), face(list(names))
    assert bake(strip, targets=("Face",)).notes == []
    assert np.ptp(values(item, "viseme_aa", range(START, START + 48))) > 0.05


def test_the_artists_action_stays_and_ours_comes_as_a_track(scene, tmp_path):
    strip, item, take = speaking_strip(scene, tmp_path, frame=START), face(["jawOpen", "smile"]), speech()
    action = artists_action(item, "smile")
    before, users, text = snapshot(action), action.users, a_text(strip)
    writer = bake(strip, take, text, targets=("Face",), **DENSE)
    data = item.data.shape_keys.animation_data
    assert writer.notes == []
    assert data.action == action
    assert snapshot(action) == before
    assert action.users == users
    (track,) = data.nla_tracks
    assert track.strips[0].action != action
    frames = range(START, START + 48)
    np.testing.assert_allclose(values(item, "jawOpen", frames), expected(take, "jawOpen", frames), atol=1e-4)
    np.testing.assert_allclose(values(item, "smile", frames), 0.25)
    bake(strip, take, text, targets=("Face",), **DENSE)
    assert len(data.nla_tracks) == 1
    assert data.action == action
    assert len(bpy.data.actions) == 2


def test_two_strips_on_one_face_play_one_after_the_other(scene, tmp_path):
    first, item = speaking_strip(scene, tmp_path, frame=START), face(["jawOpen"])
    second = sound_strip.load_sound(scene, tmp_path / "tone.wav", 101, channel=2)
    one, two = speech(seed=1), speech(seed=2)
    bake(first, one, targets=("Face",), **DENSE)
    assert bake(second, two, targets=("Face",), **DENSE).notes == []
    assert item.data.shape_keys.animation_data.action is None
    frames = np.arange(START, START + 48)
    np.testing.assert_allclose(values(item, "jawOpen", frames), expected(one, "jawOpen", frames), atol=1e-4)
    np.testing.assert_allclose(values(item, "jawOpen", frames + 90), expected(two, "jawOpen", frames), atol=1e-4)


@pytest.mark.parametrize("animated", [False, True])
def test_removing_brings_everything_back(scene, tmp_path, animated):
    strip, item = speaking_strip(scene, tmp_path, frame=START), face(["jawOpen", "smile"])
    keys = item.data.shape_keys
    action = artists_action(item, "smile") if animated else None
    keys.key_blocks["jawOpen"].value = 0.125
    bake(strip, targets=("Face",))
    scene.frame_set(START + 20)
    bake(strip, speech(seed=5), targets=("Face",))
    assert curves.remove_from_targets(scene, strip.name) == 2
    assert list(bpy.data.actions) == ([action] if animated else [])
    assert not keys.keys()
    assert keys.key_blocks["jawOpen"].value == 0.125
    assert (keys.animation_data is None) != animated
    if animated:
        assert keys.animation_data.action == action
        assert not keys.animation_data.nla_tracks


def test_giving_up_leaves_nothing(scene, tmp_path):
    strip, item = speaking_strip(scene, tmp_path), face(["jawOpen", "mouthClose"])
    clip, settings = sound_strip.clip_of(strip), curves.CurveSettings(targets=("Face",))
    writer = curves.CurvesOnTargets(scene, clip, bpy.data.texts.new("Take"), speech(), settings, curves.plans(settings))
    writer.prepare(0.0005)
    writer.discard()
    assert not bpy.data.actions
    assert item.data.shape_keys.animation_data is None
    assert not item.data.shape_keys.keys()


@pytest.mark.parametrize("animated", [False, True])
@pytest.mark.parametrize("tolerance", [None, 0.01])
def test_curves_follow_their_strip_and_the_rate(scene, tmp_path, animated, tolerance):
    strip, item, take = speaking_strip(scene, tmp_path, frame=START), face(["jawOpen", "smile"]), speech()
    if animated:
        artists_action(item, "smile")
    bake(strip, take, targets=("Face",), tolerance=tolerance)
    frames = np.arange(START + 2, START + 46)
    before = values(item, "jawOpen", frames)
    strip.frame_start += 30
    following.follow_strips()
    np.testing.assert_allclose(values(item, "jawOpen", frames + 30), before, atol=1e-4)
    strip.frame_start -= 30
    scene.render.fps = 48
    following.follow_strips()
    np.testing.assert_allclose(values(item, "jawOpen", START + 2 * (frames - START)), before, atol=1e-4)


@pytest.mark.parametrize(
    ("prepare", "text"),
    [
        (lambda: None, "missing"),
        (lambda: bpy.context.scene.collection.objects.link(bpy.data.objects.new("Face", None)), "not a mesh with"),
        (lambda: face([]), "not a mesh with"),
        (lambda: face(["tail", "ear"]), "No shape key of Face"),
        (lambda: setattr(face(["jawOpen"]).data.shape_keys, "use_relative", False), "absolute"),
    ],
)
def test_a_target_that_cannot_be_used_is_refused(scene, prepare, text):
    prepare()
    with pytest.raises(EngineError, match=text):
        curves.plans(curves.CurveSettings(targets=("Face",)))


@pytest.mark.slow
def test_it_plays_in_a_fresh_blender_without_the_extension(scene, tmp_path):
    strip, take = speaking_strip(scene, tmp_path, frame=START), speech()
    face(["jawOpen"])
    bake(strip, take, targets=("Face",))
    path = tmp_path / "face.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    script = textwrap.dedent(f"""
        import bpy
        bpy.ops.wm.open_mainfile(filepath={str(path)!r})
        item = bpy.data.objects["Face"]
        for frame in ({START}, {START} + 13, {START} + 40):
            bpy.context.scene.frame_set(frame)
            print("height", item.evaluated_get(bpy.context.view_layer.depsgraph).data.vertices[0].co.z, flush=True)
        import os; os._exit(0)
    """)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    heights = [float(line.split()[1]) for line in run.stdout.splitlines() if line.startswith("height")]
    wanted = expected(take, "jawOpen", [START, START + 13, START + 40])
    np.testing.assert_allclose(heights, wanted, atol=0.006)


def test_an_empty_key_keeps_none_from_moving_that_can(scene):
    names = import_from_extension("facetalk_blender.retargeting.names").VISEMES
    item = face(["jawOpen", "eyeBlinkLeft", *names])
    item.data.shape_keys.key_blocks["jawOpen"].points[0].co.z = 0.0
    face(["jawOpen"], "Teeth")
    plans = {plan.name: plan for plan in curves.plans(curves.CurveSettings(targets=("Face", "Teeth")))}
    assert {link.key for link in plans["Face"].links} == {"eyeBlinkLeft", *names}
    assert {link.key for link in plans["Teeth"].links} == {"jawOpen"}
    table = tuple(KeyLink(name, name) for name in ("jawOpen", "eyeBlinkLeft", *names))
    plans = {plan.name: plan for plan in curves.plans(curves.CurveSettings(("Face", "Teeth"), table))}
    assert "jawOpen" not in {link.key for link in plans["Face"].links}
