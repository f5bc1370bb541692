"""What Blender's mixdown is silent of has a reason, and what it plays is a clip of the frames that are heard."""

import numpy as np
import pytest
from blender_scene import bpy, speaking_strip
from ramp_recording import heard
from repository import import_from_extension

sound_strip = import_from_extension("facetalk_blender.sound.strip")
compat = import_from_extension("facetalk_blender.compat")
LAST = 60


def in_meta(strip, first=1, end=LAST):
    """A meta strip around a strip, in the third channel, heard from a frame to another."""
    scene = strip.id_data
    meta = compat.strip_collection(scene.sequence_editor).new_meta("Around", 3, first)
    strip.move_to_meta(meta)
    meta.channel = 3
    meta.frame_final_start, meta.frame_final_end = first, end
    return meta, next(iter(meta.strips))


def key_volume(strip, values):
    for frame, value in values.items():
        strip.volume = value
        strip.keyframe_insert("volume", frame=frame)


def mute_channel(strip):
    strip.id_data.sequence_editor.channels[strip.channel].mute = True


def mute_meta(strip):
    in_meta(strip)[0].mute = True


def mute_channel_of_meta(strip):
    mute_channel(in_meta(strip)[0])


def mute_channel_in_meta(strip):
    meta, inner = in_meta(strip)
    meta.channels[inner.channel].mute = True


def mute_strip_in_meta(strip):
    in_meta(strip)[1].mute = True


def mute_outer_meta(strip):
    meta, _ = in_meta(strip)
    outer = compat.strip_collection(strip.id_data.sequence_editor).new_meta("Outer", 5, 1)
    meta.move_to_meta(outer)
    outer.frame_final_end = LAST
    outer.mute = True


def trim_meta_away(strip):
    in_meta(strip, 50, 80)


def no_volume(strip):
    strip.volume = 0.0


def volume_keyed_to_zero(strip):
    key_volume(strip, {1: 0.0, 30: 0.0, 70: 1.0})
    strip.id_data.frame_set(70)
    for curve in curves(strip.id_data):
        for point in curve.keyframe_points:
            point.interpolation = "CONSTANT"


def curves(scene):
    data = scene.animation_data
    return data.action.layers[0].strips[0].channelbag(data.action_slot).fcurves


def scene_muted(strip):
    strip.id_data.use_audio = False


def scene_without_volume(strip):
    strip.id_data.audio_volume = 0.0


SILENT = {
    mute_channel: "Channel 1",
    mute_meta: "meta strip Around is muted",
    mute_channel_of_meta: "Channel 3",
    mute_channel_in_meta: "Channel ",
    mute_strip_in_meta: "strip tone is muted",
    mute_outer_meta: "meta strip Outer is muted",
    trim_meta_away: "outside the handles",
    no_volume: "volume of the strip tone is 0",
    volume_keyed_to_zero: "volume of the strip tone is 0",
    scene_muted: "audio of the scene Scene is muted",
    scene_without_volume: "volume of the scene Scene is 0",
}


def loudness(scene, folder):
    scene.frame_start, scene.frame_end = 1, LAST
    return np.abs(heard(scene, folder)[1])


def the_strip(scene):
    return sound_strip.find_strip(scene, "tone")


@pytest.mark.parametrize("change", SILENT, ids=lambda change: change.__name__)
def test_what_nobody_hears_has_a_reason(scene, tmp_path, change):
    strip = speaking_strip(scene, tmp_path)
    assert sound_strip.choice_problem(scene, "tone") == ""
    change(strip)
    reason = sound_strip.choice_problem(scene, "tone")
    assert SILENT[change] in reason
    assert reason.endswith(".")
    assert loudness(scene, tmp_path)[:48].max() < 1e-3


def softer(strip):
    strip.volume = 0.1


def volume_keyed_around_a_zero(strip):
    key_volume(strip, {1: 0.0, 20: 1.0, 40: 0.0})
    strip.id_data.frame_set(1)


def meta_around(strip):
    in_meta(strip)


def muted_neighbour(strip):
    scene = strip.id_data
    scene.sequence_editor.channels[7].mute = True


@pytest.mark.parametrize("change", [softer, volume_keyed_around_a_zero, meta_around, muted_neighbour])
def test_what_is_heard_has_none(scene, tmp_path, change):
    strip = speaking_strip(scene, tmp_path)
    change(strip)
    assert sound_strip.choice_problem(scene, "tone") == ""
    assert loudness(scene, tmp_path)[:48].max() > 1e-2


def test_a_trimmed_meta_strip_trims_the_clip(scene, tmp_path):
    in_meta(speaking_strip(scene, tmp_path), 13, 37)
    clip = sound_strip.clip_of(the_strip(scene))
    assert (clip.frame_start, clip.frame_end) == (13, 37)
    assert clip.audio_start == pytest.approx(0.5)
    assert clip.duration == pytest.approx(1.0)
    assert sound_strip.heard_part(the_strip(scene)) == pytest.approx((0.5, 1.5))
    found = np.flatnonzero(loudness(scene, tmp_path) > 1e-3) + 1
    assert found.min() == pytest.approx(13, abs=1)
    assert found.max() == pytest.approx(36, abs=1)


def test_a_moved_meta_strip_moves_the_clip(scene, tmp_path):
    meta, _ = in_meta(speaking_strip(scene, tmp_path), 1, 49)
    meta.frame_start += 10
    clip = sound_strip.clip_of(the_strip(scene))
    assert (clip.frame_start, clip.frame_end) == (11, 59)
    assert clip.audio_start == 0.0


def test_sound_of_a_scene_strip_is_told(scene, tmp_path):
    other = bpy.data.scenes.new("Talk")
    speaking_strip(other, tmp_path)
    strips = compat.strip_collection(scene.sequence_editor_create())
    strips.new_scene("Shot", other, 1, 1)
    reason = sound_strip.choice_problem(scene, "")
    assert "strip Shot lies in the scene Talk" in reason
