"""Takes of the opened file without a window: as its panel is set, and as `blender --command facetalk` runs them."""

import signal
import subprocess
import sys

import pytest
from blender_scene import bpy, speaking_strip, write_wav
from registered_extension import module
from repository import HELPERS

pytestmark = pytest.mark.slow


@pytest.fixture
def command(registered, monkeypatch, tmp_path):
    """The command with the opened file of two strips, of which the panel shows the first; returns the exit code."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    load_sound = module("facetalk_blender.sound.strip").load_sound
    first = speaking_strip(bpy.context.scene, tmp_path, 1.0)
    load_sound(bpy.context.scene, write_wav(tmp_path / "other.wav", 1.0), 30, 2)
    settings = bpy.context.scene.facetalk
    settings.strip, settings.output, settings.seed, settings.add_stage = first.name, "SHAPE_KEYS", 7, False
    run = module("facetalk_blender.unattended.command")
    return lambda *options: run.main(["--scene-settings", *options])


def test_the_panels_settings_make_the_take_and_the_opened_file_stays(command, tmp_path):
    opened, path = tmp_path / "shot.blend", tmp_path / "spoken.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(opened))
    before = opened.read_bytes()
    assert command("--blend", str(path)) == 0
    assert opened.read_bytes() == before
    bpy.ops.wm.open_mainfile(filepath=str(path))
    text = bpy.context.scene.facetalk.take
    assert (text["facetalk_strip"], text["facetalk_seed"]) == ("tone", "7")
    assert bpy.context.scene.objects["FaceTalk tone"].data.shape_keys


def test_several_strips_and_the_opened_file_itself(command, tmp_path):
    path = tmp_path / "shot.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    assert command("--strip", "other", "--strip", "tone", "--blend", str(path)) == 0
    bpy.ops.wm.open_mainfile(filepath=str(path))
    assert {text["facetalk_strip"] for text in bpy.data.texts} == {"other", "tone"}


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (["--blend", "x.mp4"], 2, "must end in .blend"),
        (["--blend", "x.blend", "--strip", "nobody"], 2, "nobody is gone"),
        (["--blend", "missing/x.blend"], 4, "another place"),
        (["--blend", "x.blend", "--engine-python", "no-such-python"], 2, "check it in the preferences"),
        (["--blend", "x.blend", "--audio", "voice.wav"], 2, "--audio"),
        ([], 2, "--blend"),
    ],
)
def test_a_refusal_says_why(command, tmp_path, monkeypatch, capfd, options, code, text):
    monkeypatch.chdir(tmp_path)
    assert command(*options) == code
    assert text in capfd.readouterr().err
    assert not list(tmp_path.glob("*.blend"))


def test_a_failing_engine_has_its_exit_code(command, tmp_path, capfd):
    preferences = bpy.context.preferences.addons[module("facetalk_blender.extension").EXTENSION].preferences
    preferences.bundle = "fails"
    assert command("--blend", str(tmp_path / "x.blend")) == 3
    assert "recording is empty" in capfd.readouterr().err


NOT_INSTALLED = """
import sys
sys.path.insert(0, sys.argv[1])
import bpy
from repository import SCRIPTED_ENGINE, import_from_extension
import_from_extension("facetalk_blender.generation.session").session.engine_root = SCRIPTED_ENGINE
command = import_from_extension("facetalk_blender.unattended.command")
registration = import_from_extension("facetalk_blender.registration")
bpy.ops.wm.open_mainfile(filepath=sys.argv[2])
command.leave(command.main(sys.argv[3:], registration.register))
"""


def test_it_runs_from_a_folder_that_is_not_installed(command, tmp_path):
    opened, path = tmp_path / "shot.blend", tmp_path / "spoken.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(opened))
    options = [str(HELPERS), opened, "--scene-settings", "--blend", path]
    run = subprocess.run([sys.executable, "-c", NOT_INSTALLED, *options], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    bpy.ops.wm.open_mainfile(filepath=str(path))
    assert bpy.context.scene.facetalk.take["facetalk_seed"] == "7"
