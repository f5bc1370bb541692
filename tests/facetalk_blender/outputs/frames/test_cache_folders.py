"""Cache folders on disk: what is in the way is told, what fails leaves nothing, and files of others stay."""

import errno
import os
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
import scripted_shapes
from blender_scene import START, bpy, generate
from cached_frames import check, files, make
from repository import import_from_extension

cache_folder = import_from_extension("facetalk_blender.outputs.frames.cache_folder")
usd_frame = import_from_extension("facetalk_blender.outputs.frames.usd_frame")
conversion = import_from_extension("facetalk_blender.generation.frame_conversion")
storage = import_from_extension("facetalk_blender.outputs.frames.frame_storage")
removal = import_from_extension("facetalk_blender.outputs.removal")


@pytest.mark.slow
def test_missing_frames_are_reported(saved, client):
    folder, strip = saved
    head = make(client, strip)
    assert storage.cache_problem(head) == ""
    cache = next((folder / "head_frames").iterdir())
    storage.MISSING_FRAMES.clear()
    usd_frame.frame_path(cache, 3).unlink()
    assert "1 of 49 frames are missing" in storage.cache_problem(head)
    storage.MISSING_FRAMES.clear()
    cache.rename(folder / "lost")
    assert "Find Frames" in storage.cache_problem(head)
    run = conversion.Conversion(bpy.context.scene, head, storage.FrameStorage())
    run.run()
    assert run.state.name == "FAILED"
    assert "Make Output" in run.error
    assert storage.is_cached(head)


def begun(client, strip):
    """A generation whose first frames are in their cache folder."""
    generation = import_from_extension("facetalk_blender.generation.generation")
    run = generation.Generation(client, strip, generation.Options(bundle="slow", storage=storage.FrameStorage("CACHE")))
    while run.written < 5:
        run.tick()
    return run


def test_blender_interrupted_leaves_whole_heads_alone(saved, client):
    folder, strip = saved
    make(client, strip)
    before = files(folder)
    run = begun(client, strip)
    assert files(folder) != before
    cache_folder.remove_unfinished()
    assert files(folder) == before
    run.cancel()


def test_a_cancelled_generation_leaves_no_file(saved, client):
    folder, strip = saved
    earlier = make(client, strip)
    before = files(folder)
    run = begun(client, strip)
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
    assert "has 0 kB left" in run.error
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
        np.testing.assert_allclose(usd_frame.read_frame(path).vertices, vertices, atol=8e-6)
        path.write_bytes(path.read_bytes()[:-40] if harm == "cut" else b"PXR-USDC" + bytes(200))
    with pytest.raises(ValueError):
        usd_frame.read_frame(path)
