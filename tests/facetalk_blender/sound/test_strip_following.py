"""Whatever is done to the strip or the scene's rate, the head shows what is heard, and that without the extension.

The frame that should be seen follows from what Blender's own mixdown plays at that frame: the recording is a ramp,
whose value tells the moment of the file.
"""

import subprocess
import sys

import numpy as np
import pytest
import scripted_shapes
from blender_scene import START, bpy, generate
from ramp_recording import SECONDS, heard
from repository import import_from_extension

sound_strip = import_from_extension("facetalk_blender.sound.strip")
RATE = scripted_shapes.RATE
CODES = round(SECONDS * RATE)  # the scripted engine's surface of that number is the head at rest


def move(strip):
    strip.frame_start += 23


def trim(strip):
    strip.frame_offset_start, strip.frame_offset_end = 12, 20


def move_and_trim(strip):
    move(strip)
    trim(strip)


def slip(strip):
    """Other sound under the same handles."""
    strip.frame_offset_start = 15
    strip.frame_start -= 6


def delay(strip):
    strip.sound_offset = 0.25


def faster(strip):
    strip.id_data.render.fps = 48


def slower_and_moved(strip):
    strip.id_data.render.fps = 12
    strip.frame_start += 4


def rename_and_move(strip):
    strip.name = 'Take "2"'
    move(strip)


def broadcast(strip):
    strip.id_data.render.fps, strip.id_data.render.fps_base = 30, 1.001


CHANGES = (move, trim, move_and_trim, slip, delay, faster, slower_and_moved, rename_and_move, broadcast)


def code_shown(head, frame, output):
    """The code frame (fractional for shape keys) that the head shows at a scene frame."""
    bpy.context.scene.frame_set(frame)
    if output == "SHAPE_KEYS":
        return head.data.shape_keys.evaluated_get(bpy.context.view_layer.depsgraph).eval_time / 10 - 1
    return len(head.evaluated_get(bpy.context.view_layer.depsgraph).data.vertices) - 5


@pytest.fixture(params=["FRAME_MESHES", "SHAPE_KEYS"])
def made(request, scene, client, ramp):
    strip = sound_strip.load_sound(scene, ramp, START)
    run = generate(client, strip, output=request.param, add_stage=False)
    assert run.error == ""
    return request.param, bpy.data.objects[run.result_name], strip


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_the_head_shows_what_is_heard(made, tmp_path, change):
    output, head, strip = made
    scene = strip.id_data
    change(strip)
    left, right = int(strip.frame_final_start), int(strip.frame_final_end)
    scene.frame_start, scene.frame_end = max(left, 0), right - 1
    frames, moments = heard(scene, tmp_path)  # at the middle of each frame
    inside = (moments > 0.2) & (moments < SECONDS - 0.2)
    assert inside.sum() > 10
    fps = sound_strip.frames_per_second(scene)
    for frame, moment in list(zip(frames[inside], moments[inside], strict=True))[::7]:
        expected = (moment - 0.5 / fps) * RATE
        # Frame meshes are made for whole frames, so they may be one early.
        assert code_shown(head, int(frame), output) == pytest.approx(
            expected, abs=0.35 if output == "SHAPE_KEYS" else 1.01
        )


def test_outside_the_handles_the_head_rests(made):
    output, head, strip = made
    trim(strip)
    end = int(strip.frame_final_end)
    for frame in (START + 12, end - 1):
        assert code_shown(head, frame, output) == pytest.approx(frame - START, abs=0.01)
    shown = [code_shown(head, frame, output) for frame in (START - 50, START + 11, end, end + 300)]
    assert shown == [-1 if output == "SHAPE_KEYS" else CODES] * 4


def test_a_muted_strip_is_not_spoken(made):
    output, head, strip = made
    strip.mute = True
    assert {round(code_shown(head, frame, output)) for frame in (START, START + 20, START + 70)} == {
        -1 if output == "SHAPE_KEYS" else CODES
    }
    strip.mute = False
    assert code_shown(head, START + 20, output) == pytest.approx(20, abs=0.01)


def test_drivers_are_simple_expressions_which_run_where_scripts_may_not(made):
    output, head, _ = made
    owner = head.data.shape_keys if output == "SHAPE_KEYS" else head.modifiers[0].node_group
    drivers = [curve.driver for curve in owner.animation_data.drivers]
    assert drivers
    assert all(driver.is_simple_expression and driver.is_valid for driver in drivers)


SCRIPT = """
import sys, os, bpy
bpy.ops.wm.open_mainfile(filepath=sys.argv[1], use_scripts=False)
assert not hasattr(bpy.types.Scene, "facetalk")
scene = bpy.context.scene
head = next(item for item in scene.objects if "facetalk_strip" in item)
strip = scene.sequence_editor.strips_all[0]
def show(frame):
    scene.frame_set(frame)
    depsgraph = bpy.context.view_layer.depsgraph
    keys = head.data.shape_keys
    print(keys.evaluated_get(depsgraph).eval_time / 10 - 1 if keys else
        len(head.evaluated_get(depsgraph).data.vertices) - 5)
show(31)
strip.frame_start += 7
show(38)
strip.name = "renamed"
scene.render.fps = 48
show(58)
strip.mute = True
show(58)
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.slow
def test_a_saved_file_follows_its_strip_in_a_blender_without_the_extension(made, tmp_path):
    output, _, _ = made
    path = str(tmp_path / "head.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    run = subprocess.run([sys.executable, "-c", SCRIPT, path], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    codes = [float(line) for line in run.stdout.splitlines() if line.replace(".", "").replace("-", "").isdigit()]
    # The strip begins at 18 when the rate is doubled.
    np.testing.assert_allclose(codes, [20, 20, 20, -1 if output == "SHAPE_KEYS" else CODES], atol=0.02)
