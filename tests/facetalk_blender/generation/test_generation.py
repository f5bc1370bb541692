"""The state machine: whatever happens on the way, it ends, says why and leaves no rubbish."""

import tempfile
import time

import numpy as np
import pytest
import scripted_shapes
from blender_scene import bpy, generate, speaking_strip, tick_until
from repository import import_from_extension

generation = import_from_extension("facetalk_blender.generation.generation")
face_detail = import_from_extension("facetalk_blender.look.face_detail")
EngineError = import_from_extension("engine.shared.errors").EngineError
KINDS = ("objects", "meshes", "texts", "collections", "actions")
KEPT = {face_detail.MODIFIER_NAME, *(group.name for group in face_detail.GROUPS)}  # for the next head, as materials are


def counts():
    players = sum(tree.type == "GEOMETRY" and tree.name not in KEPT for tree in bpy.data.node_groups)
    return {kind: len(getattr(bpy.data, kind)) for kind in KINDS} | {"players": players}


def start(client, strip, **settings):
    return generation.Generation(client, strip, generation.Options(**settings))


def test_cancelling_removes_everything_at_once(scene, client, tmp_path):
    strip = speaking_strip(scene, tmp_path)
    before = counts()
    run = start(client, strip, bundle="slow")
    tick_until(run, lambda: run.written >= 3)
    run.cancel()
    assert run.state is generation.State.CANCELLED
    assert counts() == before
    assert not run.tick()
    after = generate(client, strip)
    assert after.state is generation.State.DONE, after.error  # the engine is still usable


@pytest.mark.slow
def test_cancelling_keeps_and_shows_the_earlier_result(scene, client, tmp_path):
    strip = speaking_strip(scene, tmp_path)
    earlier = bpy.data.objects[generate(client, strip).result_name]
    run = start(client, strip, bundle="slow")
    tick_until(run, lambda: run.written >= 2)
    assert earlier.hide_render
    run.cancel()
    assert not earlier.hide_render
    assert not earlier.hide_viewport


@pytest.mark.parametrize("output", ["FRAME_MESHES", "SHAPE_KEYS"])
def test_a_killed_engine_leaves_the_finished_frames_and_a_reason(scene, client, tmp_path, output):
    run = generate(client, speaking_strip(scene, tmp_path), bundle="dies-after-5", output=output)
    assert run.state is generation.State.FAILED
    assert "ended unexpectedly" in run.error
    assert "5 of 48 frames were kept" in run.error
    head = bpy.data.objects[run.result_name]
    scene.frame_set(40)
    assert len(head.evaluated_get(bpy.context.view_layer.depsgraph).data.vertices) > 0
    if output == "FRAME_MESHES":
        assert len(head["facetalk_frames"].objects) == 5
    assert not client.alive


@pytest.mark.parametrize(
    ("bundle", "reason"),
    [
        ("fails", "recording is empty"),
        ("garbled", "unusable"),
        ("short", "few"),
        ("outdated", "has version 0.0.0, the extension"),
    ],
)
def test_a_failing_engine_is_reported(scene, client, tmp_path, bundle, reason):
    run = generate(client, speaking_strip(scene, tmp_path), bundle=bundle)
    assert run.state is generation.State.FAILED
    assert reason in run.error


@pytest.mark.slow
@pytest.mark.parametrize("output", ["FRAME_MESHES", "SHAPE_KEYS"])
def test_deleting_the_head_meanwhile_ends_cleanly(scene, client, tmp_path, output):
    strip = speaking_strip(scene, tmp_path)
    before = counts()
    run = start(client, strip, bundle="slow", output=output)
    tick_until(run, lambda: run.written >= 3)
    head = next(item for item in scene.objects if "facetalk_strip" in item)
    mesh = head.data
    bpy.data.objects.remove(head)
    tick_until(run, lambda: not run.running)
    assert run.state is generation.State.FAILED
    assert "deleted" in run.error
    left = counts()
    if mesh.name in bpy.data.meshes:
        left["meshes"] -= 1  # the artist's deletion leaves the unused mesh, which Blender drops on saving
    assert {kind: left[kind] for kind in ("objects", "collections")} == {
        kind: before[kind] for kind in ("objects", "collections")
    }
    assert left["texts"] == 1  # the take stays, to be made into another head


def test_deleting_the_scene_meanwhile_ends_cleanly(scene, client, tmp_path):
    bpy.data.scenes.new("Other")
    run = start(client, speaking_strip(scene, tmp_path), bundle="slow")
    tick_until(run, lambda: run.written >= 3)
    bpy.data.scenes.remove(scene)
    tick_until(run, lambda: not run.running)
    assert run.state is generation.State.FAILED
    assert "deleted" in run.error


def test_renaming_the_head_meanwhile_does_no_harm(scene, client, tmp_path):
    run = start(client, speaking_strip(scene, tmp_path))
    tick_until(run, lambda: run.written >= 1)
    next(item for item in scene.objects if "facetalk_strip" in item).name = "Renamed"
    tick_until(run, lambda: not run.running)
    assert run.state is generation.State.DONE
    assert run.written == 48


def test_progress_only_grows_and_stages_are_timed(scene, client, tmp_path):
    run = start(client, speaking_strip(scene, tmp_path))
    fractions = []
    run.run(lambda _text, fraction: fractions.append(fraction))
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert {"load", "sample", "surfaces", "finish"} <= set(run.seconds)


def test_materials_are_made_while_the_engine_works(scene, client, tmp_path, monkeypatch):
    run = start(client, speaking_strip(scene, tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(run._engine, "poll", lambda: None)
        tick_until(run, lambda: KEPT <= {tree.name for tree in bpy.data.node_groups})
    assert bpy.data.materials
    assert run.state is generation.State.LOAD
    tick_until(run, lambda: not run.running)
    assert run.state is generation.State.DONE, run.error


def test_materials_that_an_undo_takes_meanwhile_are_made_again(scene, client, tmp_path):
    run = start(client, speaking_strip(scene, tmp_path))
    tick_until(run, lambda: len(bpy.data.node_groups) > 0)
    bpy.data.batch_remove(bpy.data.node_groups)
    tick_until(run, lambda: not run.running)
    assert run.state is generation.State.DONE, run.error
    assert {tree.name for tree in bpy.data.node_groups} >= KEPT
    assert all(slot.material for slot in bpy.data.objects[run.result_name].material_slots)


def test_a_packed_recording_is_spoken_without_a_file(scene, client, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "full"))
    strip = speaking_strip(scene, tmp_path)
    strip.sound.pack()
    (tmp_path / "tone.wav").unlink()
    run = start(client, strip)
    run.run()
    assert run.state is generation.State.DONE
    assert run.notes == []
    assert len(run.take.codes) == 48


def test_a_recording_that_the_engine_cannot_read_is_decoded_by_blender(scene, client, tmp_path):
    strip = speaking_strip(scene, tmp_path)
    run = start(client, strip, bundle="reads-nothing")
    run.run()
    assert run.state is generation.State.DONE
    assert len(run.take.codes) == 48


def test_an_interpreter_that_is_not_there_is_refused(scene, tmp_path):
    strip = speaking_strip(scene, tmp_path)
    engine_client = import_from_extension("facetalk_blender.engine_access.client")
    with pytest.raises(EngineError, match="preferences"):
        start(engine_client.EngineClient(str(tmp_path / "no-python"), tmp_path), strip)


def test_playback_is_set_up_and_nothing_is_shortened(scene, client, tmp_path):
    scene.frame_end = 500
    generate(client, speaking_strip(scene, tmp_path), add_stage=False)
    assert scene.use_audio_scrub
    assert scene.sync_mode == "AUDIO_SYNC"
    assert scene.frame_end == 500
    assert scene.camera is None


def test_a_stage_that_is_wanted_is_used_and_the_artists_camera_is_remembered(scene, client, tmp_path):
    stage = import_from_extension("facetalk_blender.look.stage")
    camera = bpy.data.objects.new("Mine", bpy.data.cameras.new("Mine"))
    scene.collection.objects.link(camera)
    scene.camera, scene.world = camera, bpy.data.worlds.new("Mine")
    before = camera.matrix_world.copy()
    strip = speaking_strip(scene, tmp_path)
    generate(client, strip)
    lights = len(bpy.data.lights)
    scene.camera.location.z += 0.1
    names, place = {item.name for item in scene.objects}, scene.camera.location.copy()
    generate(client, strip)
    assert names <= {item.name for item in scene.objects}
    assert scene.camera.location == place  # as the artist has moved it
    assert scene.camera.name == "FaceTalk Camera"
    assert scene.world.name == "Mine"
    assert len(bpy.data.lights) == lights
    assert len(bpy.data.cameras) == 2
    assert camera.matrix_world == before
    stage.use_camera(scene, False)
    assert scene.camera == camera
    stage.use_camera(scene, True)
    assert scene.camera.name == "FaceTalk Camera"


def test_every_head_has_its_own_bust_and_camera_and_lights_are_for_all(scene, client, tmp_path):
    def busts():
        return [item for item in scene.objects if item.name.startswith("FaceTalk Bust")]

    strips = [speaking_strip(scene, tmp_path) for _ in range(2)]
    heads = [bpy.data.objects[generate(client, strip).result_name] for strip in strips]
    assert [item.parent for item in busts()] == heads
    middle = scene.objects["FaceTalk Key"].location.x + 0.7
    assert heads[0].location.x + 0.05 < middle < heads[1].location.x - 0.05
    assert len([item for item in scene.objects if item.type in {"CAMERA", "LIGHT"}]) == 4
    again = bpy.data.objects[generate(client, strips[1]).result_name]
    assert {item.parent for item in busts()} == {heads[0], again}
    removal = import_from_extension("facetalk_blender.outputs.removal")
    removal.remove_result(again)
    assert {item.parent for item in busts()} == set(heads)  # an earlier take of the strip wears it
    removal.remove_result(heads[1])
    assert [item.parent for item in busts()] == [heads[0]]


def test_nothing_of_the_stage_is_drawn_across_the_face(scene, client, tmp_path):
    run = generate(client, speaking_strip(scene, tmp_path))
    head = bpy.data.objects[run.result_name].matrix_world.translation
    assert 0 < scene.camera.data.display_size < 0.3 * (scene.camera.location - head).length
    lights = [item for item in scene.objects if item.type == "LIGHT"]
    assert len(lights) == 3
    for light in lights:  # what viewports draw of a light reaches that far; renders ignore it
        assert light.data.cutoff_distance < 0.5 * (light.location - head).length
        assert not light.data.use_custom_distance


class TestLongSounds:
    """Of a sound that is too long to be sampled at once, the frames that are asked for are enough."""

    @pytest.fixture
    def strip(self, scene, tmp_path, monkeypatch):
        for module in ("generation.strip_take", "sound.strip"):
            monkeypatch.setattr(import_from_extension(f"facetalk_blender.{module}"), "MAXIMUM_SECONDS", 8.0)
        return speaking_strip(scene, tmp_path, seconds=20.0)

    def test_it_is_refused_before_anything_is_started(self, strip, client):
        with pytest.raises(EngineError, match="cut it into parts"):
            start(client, strip)
        assert not client.alive

    def test_some_frames_of_it_are_made(self, strip, client):
        run = start(client, strip, frames=range(241, 245))
        assert run.clip.audio_start == pytest.approx(8.0)
        assert run.clip.duration == pytest.approx(4.0 + 4 / 24)
        assert run.clip.time_of(241) == pytest.approx(2.0)
        run.run()
        assert run.state is generation.State.DONE
        assert run.written == 4


def test_minutes_of_samples_are_sent_beside_the_main_thread(client):
    rate = 24000
    samples = np.ones((600 * rate, 2), np.float32)  # 115 MB
    client.start()
    fields = {"audio": "", "bundle": "starter", "device": "cpu", "seed": 0, "samples_rate": rate}
    begun = time.thread_time()
    client.request("sample", fields, {"samples": samples})
    assert time.thread_time() - begun < 0.01
    while (message := client.wait(60.0)).kind != "take":
        assert message.kind == "progress", message.fields
    assert len(message.arrays["codes"]) == 600 * scripted_shapes.RATE
