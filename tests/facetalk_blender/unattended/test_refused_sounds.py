"""Sounds that cannot speak: the command line refuses them with the panel's sentence and exit code 2."""

import os
import signal
import wave

import pytest
from blender_scene import bpy, speaking_strip, write_wav
from registered_extension import module
from speaking_faces import face


@pytest.fixture
def run(registered, monkeypatch, capfd):
    """The command in this process; its exit code and the one line of its error."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def call(*options):
        code = module("facetalk_blender.unattended.command").main([str(option) for option in options])
        lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("Error: ")]
        return code, "".join(lines).removeprefix("Error: ")

    return call


def reason():
    return module("facetalk_blender.settings.reasons").disabled_reason(bpy.context)


def mute_channel(strip):
    strip.id_data.sequence_editor.channels[strip.channel].mute = True


def mute_meta(strip):
    strips = module("facetalk_blender.compat").strip_collection(strip.id_data.sequence_editor)
    meta = strips.new_meta("Around", 3, 1)
    strip.move_to_meta(meta)
    meta.frame_final_end, meta.mute = 40, True


CHANGES = {
    "muted": lambda strip: setattr(strip, "mute", True),
    "channel": mute_channel,
    "meta strip": mute_meta,
    "volume": lambda strip: setattr(strip, "volume", 0.0),
    "scene": lambda strip: setattr(strip.id_data, "use_audio", False),
    "file": lambda strip: setattr(strip.sound, "filepath", "//gone.wav"),
    "trimmed": lambda strip: setattr(strip, "frame_final_end", 2),
    "renamed": lambda strip: setattr(strip, "name", "other"),
    "not chosen": lambda strip: setattr(bpy.context.scene.facetalk, "strip", ""),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_strip_of_the_opened_file_is_refused_as_in_the_panel(run, tmp_path, change):
    strip = speaking_strip(bpy.context.scene, tmp_path)
    bpy.context.scene.facetalk.strip = strip.name
    assert reason() == ""
    CHANGES[change](strip)
    expected = reason()
    assert expected
    assert run("--scene-settings", "--blend", tmp_path / "out.blend") == (2, expected)
    assert not (tmp_path / "out.blend").exists()


@pytest.mark.parametrize(("name", "value"), [("use_audio", False), ("audio_volume", 0.0)])
def test_a_scene_that_plays_no_sound_is_refused_for_a_target_too(run, tmp_path, name, value):
    face(["jawOpen"])
    setattr(bpy.context.scene, name, value)
    voice = write_wav(tmp_path / "voice.wav")
    options = ["--target", "Face", "--head-output", "expression-curves", "--blend", tmp_path / "out.blend"]
    code, told = run("--audio", voice, *options)
    bpy.context.scene.facetalk.strip = "voice"
    assert (code, told) == (2, reason())
    assert told


def long_recording(path, minutes=61):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(1000)
        file.writeframes(b"\x80\x90" * (30000 * minutes))
    return path


def test_a_recording_of_more_than_an_hour_is_refused_and_a_part_of_it_is_not(run, tmp_path):
    voice, blend = long_recording(tmp_path / "long.wav"), tmp_path / "out.blend"
    options = ["--audio", voice, "--blend", blend, "--head-output", "shape-keys"]
    code, told = run(*options)
    assert code == 2
    assert "more than 60 minutes" in told
    assert not blend.exists()
    assert run(*options, "--frames", "87001:87010") == (0, "")
    assert blend.exists()


def test_the_panel_says_the_same_of_it(run, tmp_path):
    scene = bpy.context.scene
    scene.facetalk.strip = (
        module("facetalk_blender.sound.strip").load_sound(scene, long_recording(tmp_path / "long.wav"), 1).name
    )
    code, told = run("--scene-settings", "--blend", tmp_path / "out.blend")
    assert code == 2
    assert told == reason()
    assert "more than 60 minutes" in told


def bad_files(folder):
    write_wav(folder / "short.wav", 0.02)
    (folder / "text.wav").write_text("no sound")
    latin = os.fsdecode(b"latin\xe9.wav")
    write_wav(folder / "x.wav").rename(folder / latin)
    return ["short.wav", "text.wav", latin, "none.wav"]


def test_files_that_cannot_be_loaded_are_refused_as_by_load_sound(run, tmp_path):
    for name in bad_files(tmp_path):
        code, told = run("--audio", tmp_path / name, "--output", tmp_path / "x.mp4")
        assert code == 2
        assert told.endswith(".")
        bpy.ops.wm.read_homefile(use_empty=True)
        try:
            bpy.ops.facetalk.load_sound(filepath=str(tmp_path / name))
        except RuntimeError as error:
            assert told in str(error)
        else:
            assert told == reason()
        assert not (tmp_path / "x.mp4").exists()
