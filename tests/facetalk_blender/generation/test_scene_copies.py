"""A full copy of a scene follows its own strip: with the extension, and in a Blender without it."""

import subprocess
import sys

import numpy as np
import pytest
from blender_scene import COUNT, START, bpy, speaking_strip
from registered_extension import generated_by_button, module
from repository import import_from_extension
from speaking_faces import face

compat = import_from_extension("facetalk_blender.compat")
OUTPUTS = {
    "keys": {"output": "SHAPE_KEYS"},
    "curves": {"output": "EXPRESSION_CURVES"},
    "file": {"output": "FRAME_MESHES", "frames_in": "FILE"},
    "cache": {"output": "FRAME_MESHES", "frames_in": "CACHE"},
}


def start_of(strip):
    return compat.strip_timing_paths()["start"]


def move(scene, frames, name="tone"):
    strip = scene.sequence_editor.strips_all[name]
    setattr(strip, start_of(strip), getattr(strip, start_of(strip)) + frames)
    bpy.context.view_layer.update()


def heads(scene):
    return [item for item in scene.objects if "facetalk_take" in item or item.name.split(".")[0] == "Face"]


def shown(scene, frame):
    """What is seen of the scene's head: the sum of its vertices, which differs from frame to frame."""
    bpy.context.window.scene = scene
    scene.frame_set(frame)
    depsgraph = bpy.context.view_layer.depsgraph
    (head,) = heads(scene)
    mesh = head.evaluated_get(depsgraph).data
    found = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", found)
    return len(mesh.vertices), round(float(found.sum()), 4)


def copied(scene):
    bpy.context.window.scene = scene
    bpy.ops.scene.new(type="FULL_COPY")
    bpy.context.scene.update_tag()  # handlers run with the next change
    bpy.context.view_layer.update()
    return bpy.context.window.scene


@pytest.fixture(params=OUTPUTS)
def made(request, registered, tmp_path):
    return generated_by_button(tmp_path, **OUTPUTS[request.param])


@pytest.fixture(params=["with actions", "actions are shared"])
def artists(request, registered, tmp_path):
    scene, item = bpy.context.scene, face(["jawOpen"])
    settings = scene.facetalk
    settings.strip, settings.output = speaking_strip(scene, tmp_path, frame=START).name, "EXPRESSION_CURVES"
    settings.curves.targets.add().item = item
    bpy.ops.facetalk.generate()
    bpy.context.preferences.edit.use_duplicate_action = request.param == "with actions"
    return scene


def follows_its_own(scene, copy):
    frames = range(START - 3, START + COUNT + 4)
    before = [shown(scene, frame) for frame in frames]
    assert before[0] != before[5] != before[-1]
    assert [shown(copy, frame) for frame in frames] == before
    move(copy, 13)
    assert [shown(copy, frame + 13) for frame in frames] == before
    assert [shown(scene, frame) for frame in frames] == before
    bpy.context.window.scene = scene
    move(scene, 5)
    assert [shown(scene, frame + 5) for frame in frames] == before
    assert [shown(copy, frame + 13) for frame in frames] == before


def test_a_full_copy_follows_its_own_strip(made):
    follows_its_own(made, copied(made))


def test_so_do_curves_on_an_artists_mesh(artists):
    follows_its_own(artists, copied(artists))


def test_a_copy_of_a_copy_too(made):
    copy = copied(made)
    follows_its_own(copy, copied(copy))


def test_a_copy_stays_when_its_original_goes(made):
    frames = range(START, START + COUNT, 9)
    before = [shown(made, frame) for frame in frames]
    copy = copied(made)
    for item in heads(made):
        module("facetalk_blender.outputs.removal").remove_result(item)
    bpy.data.scenes.remove(made)
    move(copy, 4)
    assert [shown(copy, frame + 4) for frame in frames] == before


def test_a_copy_has_a_take_and_a_name_of_its_own(made):
    copy = copied(made)
    text = copy.facetalk.chosen_take()
    assert text != made.facetalk.chosen_take()
    assert heads(copy)[0]["facetalk_take"] == text
    copy.sequence_editor.strips_all["tone"].name = "other"
    bpy.context.view_layer.update()
    assert {text["facetalk_strip"], heads(copy)[0]["facetalk_strip"]} == {"other"}
    assert heads(made)[0]["facetalk_strip"] == "tone"
    assert bpy.ops.facetalk.delete_take() == {"FINISHED"}
    assert len(heads(made)) == 1
    assert not heads(copy)
    assert shown(made, START + 20) != shown(made, START - 20)


PLAIN = """
import sys, os, bpy
path, start, frames = sys.argv[1], sys.argv[2], [int(frame) for frame in sys.argv[3:]]
bpy.ops.wm.open_mainfile(filepath=path, use_scripts=False)
assert not hasattr(bpy.types.Scene, "facetalk")
scene = bpy.context.scene
def show(scene, move=0):
    bpy.context.window.scene = scene
    head = next(item for item in scene.objects if "facetalk_strip" in item)
    for frame in frames:
        scene.frame_set(frame + move)
        mesh = head.evaluated_get(bpy.context.view_layer.depsgraph).data
        print("shown", len(mesh.vertices), round(sum(sum(vertex.co) for vertex in mesh.vertices), 3))
show(scene)
bpy.ops.scene.new(type="FULL_COPY")
copy = bpy.context.window.scene
strip = copy.sequence_editor.strips_all["tone"]
setattr(strip, start, getattr(strip, start) + 13)
show(copy, 13)
show(scene)
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.slow
def test_a_full_copy_follows_its_own_strip_without_the_extension(made, tmp_path):
    if made.facetalk.output == "EXPRESSION_CURVES":
        pytest.skip("keys that can be edited are moved by the extension")
    path = str(tmp_path / "made.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    frames = [str(frame) for frame in range(START, START + COUNT, 9)]
    command = [sys.executable, "-c", PLAIN, path, compat.strip_timing_paths()["start"], *frames]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    seen = [line for line in run.stdout.splitlines() if line.startswith("shown")]
    first, copy, again = (seen[index : index + len(frames)] for index in range(0, len(seen), len(frames)))
    assert len(set(first)) > 3
    assert first == copy == again


def test_a_scene_without_the_strip_plays_a_head_as_it_was_heard(made):
    """As where an object is linked into another scene or file."""
    frames = range(START, START + COUNT, 9)
    move(made, 6)
    before = [shown(made, frame + 6) for frame in frames]
    other = bpy.data.scenes.new("Other")
    other.render.fps = made.render.fps
    other.collection.objects.link(heads(made)[0])
    assert [shown(other, frame + 6) for frame in frames] == before
