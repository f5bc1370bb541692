"""A head that is being made survives what an artist does meanwhile, or its making ends cleanly."""

import time
from pathlib import Path

import pytest
import scripted_shapes
from blender_scene import COUNT, bpy, speaking_strip, tick_until
from registered_extension import module

pytestmark = pytest.mark.slow


@pytest.fixture(params=["FRAME_MESHES", "CACHE", "SHAPE_KEYS"])
def run(request, registered, tmp_path):
    """A generation under way, some frames written, with an undo step before it."""
    bpy.context.preferences.edit.use_global_undo = True
    strip = speaking_strip(bpy.context.scene, tmp_path)
    bpy.ops.ed.undo_push(message="Before")
    generation = module("facetalk_blender.generation.generation")
    output, choice = ("FRAME_MESHES", "CACHE") if request.param == "CACHE" else (request.param, "FILE")
    storage = module("facetalk_blender.outputs.frames.frame_storage").FrameStorage(
        choice, folder=str(tmp_path / "frames")
    )
    settings = generation.Options(bundle="slow", output=output, add_stage=False, storage=storage)
    run = generation.Generation(registered.client(), strip, settings)
    registered.set_job(run)
    tick_until(run, lambda: run.written >= 5)
    return run


def finish(run):
    tick_until(run, lambda: not run.running or run.state.name == "FINISH")
    run.run()


def heads():
    return [item for item in bpy.data.objects if "facetalk_strip" in item]


def frame_files(run):
    """All files in the folder for cached frames, but what these share."""
    files = [path for path in Path(run.options.storage.folder).rglob("*") if path.is_file()]
    return [path for path in files if not path.name.startswith("frame_counts")]


def check_complete(run):
    """Every frame shows its own shape, and there are no files of frames but its own."""
    assert run.state.name == "DONE", run.error
    kept = COUNT + 1 if run.options.storage.choice == "CACHE" else 0  # with the head at rest
    assert len(frame_files(run)) == kept
    (head,) = heads()
    for frame in (0, 3, 20, COUNT - 1):
        bpy.context.scene.frame_set(1 + frame)
        mesh = head.evaluated_get(bpy.context.view_layer.depsgraph).data
        if run.options.output == "SHAPE_KEYS":
            assert mesh.vertices[4].co.z == pytest.approx(scripted_shapes.positions(frame)[4, 2], abs=1e-5)
        else:
            assert len(mesh.vertices) == frame + 5


def test_undoing_an_edit_made_meanwhile(run):
    bpy.ops.ed.undo_push(message="Edit")  # with five frames of the head in it
    tick_until(run, lambda: run.written >= 12)
    bpy.ops.ed.undo_push(message="Another edit")
    tick_until(run, lambda: run.written >= 16)
    assert bpy.ops.ed.undo() == {"FINISHED"}
    finish(run)
    check_complete(run)
    assert len(bpy.data.texts) == 1


def test_undoing_keeps_what_is_finished(run, monkeypatch):
    asked, ask = [], run._engine.ask
    monkeypatch.setattr(run._engine, "ask", lambda *question: asked.append(question) or ask(*question))
    bpy.ops.ed.undo_push(message="Edit")
    tick_until(run, lambda: run.written >= 12)
    bpy.ops.ed.undo_push(message="Another edit")
    for undone in (bpy.ops.ed.undo, bpy.ops.ed.undo, bpy.ops.ed.redo):
        assert undone() == {"FINISHED"}
        tick_until(run, lambda: run.written >= 12)
    finish(run)
    check_complete(run)
    assert not asked  # the engine was never asked again


def test_frames_that_cannot_be_kept_are_made_again(run, monkeypatch):
    monkeypatch.setattr(run._stream._spool, "whole", lambda: False)  # as on a full disk
    bpy.ops.ed.undo_push(message="Edit")
    assert bpy.ops.ed.undo() == {"FINISHED"}
    finish(run)
    check_complete(run)


def test_undoing_into_the_making_of_a_head_that_is_done(run, registered):
    bpy.ops.ed.undo_push(message="Edit")  # with a head that is half made
    finish(run)
    bpy.ops.ed.undo_push(message="Afterwards")
    assert bpy.ops.ed.undo() == {"FINISHED"}
    assert not heads()  # rather none than half a one that nobody goes on with


def test_undoing_to_before_the_head(run):
    bpy.ops.ed.undo_push(message="Edit")
    assert bpy.ops.ed.undo() == {"FINISHED"}  # "Before": neither head nor take
    finish(run)
    check_complete(run)
    assert len(bpy.data.texts) == 1


def test_saving_meanwhile(run, tmp_path):
    path = str(tmp_path / "meanwhile.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    finish(run)
    check_complete(run)
    bpy.ops.wm.open_mainfile(filepath=path)
    # What was saved half made is taken away, and its take stays.
    assert not heads()
    assert not bpy.data.meshes
    assert len(bpy.data.texts) == 1
    settings = bpy.context.scene.facetalk
    settings.take = bpy.data.texts[0]
    settings.strip, settings.add_stage = "tone", False
    assert bpy.ops.facetalk.make_output() == {"FINISHED"}
    assert len(heads()) == 1


def test_showing_another_scene_meanwhile(run):
    own = bpy.context.scene
    other = bpy.data.scenes.new("Other")
    bpy.context.window.scene = other
    finish(run)
    bpy.context.window.scene = own
    check_complete(run)
    assert not [item for item in other.objects if "facetalk_strip" in item]


def test_opening_another_file_meanwhile(run):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert run.state.name == "CANCELLED"
    assert not heads()
    assert not bpy.data.texts
    assert not frame_files(run)


def test_closing_blender_meanwhile_ends_the_engine(run, registered):
    engine = registered.client()
    module("facetalk_blender.registration").unregister()  # as on quitting and on disabling
    try:
        assert run.state.name == "CANCELLED"
        assert not engine.alive
    finally:
        module("facetalk_blender.registration").register()


def test_deleting_the_strip_meanwhile(run):
    strips = bpy.context.scene.sequence_editor.strips
    strips.remove(strips[0])
    finish(run)
    assert run.state.name == "DONE"  # the sound had been read; the take says that its strip is gone
    assert "gone" in module("facetalk_blender.takes.status").strip_problem(run.take_text())


def test_cancelling_takes_less_than_half_a_second(run):
    begin = time.perf_counter()
    assert bpy.ops.facetalk.cancel() == {"FINISHED"}
    assert time.perf_counter() - begin < 0.5
    assert run.state.name == "CANCELLED"
    assert not heads()
    assert not bpy.data.texts
    assert not bpy.data.cache_files
    assert not frame_files(run)


def test_cancelling_does_not_show_what_the_artist_had_hidden(registered, tmp_path):
    strip = speaking_strip(bpy.context.scene, tmp_path)
    settings = bpy.context.scene.facetalk
    settings.strip, settings.add_stage = strip.name, False
    bpy.ops.facetalk.generate()
    bpy.ops.facetalk.generate()
    first, second = sorted(heads(), key=lambda item: item.name)
    first.hide_viewport, first.hide_render = True, True
    second.hide_viewport, second.hide_render = False, True
    before = [(item.hide_viewport, item.hide_render) for item in (first, second)]
    generation = module("facetalk_blender.generation.generation")
    run = generation.Generation(registered.client(), strip, generation.Options(bundle="slow"))
    tick_until(run, lambda: run.written >= 1)
    assert second.hide_viewport
    run.cancel()
    assert [(item.hide_viewport, item.hide_render) for item in (first, second)] == before


@pytest.mark.parametrize("stage", ["SURFACES", "FINISH"])
def test_a_file_saved_meanwhile_shows_the_earlier_head(registered, tmp_path, stage):
    strip = speaking_strip(bpy.context.scene, tmp_path)
    settings = bpy.context.scene.facetalk
    settings.strip, settings.add_stage = strip.name, False
    bpy.ops.facetalk.generate()
    generation = module("facetalk_blender.generation.generation")
    run = generation.Generation(registered.client(), strip, generation.Options(bundle="slow", output="SHAPE_KEYS"))
    registered.set_job(run)
    tick_until(run, lambda: run.written >= 3 and run.state.name == stage)
    path = str(tmp_path / "meanwhile.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path, copy=True)
    earlier, *later = sorted(heads(), key=lambda item: item.name)
    assert [item.hide_viewport for item in (earlier, *later)] == [True, False]
    with bpy.data.libraries.load(path) as (there, wanted):  # what a Blender without the extension shows
        wanted.objects = [name for name in there.objects if name.startswith("FaceTalk tone")]
    shown = [item for item in wanted.objects if not item.hide_render and not item.hide_viewport]
    assert len(shown) == 1
    assert "facetalk_unfinished" not in shown[0]
    finish(run)
