"""Absolute shape keys stand at the right time and are smooth between code frames."""

import numpy as np
import pytest
import scripted_shapes
from blender_scene import START, bpy, generate, speaking_strip

CODES = 48


@pytest.fixture
def head(scene, client, tmp_path):
    run = generate(client, speaking_strip(scene, tmp_path, frame=START), output="SHAPE_KEYS")
    assert run.error == ""
    assert run.state.name == "DONE"
    return bpy.data.objects[run.result_name]


def tip(head, frame):
    whole = int(np.floor(frame))
    bpy.context.scene.frame_set(whole, subframe=frame - whole)
    return np.array(head.evaluated_get(bpy.context.view_layer.depsgraph).data.vertices[4].co)


def catmull_rom(code):
    """The pyramid's tip at a fractional code frame, by the textbook formula."""
    i = int(np.floor(code))
    p = [scripted_shapes.positions(k)[4].astype(float) for k in range(i - 1, i + 3)]
    t = code - i
    return 0.5 * (
        2 * p[1] + (p[2] - p[0]) * t + (2 * p[0] - 5 * p[1] + 4 * p[2] - p[3]) * t**2
        + (3 * p[1] - p[0] - 3 * p[2] + p[3]) * t**3
    )  # fmt: skip


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_positions_between_code_frames(scene, client, tmp_path, fps):
    scene.render.fps = fps
    run = generate(client, speaking_strip(scene, tmp_path, frame=START), output="SHAPE_KEYS")
    head = bpy.data.objects[run.result_name]
    for frame in (START + fps // 6, START + fps // 2 + 0.25, START + fps + 1):
        code = (frame - START) / fps * scripted_shapes.RATE
        np.testing.assert_allclose(tip(head, frame), catmull_rom(code), atol=2e-4)


def test_one_driver_leads_from_time_to_key(head):
    """Blender may evaluate a driver before another one that it reads from."""
    keys = head.data.shape_keys
    assert [curve.data_path for curve in keys.animation_data.drivers] == ["eval_time"]
    read = {variable.targets[0].id for variable in keys.animation_data.drivers[0].driver.variables}
    assert keys not in read


REST = scripted_shapes.template()[1]["vertices"][4]


def test_the_head_rests_before_and_after_the_clip(head):
    """Within 0.15 s, on its way between the first or last code frame and the head at rest."""
    end = START + CODES
    for frame in (-500, 0, START - 4, end + 3, end + 200):
        np.testing.assert_allclose(tip(head, frame), REST, atol=1e-5)
    np.testing.assert_allclose(tip(head, START), scripted_shapes.positions(0)[4], atol=1e-5)
    np.testing.assert_allclose(tip(head, end - 1), scripted_shapes.positions(CODES - 1)[4], atol=1e-5)
    assert 0.01 < np.linalg.norm(tip(head, end) - REST) < np.linalg.norm(tip(head, end - 1) - REST)


def test_a_trimmed_strip_rests_outside_itself(head):
    strip = bpy.context.scene.sequence_editor.strips_all[0]
    strip.frame_offset_start, strip.frame_offset_end = 10, 15
    np.testing.assert_allclose(tip(head, START + 10), scripted_shapes.positions(10)[4], atol=1e-5)
    np.testing.assert_allclose(tip(head, START + 32), scripted_shapes.positions(32)[4], atol=1e-5)
    for frame in (START - 20, START + 9, START + 33, START + 40, START + 300):
        np.testing.assert_allclose(tip(head, frame), REST, atol=1e-5)


def test_the_keys_follow_their_strip(head):
    expected = tip(head, START + 20)
    bpy.context.scene.sequence_editor.strips_all[0].frame_start += 15
    np.testing.assert_allclose(tip(head, START + 35), expected, atol=1e-6)


def test_topology_uv_and_materials(head):
    mesh = head.data
    assert [len(polygon.vertices) for polygon in mesh.polygons] == [4, 3, 3, 3, 3]
    _, arrays = scripted_shapes.template()
    corners = [arrays["uv"][polygon, corner] for polygon, corner in np.argwhere(arrays["polygons"] >= 0)]
    np.testing.assert_allclose([item.vector for item in mesh.uv_layers[0].uv], corners, atol=1e-6)
    assert mesh.materials[0].name == "FaceTalk Skin"
    assert not mesh.validate(verbose=True)


def test_playback_survives_saving(head, tmp_path):
    path, name, expected = str(tmp_path / "head.blend"), head.name, tip(head, START + 20)
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    np.testing.assert_allclose(tip(bpy.data.objects[name], START + 20), expected, atol=1e-7)
