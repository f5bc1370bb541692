"""A recording becomes a take of the chosen strip, and is written again as it was."""

import csv
import time

import numpy as np
import pytest
from blender_scene import bpy, speaking_strip
from repository import ROOT, import_from_extension
from speaking_faces import bake, curve_action, face, take_module

from engine.shared.arkit import ARKIT_NAMES

live_link = import_from_extension("facetalk_blender.exchange.live_link")
take = import_from_extension("facetalk_blender.takes.take")
status = import_from_extension("facetalk_blender.takes.status")
weights_import = import_from_extension("facetalk_blender.exchange.weights_import")
Message = import_from_extension("engine.shared.protocol").Message
LENGTH = 48


def table_of(path):
    rows = list(csv.reader(path.open()))
    return rows[0], np.array([[float(value) for value in row[2:]] for row in rows[1:]])


@pytest.fixture
def recording(tmp_path):
    random = np.random.default_rng(3)
    table, turned = random.uniform(0, 1, (LENGTH, 52)), random.normal(0, 0.1, (LENGTH, 9))
    path = tmp_path / "recorded.csv"
    live_link.write_csv(path, dict(zip(ARKIT_NAMES, table.T, strict=True)), 24.0, 1, turned)
    return path


@pytest.fixture
def imported(registered, tmp_path, recording):
    """The scene's settings, after an import."""
    scene = bpy.context.scene
    scene.facetalk.strip = speaking_strip(scene, tmp_path, seconds=LENGTH / 24).name
    scene.frame_start, scene.frame_end = 1, LENGTH
    assert bpy.ops.facetalk.import_weights(filepath=str(recording)) == {"FINISHED"}
    return scene.facetalk


def test_it_is_a_take_like_any_other(imported, recording):
    text = imported.chosen_take()
    assert text[take.IMPORTED_PROPERTY] == "recorded.csv"
    found = take.load(text)
    assert (found.rate, len(found.codes), found.weight_names) == (24.0, LENGTH, list(ARKIT_NAMES))
    assert found.rotations.shape == (LENGTH, 9)
    assert not status.change_of_sound(text)
    assert "imported" in status.range_problem(text)
    assert not bpy.ops.facetalk.vary_take.poll()
    imported.output = "EXPRESSION_CURVES"
    assert bpy.ops.facetalk.make_output() == {"FINISHED"}


def test_written_again_it_is_the_same(imported, recording, tmp_path):
    wanted = table_of(recording)
    path = tmp_path / "again.csv"
    assert bpy.ops.facetalk.export_csv(filepath=str(path)) == {"FINISHED"}
    found = table_of(path)
    assert found[0] == wanted[0]
    np.testing.assert_allclose(found[1], wanted[1], atol=1e-4)
    # Also when it moves a head whose curves have few keys, and a face that knows three names in another spelling.
    imported.output = "EXPRESSION_CURVES"
    assert bpy.ops.facetalk.make_output() == {"FINISHED"}
    assert bpy.ops.facetalk.export_csv(filepath=str(path)) == {"FINISHED"}
    np.testing.assert_allclose(table_of(path)[1], wanted[1], atol=1e-4)


def test_a_file_of_another_kind_is_refused(imported, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(RuntimeError, match="no recording of ARKit weights"):
        bpy.ops.facetalk.import_weights(filepath=str(path))
    assert len(take.takes_of(bpy.context.scene)) == 1


class AnsweringClient:
    """An engine that has made codes of ten minutes already."""

    def __init__(self, count):
        codes = np.random.default_rng(0).random((count, 200), np.float32)
        self.messages = [Message("take", 1, {}, {"codes": codes}), Message("done", 1, {})]

    def start(self):
        """It runs."""

    def request(self, *question):
        """The number of every question is 1."""
        return 1

    def poll(self):
        """The next answer."""
        return self.messages.pop(0) if self.messages else None

    def cancel(self, request):
        """Nothing is under way."""


@pytest.fixture
def long_import(registered, tmp_path):
    """An import of ten minutes at 24 frames per second, and the texts before it."""
    strip, count = speaking_strip(bpy.context.scene, tmp_path, seconds=2.0), 14400
    weights = np.random.default_rng(1).random((count, len(ARKIT_NAMES)), np.float32)
    recorded = weights_import.Recording(weights, 24.0, None, "a program")
    return weights_import.WeightsImport(AnsweringClient(count), strip, recorded, "long.csv", ("starter", "cpu"))


def ticks_until(job, ended):
    """CPU seconds that this thread worked in each tick, until something is true."""
    seconds, longest = [], time.monotonic() + 120
    while not ended():
        begun = time.thread_time()
        job.tick()
        seconds.append(time.thread_time() - begun)
        time.sleep(0.002)
        assert time.monotonic() < longest
    return seconds


def test_ten_minutes_are_stored_in_short_ticks(long_import):
    seconds = ticks_until(long_import, lambda: not long_import.running)
    assert not long_import.error
    text = long_import.take_text()
    assert text[take.IMPORTED_PROPERTY] == "long.csv"
    assert len(take.load(text).codes) == 14400
    assert len(seconds) > 4
    assert np.median(seconds) < 0.01
    assert sorted(seconds)[-2] < 0.02


def test_an_import_that_is_cancelled_leaves_no_text(long_import):
    before = set(bpy.data.texts.keys())
    ticks_until(long_import, lambda: set(bpy.data.texts.keys()) != before)
    long_import.cancel()
    assert set(bpy.data.texts.keys()) == before
    assert not long_import.tick()


def test_without_a_strip_it_says_what_to_do(registered, recording):
    assert not bpy.ops.facetalk.import_weights.poll()
    with pytest.raises(RuntimeError, match="load a sound"):
        bpy.ops.facetalk.import_weights(filepath=str(recording))


def test_channels_of_every_mesh_and_spelling_with_edits(imported, recording, tmp_path):
    """Teeth that come first and know the jaw alone, a face in ICT's spelling; an edit counts, on whichever mesh."""
    _, wanted = table_of(recording)
    strip = bpy.context.scene.sequence_editor.strips_all[0]
    face(["JawOpen"], "A Teeth")
    face(["jawOpen", "eyeBlink_L", "mouthSmile_R", "browInnerUp_L"], "Face")
    text = imported.chosen_take()
    bake(strip, take.load(text), text, targets=("A Teeth", "Face"), tolerance=None)
    path = tmp_path / "again.csv"
    assert bpy.ops.facetalk.export_csv(filepath=str(path)) == {"FINISHED"}
    header, found = table_of(path)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    (action,) = curve_action.actions_of_take(bpy.context.scene, text)
    curves = [curve for slot in action.slots for curve in curve_action.curves_of(action, slot)]
    blink = next(curve for curve in curves if "eyeBlink_L" in curve.data_path)
    for point in blink.keyframe_points:
        point.co.y = -0.5
    assert bpy.ops.facetalk.export_csv(filepath=str(path)) == {"FINISHED"}
    _, found = table_of(path)
    place = header.index("EyeBlinkLeft") - 2
    assert not found[:, place].any()
    np.testing.assert_allclose(np.delete(found, place, 1), np.delete(wanted, place, 1), atol=1e-4)


@pytest.mark.parametrize(
    "meshes",
    [
        {"Face": ["jawOpen", "mouthClose", "eyeBlink_L", "eyeBlink_R", "mouthSmile_L", "mouthSmile_R"]},
        {"A_Teeth": ["jawOpen"], "Face": ["jawOpen", "mouthClose", "eyeBlinkLeft", "eyeBlinkRight", "mouthPucker"]},
    ],
)
def test_every_live_weight_of_a_take_is_written(registered, tmp_path, meshes):
    """Cases 13 and 14 of the reported characters: 7 columns of 38, and the jaw alone where the teeth came first."""
    scene = bpy.context.scene
    with np.load(ROOT / "tests/fixtures/reports/12_characters/take.npz") as stored:
        names = [str(name) for name in stored["weight_names"]]
        spoken = take_module.Take(stored["codes"], 24.0, 1, stored["weights"], names, None, {"audio_start": 0.0})
    strip = speaking_strip(scene, tmp_path, seconds=3.0)
    scene.facetalk.strip, scene.frame_start, scene.frame_end = strip.name, 1, 72
    text = take.store(take.content_of(spoken), 1, scene, strip.name, "", (0.0, 3.0))
    for name, keys in meshes.items():
        face(keys, name)
    bake(strip, spoken, text, targets=tuple(meshes))
    path = tmp_path / "out.csv"
    assert bpy.ops.facetalk.export_csv(filepath=str(path)) == {"FINISHED"}
    header, table = table_of(path)
    weights = table[:, :52]
    assert (len(header), weights.min()) == (63, 0.0)
    assert (weights.max(0) > 0.02).sum() == (spoken.weights[:72].max(0) > 0.02).sum() > 30
