"""The main job: video with sound, scene and report, exit codes, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import scripted_shapes
from blender_scene import bpy, write_wav
from repository import HELPERS, ROOT, SCRIPTED_ENGINE, import_from_extension

command = import_from_extension("facetalk_blender.unattended.command")
session = import_from_extension("facetalk_blender.generation.session").session
SCRIPT = ROOT / "facetalk_blender" / "batch.py"
SMALL = ["--size", "32x32", "--samples", "1"]
# The real script with the scripted engine in the place of the model.
RUNNER = """
import sys
sys.path.insert(0, sys.argv[1])
from repository import SCRIPTED_ENGINE, import_from_extension
import_from_extension("facetalk_blender.generation.session").session.engine_root = SCRIPTED_ENGINE
command = import_from_extension("facetalk_blender.unattended.command")
sys.exit(command.main(sys.argv[2:]))
"""


@pytest.fixture
def scripted(scene, monkeypatch, tmp_path):
    """Batch run in this process with the scripted engine; returns the exit code."""
    monkeypatch.setattr(session, "engine_root", SCRIPTED_ENGINE)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    write_wav(tmp_path / "voice.wav", 0.4)
    return lambda *options: command.main(["--audio", str(tmp_path / "voice.wav"), *SMALL, *options])


def test_video_scene_sheet_and_report(scripted, tmp_path):
    paths = {name: tmp_path / f"out.{name}" for name in ("mp4", "blend", "png", "json")}
    code = scripted(
        "--output", str(paths["mp4"]), "--blend", str(paths["blend"]), "--contact-sheet", str(paths["png"]),
        "--json", str(paths["json"]),
    )  # fmt: skip
    assert code == 0
    import aud

    sound = aud.Sound(str(paths["mp4"])).data()
    assert np.sqrt((sound**2).mean()) > 0.05  # audible: the tone has 0.35
    report = json.loads(paths["json"].read_text())
    assert report["frames"] == 10
    assert report["engine"]["bundle"] == "scripted"
    assert report["seconds"]["render"] > 0
    assert str(tmp_path) not in paths["json"].read_text()
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in paths.values()} | {"voice.wav"}
    bpy.ops.wm.open_mainfile(filepath=str(paths["blend"]))
    (strip,) = bpy.context.scene.sequence_editor.strips_all
    assert strip.sound.packed_file
    assert strip.sound.filepath == "//voice.wav"
    assert all(path.startswith("//") for path in bpy.utils.blend_paths(absolute=False))
    clip = bpy.data.movieclips.load(str(paths["mp4"]))
    assert tuple(clip.size) == (32, 32)
    assert clip.frame_duration == 10


@pytest.mark.slow
def test_frames_in_a_cache_folder(scripted, tmp_path):
    blend = tmp_path / "out.blend"
    options = ("--blend", str(blend), "--output", str(tmp_path / "out.mp4"), "--frames-in", "cache")
    for _ in range(2):  # the second replaces the first
        assert scripted(*options) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"out.blend", "out.mp4", "out_frames", "voice.wav"}
    assert len(list((tmp_path / "out_frames").iterdir())) == 1
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    (cache,) = bpy.data.cache_files
    assert cache.filepath.startswith("//out_frames/")
    head = next(item for item in bpy.data.objects if "facetalk_take" in item)
    for frame in (3, 1):
        bpy.context.scene.frame_set(frame)
        mesh = head.evaluated_get(bpy.context.view_layer.depsgraph).data
        assert len(mesh.vertices) == len(scripted_shapes.surface(frame - 1)[1]["vertices"])
    (tmp_path / "out_frames" / "own.txt").write_text("an artist's file")
    assert scripted(*options) == 4
    assert (tmp_path / "out_frames" / "own.txt").exists()


def test_shape_keys_and_part_of_the_clip(scripted, tmp_path):
    blend = tmp_path / "out.blend"
    assert scripted("--blend", str(blend), "--head-output", "shape-keys", "--frames", "3:5", "--fps", "29.97") == 0
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    scene = bpy.context.scene
    assert (scene.frame_start, scene.frame_end) == (3, 5)
    assert scene.render.fps / scene.render.fps_base == pytest.approx(29.97)
    assert "FaceTalk voice" in scene.objects


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ([], 2, "--output or --blend"),
        (["--output", "x.avi"], 2, ".mp4"),
        (["--output", "x.mp4", "--resolution", "100"], 2, "--resolution"),
        (["--output", "x.mp4", "--size", "33x32"], 2, "even numbers"),
        (["--output", "x.mp4", "--frames", "5:2"], 2, "1:48"),
        (["--output", "x.mp4", "--frames", "5:2000"], 2, "the clip has"),
        (["--output", "x.mp4", "--strength", "9"], 2, "--strength"),
        (["--output", "x.mp4", "--smooth", "2"], 2, "--smooth"),
        (["--output", "x.mp4", "--person", "Nobody"], 2, "--person"),
        (["--output", "x.mp4", "--person", "Anna", "--seed-person", "1"], 2, "one of them"),
        (["--output", "x.mp4", "--seed-person", "-1"], 2, "--seed-person"),
        (["--output", "missing/x.mp4"], 4, "another folder"),
        (["--output", "x.mp4", "--bundle", "fails"], 3, "recording is empty"),
        (["--output", "x.mp4", "--engine-python", "no-such-python"], 2, "Python"),
    ],
)
def test_a_refusal_is_one_line_and_leaves_nothing(scripted, tmp_path, capfd, monkeypatch, options, code, text):
    monkeypatch.chdir(tmp_path)
    assert scripted(*options) == code
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("Error")]
    assert text in line
    assert [path.name for path in tmp_path.iterdir()] == ["voice.wav"]


def test_a_missing_recording_is_refused(tmp_path, capfd, monkeypatch, scene):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert command.main(["--audio", str(tmp_path / "none.wav"), "--output", str(tmp_path / "x.mp4")]) == 2
    assert "none.wav" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_script_runs_with_plain_python():
    run = subprocess.run([sys.executable, SCRIPT, "--", "--help"], capture_output=True, text=True)
    assert run.returncode == 0
    assert "Exit codes" in run.stdout
    assert "--head-output" in run.stdout


@pytest.mark.slow
def test_an_interrupted_run_leaves_no_file_and_no_process(tmp_path):
    write_wav(tmp_path / "voice.wav", 3.0)
    options = ["--audio", tmp_path / "voice.wav", "--output", tmp_path / "x.mp4", "--bundle", "slow", *SMALL]
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(HELPERS), *options], stdout=subprocess.PIPE, text=True
    )
    while "Extracting" not in process.stdout.readline():
        assert process.poll() is None
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()
    assert children
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    assert [path.name for path in tmp_path.iterdir()] == ["voice.wav"]
    time.sleep(0.5)
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(int(child), 0)
