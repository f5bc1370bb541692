"""Frame meshes in a cache folder show what those in the file show, and can be moved there and back."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scripted_shapes
from blender_scene import COUNT, START, bpy, generate, speaking_strip
from registered_extension import drawn, head_of, module
from repository import HELPERS, import_from_extension

usd_frame = import_from_extension("facetalk_blender.outputs.frames.usd_frame")
conversion = import_from_extension("facetalk_blender.generation.frame_conversion")
storage = import_from_extension("facetalk_blender.outputs.frames.frame_storage")
removal = import_from_extension("facetalk_blender.outputs.removal")


@pytest.fixture
def saved(scene, tmp_path):
    """A strip in a .blend file that has a place on disk."""
    folder = tmp_path / "project"
    folder.mkdir()
    strip = speaking_strip(scene, folder, frame=START)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "head.blend"))
    return folder, bpy.context.scene.sequence_editor.strips_all[strip.name]


def make(client, strip, choice="CACHE", **settings):
    run = generate(client, strip, storage=storage.FrameStorage(choice), **settings)
    assert run.error == ""
    assert run.state.name == "DONE"
    return bpy.data.objects[run.result_name]


def shown(head, frame):
    """Everything the evaluated mesh has at a frame: arrays by name, materials."""
    head.hide_viewport = False  # what is hidden is not evaluated
    bpy.context.scene.frame_set(frame)
    mesh = head.evaluated_get(bpy.context.view_layer.depsgraph).data
    kinds = {"FLOAT_VECTOR": ("vector", 3), "FLOAT_COLOR": ("color", 4), "INT": ("value", 1)}
    values = {}
    for attribute in mesh.attributes:
        if attribute.data_type not in kinds or attribute.name == ".corner_edge":
            continue  # edges have no order of their own
        member, width = kinds[attribute.data_type]
        kind = np.float32 if "FLOAT" in attribute.data_type else np.int32
        values[attribute.name] = np.empty((len(attribute.data), width), kind)
        attribute.data.foreach_get(member, values[attribute.name].ravel())
    normals = np.empty((len(mesh.loops), 3), np.float32)
    mesh.corner_normals.foreach_get("vector", normals.ravel())
    materials = [slot.material.name for slot in head.material_slots]
    edges = np.empty((len(mesh.edges), 2), np.int32)
    mesh.edges.foreach_get("vertices", edges.ravel())
    shapes = {"normals": normals, "edges": np.unique(np.sort(edges, 1), axis=0)}
    assert all(polygon.use_smooth for polygon in mesh.polygons)
    return values | shapes, (materials, mesh.color_attributes.active_color_name)


def check_same(mine, others):
    assert mine[0].keys() == others[0].keys()
    for name, values in mine[0].items():
        np.testing.assert_allclose(values, others[0][name], atol=1e-6, err_msg=name)
    assert mine[1:] == others[1:]


def check(head, frame, start=START):
    index = min(max(frame - start, 0), COUNT - 1)
    values = shown(head, frame)[0]
    np.testing.assert_allclose(values["position"], scripted_shapes.surface(index)[1]["vertices"], atol=1e-7)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix != ".blend1")


def test_cached_frames_are_the_ones_in_the_file(saved, client):
    folder, strip = saved
    in_file = make(client, strip, "FILE")
    cached = make(client, strip, seed=1)
    assert "facetalk_frames" not in cached
    assert not cached.data.vertices
    for frame in [START - 4, *range(START, START + COUNT, 5), START + 3, START + COUNT + 9]:
        check(cached, frame)
        check_same(shown(cached, frame), shown(in_file, frame))
    path = cached.modifiers["FaceTalk Player"].cache_file.filepath
    assert path.startswith("//head_frames/")
    assert len(list((folder / path[2:]).parent.iterdir())) == COUNT


def test_the_cached_head_follows_its_strip(saved, client):
    _, strip = saved
    head = make(client, strip)
    strip.frame_start += 20
    check(head, START + 20, START + 20)
    check(head, START + 33, START + 20)
    strip.mute = True
    np.testing.assert_allclose(shown(head, START + 33)[0]["position"], shown(head, START + 20)[0]["position"])
    strip.mute = False
    strip.frame_start -= 20
    bpy.context.scene.render.fps = 48
    np.testing.assert_allclose(
        shown(head, START + 20)[0]["position"], scripted_shapes.surface(10)[1]["vertices"], atol=1e-7
    )


PLAYED = """
import bpy, os, sys, numpy as np
sys.path.insert(0, sys.argv[2])
import scripted_shapes
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
head = bpy.data.objects[sys.argv[3]]
for index in (7, 0, 47):
    bpy.context.scene.frame_set(11 + index)
    mesh = head.evaluated_get(bpy.context.view_layer.depsgraph).data
    vertices = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", vertices.ravel())
    assert np.allclose(vertices, scripted_shapes.surface(index)[1]["vertices"], atol=1e-7)
print("shown", flush=True)
os._exit(0)
"""


@pytest.mark.slow
def test_a_moved_folder_plays_in_a_fresh_blender_without_the_extension(saved, client, tmp_path):
    folder, strip = saved
    name = make(client, strip).name
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    moved = shutil.move(folder, tmp_path / "elsewhere")
    command = [sys.executable, "-c", PLAYED, str(moved / "head.blend"), str(HELPERS), name]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert "shown" in run.stdout, run.stderr


def test_frames_are_moved_there_and_back(saved, client):
    folder, strip = saved
    head = make(client, strip, "FILE")
    head.modifiers.new("Own", "SMOOTH").show_viewport = False
    head.modifiers.move(2, 0)
    frames = (START, START + 7, START + COUNT - 1)
    before = [shown(head, frame) for frame in frames]
    objects, trees = len(bpy.data.objects), len(bpy.data.node_groups)
    for cached in (True, False):
        run = conversion.Conversion(bpy.context.scene, head, storage.FrameStorage())
        run.run()
        assert run.error == ""
        assert run.state.name == "DONE"
        assert [modifier.name for modifier in head.modifiers] == ["Own", "FaceTalk Player", "FaceTalk Vertex Groups"]
        assert storage.is_cached(head) == cached
        if cached:
            assert not storage.cache_problem(head)
            assert len(bpy.data.objects) == objects - COUNT
            assert "facetalk_frames" not in head
        after = [shown(head, frame) for frame in frames]
        for mine, others in zip(after, before, strict=True):
            check_same(mine, others)
    assert len(bpy.data.objects) == objects
    assert len(bpy.data.node_groups) == trees
    assert not bpy.data.cache_files
    assert (folder / "head_frames").is_dir()


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
def test_missing_frames_are_reported(saved, client):
    folder, strip = saved
    head = make(client, strip)
    assert storage.cache_problem(head) == ""
    cache = next((folder / "head_frames").iterdir())
    storage.MISSING_FRAMES.clear()
    usd_frame.frame_path(cache, 3).unlink()
    assert "1 of 48 frames are missing" in storage.cache_problem(head)
    storage.MISSING_FRAMES.clear()
    cache.rename(folder / "lost")
    assert "Find Frames" in storage.cache_problem(head)
    run = conversion.Conversion(bpy.context.scene, head, storage.FrameStorage())
    run.run()
    assert run.state.name == "FAILED"
    assert "Make Output" in run.error
    assert storage.is_cached(head)


def test_a_cancelled_generation_leaves_no_file(saved, client):
    folder, strip = saved
    earlier = make(client, strip)
    before = files(folder)
    generation = import_from_extension("facetalk_blender.generation.generation")
    run = generation.Generation(client, strip, generation.Options(bundle="slow", storage=storage.FrameStorage("CACHE")))
    while run.written < 5:
        run.tick()
    assert files(folder) != before
    run.cancel()
    assert files(folder) == before
    assert not earlier.hide_render
    check(earlier, START + 7)


@pytest.mark.slow
def test_a_full_disk_ends_cleanly(saved, client):
    folder, strip = saved
    earlier = make(client, strip)
    before, objects = files(folder), set(bpy.data.objects)
    size = max(path.stat().st_size for path in (folder / "head_frames").rglob("*.usdc"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The operating system refuses to let a file grow any larger: the last frames, which are the largest.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - 100, limits[1]))
    try:
        run = generate(client, strip, seed=1, storage=storage.FrameStorage("CACHE"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert run.state.name == "FAILED"
    assert "Cannot write" in run.error
    assert "in the file" in run.error
    assert files(folder) == before
    assert set(bpy.data.objects) == objects
    assert not earlier.hide_render
    check(earlier, START + 7)
    assert run.take_text() is not None


def test_a_disk_without_room_is_told_before(saved, client, monkeypatch):
    folder, strip = saved
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(1, 1, 0))
    run = generate(client, strip, storage=storage.FrameStorage("CACHE"))
    assert run.state.name == "FAILED"
    assert "GB left" in run.error
    assert not list(folder.rglob("*.usdc"))


def test_a_folder_that_cannot_be_written_is_told(saved, client, monkeypatch):
    folder, strip = saved
    (folder / "head_frames").write_text("an artist's file")
    run = generate(client, strip, storage=storage.FrameStorage("CACHE"))
    assert run.state.name == "FAILED"
    assert "Cannot write to" in run.error
    assert (folder / "head_frames").read_text() == "an artist's file"
    (folder / "head_frames").unlink()

    def refuse(path, *_arguments, **_options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    run = generate(client, strip, storage=storage.FrameStorage("CACHE"))
    assert run.state.name == "FAILED"
    assert "Permission denied" in run.error


def test_removing_a_head_keeps_its_files(saved, client):
    folder, strip = saved
    head = make(client, strip)
    before = files(folder)
    removal.remove_result(head)
    assert files(folder) == before
    assert not bpy.data.cache_files


def test_a_folder_is_never_shared_and_names_are_safe(saved, client):
    folder, strip = saved
    strip.name = "../CON: ф/.."
    heads = [make(client, strip, seed=seed) for seed in (0, 1)]
    paths = {storage.frames_in_cache.cached_path(head).parent for head in heads}
    assert len(paths) == 2
    assert all(path.parent == folder / "head_frames" and path.is_dir() for path in paths)


def test_the_size_decides(scene):
    chosen = storage.FrameStorage("AUTOMATIC", limit=1e6)
    assert chosen.in_cache(2e6)
    assert not chosen.in_cache(0.5e6)
    assert not storage.FrameStorage("FILE", limit=1.0).in_cache(1e12)
    # Of an unsaved file, which has no place yet.
    assert storage.cache_folder.default_parent().name == "frames"


@pytest.mark.slow
def test_frames_kept_in_a_range_are_copied(saved, client):
    _, strip = saved
    first = make(client, strip)
    generation = import_from_extension("facetalk_blender.generation.generation")
    source = first["facetalk_take"]
    wanted = generation.Options(seed=5, storage=storage.FrameStorage("CACHE"))
    run = generation.Generation(client, strip, wanted, source=source, frame_range=(START + 40, START + 44))
    run.run()
    assert run.error == ""
    assert run.state.name == "DONE"
    second = bpy.data.objects[run.result_name]
    check(second, START + 5)
    assert storage.frames_in_cache.cached_path(second).parent != storage.frames_in_cache.cached_path(first).parent
    assert storage.cache_problem(second) == ""


@pytest.mark.parametrize("harm", ["cut", "other", "values"])
def test_a_spoilt_file_is_refused(tmp_path, harm):
    appearance = import_from_extension("facetalk_blender.look.appearance")
    fields, arrays = scripted_shapes.surface(9)
    look = appearance.Look.of(
        appearance.Regions.of_message(fields, arrays),
        arrays["faces"],
        (appearance.DEFAULT_SKIN_COLOR, appearance.DEFAULT_EYE_COLOR),
    )
    corners, starts = arrays["faces"].ravel(), 3 * np.arange(len(arrays["faces"]), dtype=np.int32)
    vertices = arrays["vertices"]
    if harm == "values":
        corners = np.where(corners == 3, len(vertices) + 5, corners)
    path = usd_frame.frame_path(tmp_path, 1)
    usd_frame.write_frame(path, usd_frame.FrameMesh(vertices, corners, starts, look))
    if harm != "values":
        assert np.array_equal(usd_frame.read_frame(path).vertices, vertices)
        path.write_bytes(path.read_bytes()[:-40] if harm == "cut" else b"PXR-USDC" + bytes(200))
    with pytest.raises(ValueError):
        usd_frame.read_frame(path)


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
    with pytest.raises(RuntimeError, match="48 of 48"):
        bpy.ops.facetalk.find_frames(directory=str(tmp_path))
    assert bpy.ops.facetalk.find_frames(directory=str(moved)) == {"FINISHED"}
    assert head.modifiers["FaceTalk Player"].cache_file.filepath == "//elsewhere/frame_00001.usdc"
    seen.clear()
    assert "missing" not in " ".join(drawn("takes.FACETALK_PT_takes"))
    check(head, START + 7)
    assert bpy.ops.facetalk.move_frames() == {"FINISHED"}
    assert len(list(moved.iterdir())) == COUNT
    check(head, START + 7)


def test_the_panel_tells_where_an_unsaved_file_keeps_frames(registered, tmp_path):
    facetalk = bpy.context.scene.facetalk
    facetalk.strip = speaking_strip(bpy.context.scene, tmp_path).name
    for choice, cached in (("CACHE", True), ("FILE", False)):
        facetalk.frames_in = choice
        said = " ".join(drawn("talking_head.FACETALK_PT_talking_head"))
        assert ("Unsaved file" in said) == cached
        assert ("in a cache folder" in said) == cached
