"""Finished heads and curves follow what an artist does later: what is not heard any more is not shown."""

import json
import subprocess
import sys

import numpy as np
import pytest
from blender_scene import COUNT, START, bpy
from registered_extension import generated_by_button
from repository import import_from_extension
from speaking_faces import face

compat = import_from_extension("facetalk_blender.compat")
OUTPUTS = {
    "keys": {"output": "SHAPE_KEYS"},
    "head": {"output": "EXPRESSION_CURVES"},
    "artist": {"output": "EXPRESSION_CURVES"},
    "file": {"output": "FRAME_MESHES", "frames_in": "FILE"},
    "cache": {"output": "FRAME_MESHES", "frames_in": "CACHE"},
}
FAR_AWAY = START + COUNT + 200
TRANSITION = 4  # frames, 0.15 s


@pytest.fixture(params=OUTPUTS)
def made(request, registered, tmp_path):
    targets = [face(["jawOpen"])] if request.param == "artist" else []
    return generated_by_button(tmp_path, targets, **OUTPUTS[request.param])


def the_strip():
    return next(strip for strip in bpy.context.scene.sequence_editor.strips_all if strip.type == "SOUND")


def shown(frame):
    """What is seen at a frame: how many vertices, and their sum."""
    scene = bpy.context.scene
    scene.frame_set(frame)
    head = next(item for item in scene.objects if "facetalk_take" in item or item.name == "Face")
    mesh = head.evaluated_get(bpy.context.view_layer.depsgraph).data
    found = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", found)
    return len(mesh.vertices), round(float(found.sum()), 4)


def changed():
    """What the window does after a change."""
    bpy.context.scene.update_tag()
    bpy.context.view_layer.update()


def spoken(frames):
    changed()
    rest = shown(FAR_AWAY)
    return [shown(frame) != rest for frame in frames]


def in_meta(first=1, end=START + COUNT + 20):
    meta = compat.strip_collection(bpy.context.scene.sequence_editor).new_meta("Around", 3, first)
    the_strip().move_to_meta(meta)
    meta.channel = 3
    meta.frame_final_start, meta.frame_final_end = first, end
    changed()
    return meta


def mute_channel():
    channel = bpy.context.scene.sequence_editor.channels[the_strip().channel]
    channel.mute = True
    return lambda: setattr(channel, "mute", False)


def mute_strip():
    the_strip().mute = True
    return lambda: setattr(the_strip(), "mute", False)


def mute_meta():
    meta = in_meta()
    meta.mute = True
    return lambda: setattr(meta, "mute", False)


def mute_channel_of_meta():
    in_meta()
    channel = bpy.context.scene.sequence_editor.channels[3]
    channel.mute = True
    return lambda: setattr(channel, "mute", False)


def mute_channel_in_meta():
    meta = in_meta()
    channel = meta.channels[the_strip().channel]
    channel.mute = True
    return lambda: setattr(channel, "mute", False)


def no_volume():
    the_strip().volume = 0.0
    return lambda: setattr(the_strip(), "volume", 1.0)


MIDDLE = range(START + 8, START + COUNT - 8, 8)


@pytest.mark.parametrize(
    "silence", [mute_strip, mute_channel, mute_meta, mute_channel_of_meta, mute_channel_in_meta, no_volume]
)
def test_what_nobody_hears_any_more_rests_and_comes_back(made, silence):
    before = [shown(frame) for frame in MIDDLE]
    assert all(spoken(MIDDLE))
    hear_again = silence()
    assert not any(spoken([START - 2, START, *MIDDLE, START + COUNT - 1]))
    hear_again()
    assert all(spoken(MIDDLE))
    assert [shown(frame) for frame in MIDDLE] == before


def trims(start, end):
    strip = the_strip()
    strip.frame_final_start, strip.frame_final_end = start, end


def meta_trims(start, end):
    in_meta(start, end)


@pytest.mark.parametrize("trim", [trims, meta_trims])
def test_outside_a_later_trim_it_rests(made, trim):
    before = [shown(frame) for frame in range(START + 16, START + 30)]
    trim(START + 15, START + 31)
    assert all(spoken(range(START + 16, START + 30)))
    assert [shown(frame) for frame in range(START + 16, START + 30)] == before
    outside = [*range(START - 5, START + 15 - TRANSITION), *range(START + 31 + TRANSITION, FAR_AWAY, 9)]
    assert not any(spoken(outside))


def test_a_trim_that_is_taken_back_leaves_no_trace(made):
    frames = range(START - 6, START + COUNT + 8)
    before = [shown(frame) for frame in frames]
    strip = the_strip()
    handles = compat.handles(strip)
    trims(START + 15, START + 31)
    changed()
    assert [shown(frame) for frame in frames] != before
    trims(*handles)
    changed()
    assert [shown(frame) for frame in frames] == before


def test_it_moves_with_a_meta_strip(made):
    before = [shown(frame) for frame in MIDDLE]
    meta = in_meta()
    start = compat.strip_timing_paths()["start"]
    setattr(meta, start, getattr(meta, start) + 10)
    changed()
    assert [shown(frame + 10) for frame in MIDDLE] == before


PLAIN = """
import sys, os, json, bpy
bpy.ops.wm.open_mainfile(filepath=sys.argv[1], use_scripts=False)
assert not hasattr(bpy.types.Scene, "facetalk")
scene = bpy.context.scene
frames, far, change = json.loads(sys.argv[2])
head = next(item for item in scene.objects if "facetalk_take" in item or item.name == "Face")
if change == "unmute":
    scene.sequence_editor.strips_all["Around"].mute = False
def seen(frame):
    scene.frame_set(frame)
    mesh = head.evaluated_get(bpy.context.view_layer.depsgraph).data
    return len(mesh.vertices), round(sum(sum(vertex.co) for vertex in mesh.vertices), 3)
rest = seen(far)
print("seen", json.dumps([seen(frame) != rest for frame in frames]))
sys.stdout.flush()
os._exit(0)
"""


def seen_elsewhere(folder, frames, change=""):
    path = str(folder / "made.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    question = json.dumps([list(frames), FAR_AWAY, change])
    run = subprocess.run([sys.executable, "-c", PLAIN, path, question], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return json.loads(next(line[5:] for line in run.stdout.splitlines() if line.startswith("seen ")))


@pytest.mark.slow
@pytest.mark.parametrize("silence", [mute_channel, mute_meta])
def test_a_saved_file_rests_in_a_blender_without_the_extension(made, tmp_path, silence):
    silence()
    changed()
    assert not any(seen_elsewhere(tmp_path, MIDDLE))


@pytest.mark.slow
def test_a_saved_trim_holds_in_a_blender_without_the_extension(made, tmp_path):
    trims(START + 15, START + 31)
    changed()
    frames = [START + 5, START + 20, START + 45]
    assert seen_elsewhere(tmp_path, frames) == [False, True, False]


@pytest.mark.slow
def test_heads_follow_a_meta_strip_in_a_blender_without_the_extension(made, tmp_path):
    if made.facetalk.output == "EXPRESSION_CURVES":
        pytest.skip("keys that can be edited are moved by the extension")
    mute_meta()
    changed()
    assert all(seen_elsewhere(tmp_path, MIDDLE, "unmute"))
