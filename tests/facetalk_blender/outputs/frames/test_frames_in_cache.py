"""Frame meshes in a cache folder show what those in the file show."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import scripted_shapes
from blender_scene import COUNT, START, bpy, speaking_strip
from cached_frames import check, check_same, make, shown
from registered_extension import drawn
from repository import HELPERS, import_from_extension

storage = import_from_extension("facetalk_blender.outputs.frames.frame_storage")


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
    assert len(list((folder / path[2:]).parent.glob("frame_0*"))) == COUNT + 1  # and the head at rest


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
        shown(head, START + 20)[0]["position"], scripted_shapes.surface(10)[1]["vertices"], atol=8e-6
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
    assert np.allclose(vertices, scripted_shapes.surface(index)[1]["vertices"], atol=8e-6)
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


def test_the_panel_tells_where_an_unsaved_file_keeps_frames(registered, tmp_path):
    facetalk = bpy.context.scene.facetalk
    facetalk.strip, facetalk.output = speaking_strip(bpy.context.scene, tmp_path).name, "FRAME_MESHES"
    for choice, cached in (("CACHE", True), ("FILE", False)):
        facetalk.frames_in = choice
        said = " ".join(drawn("talking_head.FACETALK_PT_talking_head"))
        assert ("Unsaved file" in said) == cached
        assert ("in a cache folder" in said) == cached
