"""Frames are moved from the file to a cache folder and back."""

import numpy as np
import pytest
from blender_scene import COUNT, START, bpy
from cached_frames import check, check_same, files, make, shown
from registered_extension import drawn, head_of, module
from repository import import_from_extension

conversion = import_from_extension("facetalk_blender.generation.frame_conversion")
head_pose = import_from_extension("facetalk_blender.outputs.head_pose")
region_groups = import_from_extension("facetalk_blender.outputs.frames.region_groups")
storage = import_from_extension("facetalk_blender.outputs.frames.frame_storage")


def extent(head, frame):
    """Least and largest place of the vertices of a head as it is seen."""
    bpy.context.scene.frame_set(frame)
    mesh = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    places = np.array([vertex.co for vertex in mesh.vertices])
    return np.array([places.min(0), places.max(0)])


def test_frames_are_moved_there_and_back(saved, client):
    folder, strip = saved
    head = make(client, strip, "FILE")
    head.modifiers.new("Own", "SMOOTH").show_viewport = False
    head.modifiers.move(len(head.modifiers) - 1, 0)
    frames = (START - 9, START, START + 7, START + COUNT - 1, START + COUNT + 9)
    before = [shown(head, frame) for frame in frames]
    objects, trees = len(bpy.data.objects), len(bpy.data.node_groups)
    for cached in (True, False):
        run = conversion.Conversion(bpy.context.scene, head, storage.FrameStorage())
        run.run()
        assert run.error == ""
        assert run.state.name == "DONE"
        unpacking = ["FaceTalk Unpacking"] if cached else []
        names = ["Own", "FaceTalk Player", *unpacking, "FaceTalk Face Detail", "FaceTalk Vertex Groups"]
        assert [modifier.name for modifier in head.modifiers] == names
        assert storage.is_cached(head) == cached
        if cached:
            assert not storage.cache_problem(head)
            assert len(bpy.data.objects) == objects - COUNT - 1
            assert "facetalk_frames" not in head
        after = [shown(head, frame) for frame in frames]
        for mine, others in zip(after, before, strict=True):
            check_same(mine, others)
    assert len(bpy.data.objects) == objects
    assert len(bpy.data.node_groups) == trees
    assert not bpy.data.cache_files
    assert (folder / "head_frames").is_dir()


def test_moved_frames_stay_posed(saved, client):
    head = make(client, saved[1], "FILE")
    head_pose.add(head, bpy.context.scene, 0.0, np.full((COUNT, 6), 9.0, np.float32), 24.0)
    region_groups.move_groups_below(head, head_pose.MODIFIER_NAME)
    before = extent(head, START + 7)
    for _ in range(2):
        run = conversion.Conversion(bpy.context.scene, head, storage.FrameStorage())
        run.run()
        assert run.error == ""
        assert [modifier.name for modifier in head.modifiers][-2:] == ["FaceTalk Head Pose", "FaceTalk Vertex Groups"]
        np.testing.assert_allclose(extent(head, START + 7), before, atol=1e-4)
    head.modifiers["FaceTalk Head Pose"].show_viewport = False
    assert np.abs(extent(head, START + 7) - before).max() > 0.003


@pytest.mark.slow
def test_a_cancelled_move_leaves_everything_as_it_was(saved, client):
    folder, strip = saved
    for choice in ("FILE", "CACHE"):
        head = make(client, strip, choice)
        before, meshes, trees = files(folder), len(bpy.data.meshes), len(bpy.data.node_groups)
        run = conversion.Conversion(bpy.context.scene, head, storage.FrameStorage())
        while run.fraction < 0.5:
            run.tick()
        run.cancel()
        assert run.state.name == "CANCELLED"
        assert files(folder) == before
        assert (len(bpy.data.meshes), len(bpy.data.node_groups)) == (meshes, trees)
        check(head, START + 7)


@pytest.mark.slow
def test_undo_ends_a_move_and_leaves_everything_as_it_was(saved, client):
    folder, strip = saved
    head = make(client, strip, "FILE")
    before = files(folder)
    run = conversion.Conversion(bpy.context.scene, head, storage.FrameStorage())
    while run.fraction < 0.5:
        run.tick()
    run.start_again()  # what the handler of undo and redo calls
    assert run.state.name == "FAILED"
    assert "start it again" in run.error
    assert files(folder) == before
    check(head, START + 7)


@pytest.mark.slow
def test_the_buttons(settings, tmp_path):
    """Moving frames, what the panel says when they are missing, and finding them again."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "head.blend"))
    head = head_of(bpy.context.scene.facetalk.take)
    assert not bpy.ops.facetalk.find_frames.poll()
    assert "in the file" in " ".join(drawn("takes.FACETALK_PT_takes"))
    assert bpy.ops.facetalk.move_frames() == {"FINISHED"}
    assert "facetalk_frames" not in head
    assert "head_frames" in " ".join(drawn("takes.FACETALK_PT_takes"))
    (folder,) = (tmp_path / "head_frames").iterdir()
    moved = folder.rename(tmp_path / "elsewhere")
    seen = module("facetalk_blender.outputs.frames.frame_storage").MISSING_FRAMES
    seen.clear()
    shown_now = drawn("takes.FACETALK_PT_takes")
    assert "missing" in " ".join(shown_now)
    assert "facetalk.find_frames" in shown_now
    assert not bpy.ops.facetalk.move_frames.poll()
    with pytest.raises(RuntimeError, match="49 of 49"):
        bpy.ops.facetalk.find_frames(directory=str(tmp_path))
    assert bpy.ops.facetalk.find_frames(directory=str(moved)) == {"FINISHED"}
    assert head.modifiers["FaceTalk Player"].cache_file.filepath == "//elsewhere/frame_00001.usdc"
    seen.clear()
    assert "missing" not in " ".join(drawn("takes.FACETALK_PT_takes"))
    check(head, START + 7)
    assert bpy.ops.facetalk.move_frames() == {"FINISHED"}
    assert len(list(moved.glob("frame_0*"))) == COUNT + 1
    check(head, START + 7)
