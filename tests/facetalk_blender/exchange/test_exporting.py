"""Every exporter's file, read back by Blender: the same motion as in the scene."""

import csv
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from blender_scene import START, bpy, generate, speaking_strip
from repository import import_from_extension
from speaking_faces import artists_action, bake, expected, face, speech

exporting = import_from_extension("facetalk_blender.exchange.exporting")
subjects = import_from_extension("facetalk_blender.exchange.subjects")
head_pose = import_from_extension("facetalk_blender.outputs.head_pose")
formats = import_from_extension("facetalk_blender.exchange.formats")
EngineError = import_from_extension("engine.shared.errors").EngineError
LENGTH = 24
FRAMES = (START, START + 7, START + 20)


@pytest.fixture(params=["action", "track"])
def speaking(scene, tmp_path, request):
    """A face of the artist that speaks for a second: by our action, and beside an action of the artist's."""
    strip, take = speaking_strip(scene, tmp_path, seconds=LENGTH / 24, frame=START), speech(LENGTH / 24)
    item = face(["jawOpen", "mouthClose", "smile"])
    if request.param == "track":
        artists_action(item, "smile")
    bystander = face(["x"], "Bystander")
    bystander.select_set(True)
    bake(strip, take, targets=("Face",), tolerance=None)
    scene.frame_start, scene.frame_end = START, START + LENGTH - 1
    return strip, item, take


def write(kind, tmp_path, strip):
    path = tmp_path / f"out{formats.FORMATS[kind].suffix}"
    current = bpy.context.scene
    items = subjects.subjects(current, strip.name, None)
    reason = exporting.problem(kind, items)
    if any(text in reason for text in ("built without", "Enable the add-on", "an object for every frame")):
        pytest.skip(reason)
    exporting.export(kind, path, current, strip.name, items)
    return path


def read_back(importer, path):
    before = set(bpy.data.objects)
    assert importer(filepath=str(path)) == {"FINISHED"}
    return [item for item in bpy.data.objects if item not in before and item.type == "MESH"]


def height(item, frame, rest=0.0):
    """How far the imported mesh's first key has moved its vertex, whichever axis points up."""
    bpy.context.scene.frame_set(frame)
    mesh = item.evaluated_get(bpy.context.view_layer.depsgraph).data
    points = np.array([tuple(item.matrix_world @ vertex.co) for vertex in mesh.vertices])
    return points[np.abs(points[:, 0]) < 0.1, 2].max()


@pytest.mark.parametrize("kind", ["gltf", "fbx", "alembic", "usd"])
def test_the_motion_comes_back(speaking, tmp_path, kind):
    strip, _, take = speaking
    path = write(kind, tmp_path, strip)
    importer = {
        "gltf": bpy.ops.import_scene.gltf,
        "fbx": partial(bpy.ops.import_scene.fbx, anim_offset=0.0),
        "alembic": bpy.ops.wm.alembic_import,
        "usd": bpy.ops.wm.usd_import,
    }[kind]
    (item,) = read_back(importer, path)
    start = START if kind == "gltf" else 0  # an animation of glTF begins at 0
    shown = np.array([height(item, frame - start) for frame in FRAMES])
    np.testing.assert_allclose(shown, expected(take, "jawOpen", FRAMES), atol=0.01)
    if kind != "alembic":
        names = {block.name for block in item.data.shape_keys.key_blocks}
        assert {"jawOpen", "mouthClose"} <= names


def shown_points(item, frame):
    """Places (V, 3) of an object's vertices in the world as they are shown."""
    bpy.context.scene.frame_set(frame)
    found = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([tuple(found.matrix_world @ vertex.co) for vertex in found.data.vertices])


@pytest.mark.parametrize("kind", ["gltf", "fbx"])
def test_the_head_turns_by_a_bone_where_no_modifier_is_known(speaking, tmp_path, kind):
    strip, item, _ = speaking
    item["facetalk_strip"] = strip.name
    times = np.arange(LENGTH) / 24
    pose = np.zeros((LENGTH, 6), np.float32)
    pose[:, 0], pose[:, 1], pose[:, 2] = 12 * np.sin(5 * times), 15 * np.sin(3 * times), -6 * np.sin(4 * times)
    pose[:, 3], pose[:, 5] = 4 * times, -3 * times
    before = {frame: shown_points(item, frame) for frame in FRAMES}
    head_pose.add(item, bpy.context.scene, 0.0, pose, 24.0)
    wanted = {frame: shown_points(item, frame) for frame in FRAMES}
    assert np.abs(wanted[FRAMES[1]] - before[FRAMES[1]]).max() > 0.005
    objects, groups = set(bpy.data.objects), len(item.vertex_groups)
    path = write(kind, tmp_path, strip)
    assert (set(bpy.data.objects), len(item.vertex_groups)) == (objects, groups)
    assert [modifier.type for modifier in item.modifiers].count("ARMATURE") == 0
    importer = {"gltf": bpy.ops.import_scene.gltf, "fbx": partial(bpy.ops.import_scene.fbx, anim_offset=0.0)}[kind]
    found = next(one for one in read_back(importer, path) if one.data.shape_keys is not None)
    start = START if kind == "gltf" else 0
    used = sorted({index for polygon in item.data.polygons for index in polygon.vertices})
    assert len(found.data.vertices) >= len(used) >= 3
    for frame in FRAMES:
        places = shown_points(found, frame - start)
        away = np.linalg.norm(places[:, None] - wanted[frame], axis=2)  # vertices may have another order
        assert away.min(axis=0)[used].max() < 0.002  # glTF has no loose ones


def test_exporting_changes_nothing(speaking, tmp_path):
    strip, item, _ = speaking
    bpy.context.view_layer.objects.active = item
    bpy.context.scene.frame_set(START + 3)
    for kind in formats.FORMATS:
        write(kind, tmp_path, strip)
    assert [other.name for other in bpy.context.selected_objects] == ["Bystander"]
    assert bpy.context.view_layer.objects.active == item
    assert bpy.context.scene.frame_current == START + 3


def test_weights_of_curves_with_their_edits(speaking, tmp_path):
    strip, _, take = speaking
    frames = range(START, START + LENGTH)
    curve_action = import_from_extension("facetalk_blender.outputs.curve_action")
    (action,) = curve_action.actions_of(bpy.context.scene, strip.name)
    curve = next(c for c in curve_action.curves_of(action, action.slots[0]) if "mouthClose" in c.data_path)
    next(point for point in curve.keyframe_points if point.co.x == START + 5).co.y = 0.75
    rows = list(csv.DictReader(write("csv", tmp_path, strip).open()))
    assert len(rows) == LENGTH
    assert rows[0]["Timecode"] == f"00:00:00:{START:02d}.000"
    jaw = [float(row["JawOpen"]) for row in rows]
    np.testing.assert_allclose(jaw, expected(take, "jawOpen", frames), atol=1e-4)
    assert float(rows[5]["MouthClose"]) == pytest.approx(0.75)
    assert {row["TongueOut"] for row in rows} == {"0.000000"}


@pytest.mark.slow
@pytest.mark.parametrize("output", ["FRAME_MESHES", "SHAPE_KEYS"])
@pytest.mark.parametrize("kind", ["alembic", "usd"])
def test_other_outputs_export_as_moving_surfaces(scene, client, tmp_path, output, kind):
    strip = speaking_strip(scene, tmp_path, seconds=0.5, frame=START)
    run = generate(client, strip, output=output, add_stage=False)
    head = bpy.data.objects[run.result_name]
    scene.frame_start, scene.frame_end = START, START + 11
    wanted = {frame: _surface(head, frame) for frame in (START, START + 5, START + 11)}
    path = write(kind, tmp_path, strip)
    items = read_back({"alembic": bpy.ops.wm.alembic_import, "usd": bpy.ops.wm.usd_import}[kind], path)
    (item,) = items
    for frame, points in wanted.items():
        found = _surface(item, frame)
        assert len(found) == len(points)
        np.testing.assert_allclose(_sorted(found), _sorted(points), atol=1e-5)


def _surface(item, frame):
    bpy.context.scene.frame_set(frame)
    mesh = item.evaluated_get(bpy.context.view_layer.depsgraph).data
    return np.array([tuple(item.matrix_world @ vertex.co) for vertex in mesh.vertices])


def _sorted(points):
    return points[np.lexsort(np.round(points, 4).T)]


def test_reasons_for_what_cannot_be_exported(scene, client, tmp_path, monkeypatch):
    strip = speaking_strip(scene, tmp_path, seconds=0.5)
    assert "generate a head" in exporting.problem("csv", subjects.subjects(scene, strip.name, None))
    generate(client, strip, output="SHAPE_KEYS")
    items = subjects.subjects(scene, strip.name, None)
    assert "relative shape keys only" in exporting.problem("gltf", items)
    assert exporting.problem("csv", items) == ""
    monkeypatch.setattr(exporting, "exporter", lambda chosen: None)
    assert exporting.problem("alembic", items) == "This Blender was built without Alembic; use another build."
    assert exporting.problem("csv", items) == ""
    monkeypatch.undo()
    monkeypatch.setattr(exporting, "exporter", lambda chosen: bpy.ops.wm.obj_export)
    monkeypatch.setattr(exporting.compat, "exports_picked_geometry_as_one_object", lambda: False)
    assert exporting.problem("usd", items) == ""
    items[0][exporting.FRAMES_PROPERTY] = True
    assert "an object for every frame" in exporting.problem("usd", items)
    assert exporting.problem("csv", items) == ""
    monkeypatch.undo()
    del items[0][exporting.FRAMES_PROPERTY]
    for kind, place in (("csv", tmp_path / "none" / "x.csv"), ("alembic", Path("/proc/x.abc")), ("usd", tmp_path)):
        with pytest.raises(EngineError, match=r"Cannot write .*; choose another place\."):
            exporting.export(kind, place, scene, strip.name, items)


@pytest.mark.slow
def test_an_exporter_that_fails_is_quoted_in_one_line(scene, client, tmp_path, monkeypatch):
    strip = speaking_strip(scene, tmp_path, seconds=0.5)
    generate(client, strip, output="EXPRESSION_CURVES")
    items = subjects.subjects(scene, strip.name, None)
    # Blender's own exporter, without the folder being looked at before.
    monkeypatch.setattr(exporting, "_check_writable", lambda path: None)
    for kind in ("gltf", "fbx", "usd", "alembic"):
        path = tmp_path / "tone.wav" / f"x{formats.FORMATS[kind].suffix}"
        with pytest.raises(EngineError, match="was not written") as caught:
            exporting.export(kind, path, scene, strip.name, items)
        assert "\n" not in str(caught.value)
        assert "Traceback" not in str(caught.value)


def test_weights_of_a_take_without_curves(scene, client, tmp_path):
    strip = speaking_strip(scene, tmp_path, seconds=0.5, frame=START)
    generate(client, strip, output="SHAPE_KEYS", audio_playback=False)
    scene.frame_start, scene.frame_end = START - 2, START + 5
    rows = list(csv.DictReader(write("csv", tmp_path, strip).open()))
    # The scripted take's first weight is the number of its frame, and weights end at one.
    assert [float(row["JawOpen"]) for row in rows] == [0, 0, 0] + 5 * [1]
