"""Generating expression curves: a head of our own, or meshes of the artist, in a window and without one."""

import pytest
from blender_scene import START, bpy, generate, speaking_strip, write_wav
from repository import SCRIPTED_ENGINE, import_from_extension
from speaking_faces import face, values

from engine.shared.weights import WEIGHT_NAMES

curves = import_from_extension("facetalk_blender.outputs.curves.expression_curves")
KeyLink = import_from_extension("facetalk_blender.retargeting.key_link").KeyLink
EngineError = import_from_extension("engine.shared.errors").EngineError


def test_a_head_of_ours_has_the_57_keys_and_moves(scene, client, tmp_path):
    strip = speaking_strip(scene, tmp_path, frame=START)
    before = {kind: len(getattr(bpy.data, kind)) for kind in ("actions", "meshes", "objects")}
    run = generate(client, strip, output="EXPRESSION_CURVES", add_stage=False)
    assert run.error == ""
    assert run.notes == []
    assert run.written == run.frames.stop - run.frames.start
    head = bpy.data.objects[run.result_name]
    keys = head.data.shape_keys
    assert [block.name for block in keys.key_blocks[1:]] == list(WEIGHT_NAMES)
    assert keys.use_relative
    # Of the scripted take's two weights jawOpen counts the codes, so it is zero first and one from then on.
    scene.frame_set(START)
    rest = head.evaluated_get(bpy.context.view_layer.depsgraph).data.vertices[4].co.z
    scene.frame_set(START + 30)
    moved = head.evaluated_get(bpy.context.view_layer.depsgraph).data.vertices[4].co.z - rest
    assert moved == pytest.approx(0.01 * (WEIGHT_NAMES.index("jawOpen") + 1), abs=1e-4)
    assert head.data.materials
    assert head.data.uv_layers
    import_from_extension("facetalk_blender.outputs.removal").remove_result(head)
    assert {kind: len(getattr(bpy.data, kind)) for kind in before} == before


@pytest.mark.parametrize("bundle", ["dies-after-5", "short"])
def test_a_head_with_too_few_keys_is_not_kept(scene, client, tmp_path, bundle):
    strip = speaking_strip(scene, tmp_path)
    run = generate(client, strip, output="EXPRESSION_CURVES", bundle=bundle)
    assert run.state.name == "FAILED"
    assert run.error
    assert not bpy.data.actions
    assert not [item for item in scene.objects if item.type == "MESH"]


def test_a_generation_moves_the_targets_alone(scene, client, tmp_path):
    strip, item = speaking_strip(scene, tmp_path, frame=START), face(["jawOpen"])
    settings = curves.CurveSettings(targets=("Face",))
    run = generate(client, strip, output="EXPRESSION_CURVES", curves=settings)
    assert run.state.name == "DONE"
    assert run.error == ""
    assert run.result_name == "Face"
    assert list(scene.objects) == [item]
    assert not item.keys()
    assert values(item, "jawOpen", [START, START + 30]) == pytest.approx([0, 1], abs=0.006)
    with pytest.raises(EngineError, match="missing"):
        generate(client, strip, output="EXPRESSION_CURVES", curves=curves.CurveSettings(targets=("Nobody",)))


def test_a_target_deleted_meanwhile_ends_cleanly(scene, client, tmp_path):
    strip, item = speaking_strip(scene, tmp_path, frame=START), face(["jawOpen"])
    other = face(["jawOpen"], "Teeth")
    generation = import_from_extension("facetalk_blender.generation.generation")
    settings = curves.CurveSettings(targets=("Face", "Teeth"))
    run = generation.Generation(client, strip, generation.Options(output="EXPRESSION_CURVES", curves=settings))
    bpy.data.objects.remove(other)
    run.run()
    assert run.state.name == "FAILED"
    assert "deleted" in run.error
    assert item.data.shape_keys.animation_data is None
    assert not bpy.data.actions


def test_batch_moves_a_mesh_of_the_opened_file(scene, tmp_path, monkeypatch):
    command = import_from_extension("facetalk_blender.unattended.command")
    outcome = import_from_extension("facetalk_blender.unattended.outcome")
    session = import_from_extension("facetalk_blender.generation.session").session
    monkeypatch.setattr(session, "engine_root", SCRIPTED_ENGINE)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    scene.render.fps, scene.render.resolution_x = 30, 1234
    face(["jawOpen", "tail"])
    write_wav(tmp_path / "voice.wav", 0.4)
    path = tmp_path / "out.blend"
    options = ["--audio", str(tmp_path / "voice.wav"), "--blend", str(path), "--target"]
    assert command.main([*options, "Face"]) == outcome.BAD_INPUT
    options = ["--head-output", "expression-curves", *options]
    assert command.main([*options, "Nobody"]) == outcome.BAD_INPUT
    assert not path.exists()
    assert command.main([*options, "Face"]) == outcome.OK
    bpy.ops.wm.open_mainfile(filepath=str(path))
    assert (bpy.context.scene.render.fps, bpy.context.scene.render.resolution_x) == (30, 1234)
    assert "FaceTalk voice" not in bpy.data.objects
    assert values(bpy.data.objects["Face"], "jawOpen", [1, 10]) == pytest.approx([0, 1], abs=0.006)
