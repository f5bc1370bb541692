"""The face of a video becomes a take of the strip that has its sound."""

import os
import subprocess
import sys

import pytest
from blender_scene import bpy
from filmed_faces import write_film
from repository import ROOT, import_from_extension

video_capture = import_from_extension("facetalk_blender.exchange.video_capture")
sound_strip = import_from_extension("facetalk_blender.sound.strip")
compat = import_from_extension("facetalk_blender.compat")
take = import_from_extension("facetalk_blender.takes.take")
FRAMES = 24


@pytest.fixture
def spoken(registered, tmp_path):
    """The settings of a scene in which a film's sound is the chosen strip, from frame 11 on."""
    path = write_film(tmp_path / "film.mp4", frames=FRAMES, hidden=(8, 9))
    scene = bpy.context.scene
    scene.render.fps = 24
    scene.facetalk.strip = sound_strip.load_sound(scene, path, 11).name
    return scene.facetalk


@pytest.fixture
def real_engine(registered):
    """The engine itself in place of the scripted one."""
    python = os.environ.get("FACETALK_ENGINE_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import av, mediapipe"], capture_output=True, check=False).returncode:
        pytest.skip("the engine's Python lacks mediapipe or av")
    registered.engine_root = ROOT


def test_its_own_file_or_a_movie_strip_is_proposed(spoken, tmp_path):
    scene = bpy.context.scene
    strip = sound_strip.find_strip(scene, spoken.strip)
    film = video_capture.film_of(strip)
    assert film.path.name == "film.mp4"
    assert film.offset == 0.0
    other = write_film(tmp_path / "other.mp4", frames=FRAMES, faces=())
    compat.strip_collection(scene.sequence_editor).new_movie("Other", str(other), 4, 17)
    film = video_capture.film_of(strip)
    assert film.path.name == "other.mp4"
    assert film.offset == pytest.approx(6 / 24)
    part = video_capture.part_of(strip, film.path, film.offset)
    assert part.start == 0.0
    assert part.duration == pytest.approx(18 / 24, abs=0.1)


def test_it_is_a_take_with_a_pose(spoken, real_engine, registered):
    path = str(video_capture.film_of(sound_strip.find_strip(bpy.context.scene, spoken.strip)).path)
    assert bpy.ops.facetalk.capture_video(filepath=path) == {"FINISHED"}
    assert registered.job.notes[0] == "The face was lost in 2 of 24 pictures, which are bridged."
    text = spoken.chosen_take()
    found = take.load(text)
    assert text[take.IMPORTED_PROPERTY] == "film.mp4"
    assert found.pose.shape == (len(found.codes), 6)
    assert len(found.codes) == pytest.approx(FRAMES, abs=1)
    assert found.weights.shape[1] == 57
    spoken.output = "EXPRESSION_CURVES"
    assert bpy.ops.facetalk.make_output() == {"FINISHED"}


def test_of_two_faces_it_tells_which_was_followed(spoken, real_engine, registered, tmp_path):
    path = write_film(tmp_path / "two.mp4", frames=FRAMES, faces=((0.25, 300, 0.0), (0.75, 200, 0.0)))
    assert bpy.ops.facetalk.capture_video(filepath=str(path)) == {"FINISHED"}
    assert registered.job.notes[0] == "There were 2 faces; the largest was followed."


def test_a_film_without_a_face_is_one_sentence(spoken, real_engine, tmp_path):
    path = write_film(tmp_path / "nobody.mp4", frames=FRAMES, faces=())
    with pytest.raises(RuntimeError, match="No face was found"):
        bpy.ops.facetalk.capture_video(filepath=str(path))
    assert not take.takes_of(bpy.context.scene)


def test_without_a_strip_it_says_what_to_do(registered, tmp_path):
    assert not bpy.ops.facetalk.capture_video.poll()
    with pytest.raises(RuntimeError, match="load a sound"):
        bpy.ops.facetalk.capture_video(filepath=str(tmp_path / "film.mp4"))
