"""Which moment of a file is heard at which frame, compared with Blender's own mixdown."""

import numpy as np
import pytest
from ramp_recording import SECONDS, heard
from repository import import_from_extension

sound_strip = import_from_extension("facetalk_blender.sound.strip")
heard_sound = import_from_extension("facetalk_blender.sound.heard_sound")
EngineError = import_from_extension("engine.shared.errors").EngineError


@pytest.mark.parametrize(
    ("fps", "base", "start", "left", "right", "trim", "offset"),
    [
        (24, 1.0, 1, 0, 0, 0, 0.0),
        (30, 1.001, 7, 0, 0, 0, 0.0),
        (25, 1.0, -4, 10, 20, 0, 0.0),
        (24, 1.0, 12, 0, 0, 9, 0.0),
        (60, 1.0, 3, 15, 5, 30, 0.25),
        (24, 1.0, 5, 0, 0, 0, -0.5),
    ],
)
def test_time_of_a_frame(scene, ramp, tmp_path, fps, base, start, left, right, trim, offset):
    scene.render.fps, scene.render.fps_base = fps, base
    strip = sound_strip.load_sound(scene, ramp, start)
    strip.frame_offset_start, strip.frame_offset_end = left, right
    strip.animation_offset_start, strip.sound_offset = trim, offset
    clip = sound_strip.clip_of(strip)
    scene.frame_start, scene.frame_end = max(clip.frame_start, 0), clip.frame_end - 1
    frames, expected = heard(scene, tmp_path)
    times = np.array([clip.time_of(frame + 0.5) + clip.audio_start for frame in frames])
    audible = (times > 0.05) & (times < SECONDS - 0.05)
    assert audible.sum() > 20
    np.testing.assert_allclose(times[audible], expected[audible], atol=0.01)
    assert np.abs(expected[times < -0.05]).max(initial=0.0) < 0.02


def test_frames_and_times_are_inverse(scene, ramp):
    clip = sound_strip.clip_of(sound_strip.load_sound(scene, ramp, 9))
    assert clip.frame_of(clip.time_of(31.5)) == pytest.approx(31.5)
    assert clip.time_of(9) == 0.0
    assert clip.duration == pytest.approx(SECONDS)


def test_a_packed_sound_is_handed_to_the_engine_without_a_file(scene, ramp):
    content = ramp.read_bytes()
    strip = sound_strip.load_sound(scene, ramp, 1)
    strip.sound.pack()
    ramp.unlink()
    clip = sound_strip.clip_of(strip)
    _, arrays = heard_sound.HeardSound(strip, clip).question()
    assert arrays["file"].tobytes() == content
    assert clip.duration == pytest.approx(SECONDS, abs=0.05)


def test_a_wav_is_read_in_place(scene, ramp):
    strip = sound_strip.load_sound(scene, ramp, 1)
    fields, arrays = heard_sound.HeardSound(strip, sound_strip.clip_of(strip)).question()
    assert fields["audio"] == str(ramp)
    assert fields["whole_seconds"] == pytest.approx(SECONDS)
    assert arrays == {}


def test_a_sound_is_laid_where_there_is_room(scene, ramp):
    strips = [sound_strip.load_sound(scene, ramp, frame) for frame in (1, 1, 10, 1000)]
    assert [strip.channel for strip in strips] == [1, 2, 3, 1]
    assert [strip.frame_final_start for strip in strips] == [1, 1, 10, 1000]


def test_what_cannot_be_used_says_why(scene, ramp, tmp_path):
    with pytest.raises(EngineError, match="no sound file"):
        sound_strip.load_sound(scene, tmp_path / "none.wav", 1)
    text = tmp_path / "text.wav"
    text.write_text("not a sound")
    with pytest.raises(EngineError, match=r"text\.wav"):
        sound_strip.load_sound(scene, text, 1)
    assert sound_strip.sound_strips(scene) == []
    strip = sound_strip.load_sound(scene, ramp, 1)
    ramp.unlink()
    assert "missing" in sound_strip.strip_problem(strip)
