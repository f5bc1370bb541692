"""Operators and panels of expression curves and export, registered as Blender has them."""

import csv
import json
from types import SimpleNamespace

import pytest
from blender_scene import START, bpy, speaking_strip
from registered_extension import CheckedLayout, drawn, module
from speaking_faces import artists_action, face, snapshot, values


@pytest.fixture
def curves(registered, tmp_path, monkeypatch):
    """The scene's settings of expression curves, with a strip chosen and presets in a folder of their own."""
    operators = module("operators.expression_curves")
    panel = module("panels.expression_curves")
    for user in (operators, panel):
        monkeypatch.setattr(user, "preset_folder", lambda: tmp_path / "presets")
    settings = bpy.context.scene.facetalk
    settings.strip = speaking_strip(bpy.context.scene, tmp_path, frame=START).name
    settings.output, settings.add_stage = "EXPRESSION_CURVES", False
    return settings.curves


def selected(*items):
    for item in bpy.context.scene.objects:
        item.select_set(item in items)


def channels(curves):
    return {row.name: row.channel for row in curves.links}


def test_targets_are_added_matched_and_removed(curves):
    head, teeth, plain = face(["jawOpen", "Mouth_Smile_L", "odd"]), face(["Jaw_Open"], "Teeth"), face([], "Plain")
    selected(plain)
    assert bpy.ops.facetalk.add_curve_targets() == {"CANCELLED"}
    selected(head, teeth, plain)
    assert bpy.ops.facetalk.add_curve_targets() == {"FINISHED"}
    assert {row.item for row in curves.targets} == {head, teeth}
    assert channels(curves) == {
        "jawOpen": "jawOpen",
        "Mouth_Smile_L": "mouthSmileLeft",
        "odd": "",
        "Jaw_Open": "jawOpen",
    }
    curves.links["odd"].channel = "tongueOut"
    curves.links["jawOpen"].gain = 1.5
    bpy.ops.facetalk.match_shape_keys()
    assert channels(curves)["odd"] == "tongueOut"
    assert curves.links["odd"].method == "Manual"
    assert curves.links["jawOpen"].gain == 1.5
    bpy.ops.facetalk.remove_curve_target()
    assert len(curves.targets) == 1
    bpy.data.objects.remove(curves.targets[0].item)
    assert "missing" in curves.problem()
    assert not bpy.ops.facetalk.match_shape_keys.poll()
    assert not bpy.ops.facetalk.generate.poll()
    bpy.ops.facetalk.remove_curve_target()
    assert not bpy.ops.facetalk.remove_curve_target.poll()
    bpy.ops.facetalk.match_shape_keys()
    assert len(curves.links) > 52 - 1  # a new head's keys, for their gains


def test_presets_go_and_come_back(curves, tmp_path):
    assert not bpy.ops.facetalk.save_curve_preset.poll()
    selected(face(["jawOpen", "odd"]))
    bpy.ops.facetalk.add_curve_targets()
    curves.links["odd"].channel, curves.links["odd"].gain = "viseme_aa", 0.5
    bpy.ops.facetalk.save_curve_preset(preset="Robot")
    with pytest.raises(RuntimeError, match="choose another name"):
        bpy.ops.facetalk.save_curve_preset(preset="../Robot")
    curves.links.clear()
    bpy.ops.facetalk.load_curve_preset(preset="Robot")
    assert channels(curves) == {"jawOpen": "jawOpen", "odd": "viseme_aa"}
    assert curves.links["odd"].gain == 0.5
    with pytest.raises(RuntimeError, match="There is no preset"):
        bpy.ops.facetalk.load_curve_preset(preset="Other")
    assert [path.name for path in (tmp_path / "presets").iterdir()] == ["Robot.json"]


def test_a_preset_is_deleted_for_good(curves, tmp_path):
    assert not bpy.ops.facetalk.delete_curve_preset.poll()
    bpy.ops.facetalk.match_shape_keys()
    for name in ("Robot", "Queen"):
        bpy.ops.facetalk.save_curve_preset(preset=name)
    assert bpy.ops.facetalk.delete_curve_preset(preset="Robot") == {"FINISHED"}
    assert [path.name for path in (tmp_path / "presets").iterdir()] == ["Queen.json"]
    assert len(curves.links) == 52
    with pytest.raises(TypeError, match="Robot"):
        bpy.ops.facetalk.delete_curve_preset(preset="Robot")
    assert bpy.ops.facetalk.delete_curve_preset(preset="Queen") == {"FINISHED"}
    assert not bpy.ops.facetalk.delete_curve_preset.poll()


def rigged_face(keys=(), name="Rig"):
    """A face under an armature with a jaw, an eye and a property that a driver of a bone reads."""
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for name, x in (("jaw", 0.0), ("eye.L", 0.1), ("spare", 0.2)):
        bone = armature.data.edit_bones.new(name)
        bone.head, bone.tail = (x, 0, 0), (x, -1, 0)
    bpy.ops.object.mode_set(mode="OBJECT")
    armature["Pucker"], armature["Other"] = 0.25, 0.5
    armature.id_properties_ui("Pucker").update(min=0.0, max=1.0, soft_min=0.0, soft_max=1.0)
    driver = armature.pose.bones["spare"].driver_add("location", 0).driver
    variable = driver.variables.new()
    variable.targets[0].id, variable.targets[0].data_path = armature, '["Pucker"]'
    item = face(list(keys))
    if not keys:
        item.shape_key_clear()
    item.modifiers.new("Armature", "ARMATURE").object = armature
    return item, armature


def test_bones_and_properties_are_found_chosen_and_kept(curves):
    item, armature = rigged_face()
    selected(item)
    bpy.ops.facetalk.add_curve_targets()
    assert [(row.part, row.bone) for row in curves.bone_rows] == [
        ("jaw", "jaw"), ("left eye", "eye.L"), ("right eye", ""), ("head", ""), ("neck", ""),
    ]  # fmt: skip
    assert [(row.path, row.channel) for row in curves.controls] == [('["Pucker"]', "mouthPucker")]
    assert {"jawOpen", "mouthPucker", "eyeLookUpLeft"} <= curves.channels()
    curves.bone_rows[2].bone, curves.bone_rows[0].angle = "spare", 0.25
    bpy.ops.facetalk.add_rig_property(path='["Other"]', channel="mouthFunnel")
    assert curves.controls[-1].item == armature
    bpy.ops.facetalk.match_shape_keys()
    assert [row.bone for row in curves.bone_rows] == ["jaw", "eye.L", "spare", "", ""]
    assert curves.bone_rows[0].angle == pytest.approx(0.25)
    assert {row.path for row in curves.controls} == {'["Pucker"]', '["Other"]'}
    shown = " ".join(drawn("expression_curves.FACETALK_PT_expression_curves"))
    assert "Nothing opens" not in shown
    assert shown.count("facetalk.try_rig_row") == 3
    curves.controls[0].path = '["Nothing"]'
    assert "has no number" in curves.problem()
    assert not bpy.ops.facetalk.generate.poll()
    curves.active_control = 0
    bpy.ops.facetalk.remove_rig_property()
    curves.bones = False
    assert "jawOpen" not in curves.channels()
    assert "Nothing opens" in " ".join(drawn("expression_curves.FACETALK_PT_expression_curves"))


def test_a_property_that_was_taken_off_stays_off(curves):
    item, _ = rigged_face()
    selected(item)
    bpy.ops.facetalk.add_curve_targets()
    bpy.ops.facetalk.remove_rig_property()
    assert len(curves.controls) == 0
    bpy.ops.facetalk.match_shape_keys()
    assert len(curves.controls) == 0
    bpy.ops.facetalk.add_rig_property(path='["Pucker"]', channel="mouthFunnel")
    bpy.ops.facetalk.match_shape_keys()
    assert [(row.path, row.channel) for row in curves.controls] == [('["Pucker"]', "mouthFunnel")]


def test_a_preset_brings_bones_and_properties_to_the_character_in_another_file(curves, capfd):
    item, armature = rigged_face(["jawOpen", "smile"])
    selected(item)
    bpy.ops.facetalk.add_curve_targets()
    curves.links["smile"].channel = ""
    chosen = (
        ("jaw", "-Z", 0.25),
        ("spare", "AUTO", 0.5),
        ("", "AUTO", 0.5),
        ("spare", "AUTO", 0.75),
        ("", "AUTO", 0.5),
    )
    for row, (bone, axis, angle) in zip(curves.bone_rows, chosen, strict=True):
        row.bone, row.axis, row.angle = bone, axis, angle
    bpy.ops.facetalk.remove_rig_property()
    bpy.ops.facetalk.add_rig_property(path='["Other"]', channel="mouthFunnel")
    curves.controls[0].gain = -0.5
    bpy.ops.facetalk.save_curve_preset(preset="Robot")

    bpy.data.objects.remove(item)
    bpy.data.objects.remove(armature)
    curves.targets.clear()
    bpy.ops.facetalk.match_shape_keys()
    bpy.ops.facetalk.load_curve_preset(preset="Robot")
    assert "Add the character" in "".join(capfd.readouterr())
    item, armature = rigged_face(["jawOpen", "smile"], "Rig of the second file")
    selected(item)
    bpy.ops.facetalk.add_curve_targets()
    bpy.ops.facetalk.load_curve_preset(preset="Robot")
    for _ in range(2):
        assert channels(curves) == {"jawOpen": "jawOpen", "smile": ""}
        rows = [(row.armature, row.part, row.bone, row.axis, round(row.angle, 5)) for row in curves.bone_rows]
        assert rows == [
            (armature, "jaw", "jaw", "-Z", 0.25),
            (armature, "left eye", "spare", "AUTO", 0.5),
            (armature, "right eye", "", "AUTO", 0.5),
            (armature, "head", "spare", "AUTO", 0.75),
            (armature, "neck", "", "AUTO", 0.5),
        ]
        rows = [(row.item, row.path, row.channel, row.gain) for row in curves.controls]
        assert rows == [(armature, '["Other"]', "mouthFunnel", -0.5)]
        bpy.ops.facetalk.match_shape_keys()


def test_what_a_preset_names_and_the_rig_lacks_is_told(curves, capfd):
    item, _ = rigged_face()
    selected(item)
    bpy.ops.facetalk.add_curve_targets()
    curves.bone_rows[0].bone = "spare"
    bpy.ops.facetalk.save_curve_preset(preset="Robot")
    bpy.ops.object.select_all(action="DESELECT")
    curves.targets.clear()
    for made in list(bpy.data.objects):
        bpy.data.objects.remove(made)
    selected(other := face(["jawOpen"]))
    bpy.ops.facetalk.add_curve_targets()
    bpy.ops.facetalk.load_curve_preset(preset="Robot")
    told = capfd.readouterr()
    assert 'bone spare, bone eye.L, ["Pucker"]. They are left out' in told.out + told.err
    assert len(curves.bone_rows) == len(curves.controls) == 0
    assert curves.target_items() == [other]
    assert not curves.problem()


def test_a_preset_of_keys_alone_leaves_bones_and_properties_as_they_are(curves, tmp_path):
    item, _ = rigged_face(["jawOpen"])
    selected(item)
    bpy.ops.facetalk.add_curve_targets()
    curves.bone_rows[0].bone = "spare"
    (tmp_path / "presets").mkdir()
    links = [{"key": "jawOpen", "channel": "viseme_aa", "gain": 0.5}]
    (tmp_path / "presets" / "Old.json").write_text(json.dumps({"format": 1, "links": links}))
    bpy.ops.facetalk.load_curve_preset(preset="Old")
    assert channels(curves) == {"jawOpen": "viseme_aa"}
    assert curves.bone_rows[0].bone == "spare"
    assert [row.path for row in curves.controls] == ['["Pucker"]']


def test_a_row_of_the_rig_is_tried_and_all_is_as_before(curves):
    item, armature = rigged_face()
    jaw = armature.pose.bones["jaw"]
    jaw.rotation_quaternion = before = (0.98, 0.199, 0.0, 0.0)
    selected(item)
    bpy.ops.facetalk.add_curve_targets()
    bpy.ops.facetalk.try_rig_row(row="bone 0")
    turned = jaw.rotation_quaternion.copy()
    assert tuple(turned) != pytest.approx(before, abs=1e-3)
    bpy.ops.facetalk.try_rig_row(row="control 0")
    assert tuple(jaw.rotation_quaternion) == pytest.approx(before, abs=1e-6)
    assert armature["Pucker"] == pytest.approx(1.0)
    bpy.ops.facetalk.try_rig_row(row="control 0")
    assert armature["Pucker"] == pytest.approx(0.25)
    bpy.ops.facetalk.try_rig_row(row="bone 0")
    curves.keys = "DENSE"
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    for frame in (1, 300):
        bpy.context.scene.frame_set(frame)
        assert tuple(jaw.rotation_quaternion) == pytest.approx(before, abs=1e-4)
        assert armature["Pucker"] == pytest.approx(0.25)
    with pytest.raises(RuntimeError, match="no such row"):
        bpy.ops.facetalk.try_rig_row(row="bone 9")


def test_a_bake_that_will_be_mute_or_stiff_is_told_before(curves, capfd):
    selected(face(["eyeBlinkLeft"]))
    bpy.ops.facetalk.add_curve_targets()
    capfd.readouterr()
    bpy.ops.facetalk.generate()
    assert "Nothing opens the mouth" in capfd.readouterr().out
    selected(face(["jawOpen"], "Other"))
    bpy.ops.facetalk.add_curve_targets()
    bpy.ops.facetalk.generate()
    told = capfd.readouterr().out
    assert "Nothing closes the lips" in told
    assert "Nothing rounds the lips" in told


def test_generate_check_and_remove(curves, capfd):
    item = face(["jawOpen", "smile"])
    action = artists_action(item, "smile")
    before = snapshot(action)
    selected(item)
    bpy.ops.facetalk.add_curve_targets()
    curves.links["smile"].channel = ""
    curves.keys = "DENSE"
    assert not bpy.ops.facetalk.remove_curves.poll()
    assert not bpy.ops.facetalk.check_curves.poll()
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    assert bpy.ops.facetalk.check_curves() == {"FINISHED"}
    item.data.shape_keys.animation_data.nla_tracks[0].mute = True
    capfd.readouterr()
    bpy.ops.facetalk.check_curves()
    assert "is muted" in capfd.readouterr().out
    module("facetalk_blender.generation.session").session.job.notes.append("The face holds still.")
    assert "The face holds still." in " ".join(drawn("expression_curves.FACETALK_PT_expression_curves"))
    bpy.ops.facetalk.remove_curves()
    assert snapshot(action) == before
    assert list(bpy.data.actions) == [action]
    assert not item.data.shape_keys.animation_data.nla_tracks
    assert not item.data.shape_keys.keys()


def two_takes(curves, *items):
    """Two takes on meshes; in the first the artist has held the jaw half open. Their texts, first and second."""
    selected(*items)
    bpy.ops.facetalk.add_curve_targets()
    curves.keys = "DENSE"
    bpy.ops.facetalk.generate()
    facetalk = bpy.context.scene.facetalk
    first, action = facetalk.take, next(item for item in bpy.data.actions if "facetalk_take" in item)
    for bag in action.layers[0].strips[0].channelbags:
        for point in bag.fcurves[0].keyframe_points:
            point.co.y = 0.5
    assert bpy.ops.facetalk.vary_take() == {"FINISHED"}
    return first, facetalk.take


def choose(text):
    bpy.context.scene.facetalk.take_position = bpy.data.texts.find(text.name)
    bpy.context.view_layer.update()


FRAMES = (START, START + 30)
FIRST, SECOND = [0.5, 0.5], [0.0, 1.0]


@pytest.mark.slow
@pytest.mark.parametrize("animated", [False, True])
def test_choosing_a_take_shows_its_curves_and_touches_nothing_of_the_artists(curves, animated):
    head, teeth = face(["jawOpen", "smile"]), face(["jawOpen"], "Teeth")
    action = artists_action(head, "smile") if animated else None
    before = snapshot(action) if animated else None
    first, second = two_takes(curves, head, teeth)
    for text, expected in ((second, SECOND), (first, FIRST), (first, FIRST), (second, SECOND), (first, FIRST)):
        choose(text)
        for item in (head, teeth):
            assert values(item, "jawOpen", FRAMES) == pytest.approx(expected)
    data = head.data.shape_keys.animation_data
    if animated:
        assert data.action == action
        assert snapshot(action) == before
        assert values(head, "smile", FRAMES) == pytest.approx([0.25, 0.25])
    else:
        assert data.action["facetalk_take"] == first  # where nothing else moves the mesh, it is edited without tracks


def test_a_take_without_curves_lets_the_mesh_rest(curves):
    item = face(["jawOpen"])
    item.data.shape_keys.key_blocks["jawOpen"].value = 0.125
    first, _ = two_takes(curves, item)
    bpy.context.scene.facetalk.output = "SHAPE_KEYS"
    bpy.ops.facetalk.vary_take()
    choose(bpy.context.scene.facetalk.take)
    assert values(item, "jawOpen", FRAMES) == pytest.approx([0.125, 0.125])
    choose(first)
    assert values(item, "jawOpen", FRAMES) == pytest.approx(FIRST)


def test_undo_shows_the_take_before(curves):
    bpy.context.preferences.edit.use_global_undo = True
    first, _ = two_takes(curves, face(["jawOpen"]))
    bpy.ops.ed.undo_push(message="Before")
    choose(first)
    bpy.ops.ed.undo_push(message="Take")
    assert bpy.ops.ed.undo() == {"FINISHED"}
    assert values(bpy.data.objects["Face"], "jawOpen", FRAMES) == pytest.approx(SECOND)


def test_a_deleted_take_takes_its_curves_along(curves):
    item = face(["jawOpen"])
    first, _ = two_takes(curves, item)
    bpy.ops.facetalk.delete_take()
    assert values(item, "jawOpen", FRAMES) == pytest.approx(FIRST)
    assert len(bpy.data.actions) == 1
    assert bpy.context.scene.facetalk.take == first
    bpy.ops.facetalk.delete_take()
    assert not bpy.data.actions
    assert item.data.shape_keys.animation_data is None


@pytest.mark.slow
def test_the_curves_that_are_shown_are_checked_and_exported(curves, tmp_path, capfd):
    item = face(["jawOpen"])
    first, _ = two_takes(curves, item)
    path = tmp_path / "weights.csv"

    def exported():
        assert bpy.ops.facetalk.export_csv(filepath=str(path)) == {"FINISHED"}
        return [float(row["JawOpen"]) for row in csv.DictReader(path.open())]

    assert max(exported()) == pytest.approx(1.0, abs=0.01)
    capfd.readouterr()
    bpy.ops.facetalk.check_curves()
    assert "Every target moves" in capfd.readouterr().out
    choose(first)
    assert set(exported()) == {0.5}


@pytest.mark.slow
def test_export_operators_write_and_say_why_not(curves, tmp_path):
    assert not bpy.ops.facetalk.export_csv.poll()
    bpy.ops.facetalk.generate()
    path = tmp_path / "weights.csv"
    assert bpy.ops.facetalk.export_csv(filepath=str(path)) == {"FINISHED"}
    assert len(list(csv.DictReader(path.open()))) == bpy.context.scene.frame_end
    with pytest.raises(RuntimeError, match="choose another place"):
        bpy.ops.facetalk.export_csv(filepath=str(tmp_path / "none" / "weights.csv"))
    assert bpy.ops.facetalk.export_gltf(filepath=str(tmp_path / "head.glb")) == {"FINISHED"}
    bpy.context.scene.facetalk.output = "SHAPE_KEYS"
    bpy.ops.facetalk.generate()
    assert bpy.ops.facetalk.export_csv.poll()


def test_the_panel_says_what_the_face_can_do(curves):
    selected(face(["jawOpen", "eyeBlinkLeft", "odd"]))
    bpy.ops.facetalk.add_curve_targets()
    shown = " ".join(drawn("expression_curves.FACETALK_PT_expression_curves"))
    assert "opens, blinks; no gaze, no brows" in shown
    assert "Nothing closes the lips" in shown
    curves.links["odd"].channel = "mouthClose"
    curves.links["jawOpen"].channel = ""
    shown = " ".join(drawn("expression_curves.FACETALK_PT_expression_curves"))
    assert "closes, blinks" in shown
    assert "Nothing opens the mouth" in shown


@pytest.mark.parametrize("pinned", [False, True])
def test_a_key_is_shown_at_its_full_value_and_put_back(curves, pinned):
    item, teeth = face(["jawOpen", "mouthClose"]), face(["jawOpen"], "Teeth")
    item.active_shape_key_index, item.show_only_shape_key = 2, pinned
    item.data.shape_keys.key_blocks["jawOpen"].value = 0.25
    assert not bpy.ops.facetalk.try_shape_key.poll()
    selected(item, teeth)
    bpy.ops.facetalk.add_curve_targets()

    def heights(owner):
        depsgraph = bpy.context.evaluated_depsgraph_get()
        return [round(vertex.co.z, 3) for vertex in owner.evaluated_get(depsgraph).data.vertices[:2]]

    before = heights(item)
    bpy.ops.facetalk.try_shape_key(key="jawOpen")
    assert heights(item) == [1.0, 0.0]
    assert heights(teeth)[0] == 1.0
    bpy.ops.facetalk.try_shape_key(key="mouthClose")
    assert heights(item) == [0.0, 1.0]
    assert heights(teeth)[0] == 0.0
    bpy.ops.facetalk.try_shape_key(key="mouthClose")
    assert heights(item) == before
    assert (item.active_shape_key_index, item.show_only_shape_key) == (2, pinned)
    assert item.data.shape_keys.key_blocks["jawOpen"].value == 0.25
    assert not teeth.show_only_shape_key


def test_panels_and_menus_draw(curves):
    panels = module("panels.expression_curves")

    assert panels.FACETALK_PT_expression_curves.poll(bpy.context)
    shown = drawn("expression_curves.FACETALK_PT_expression_curves")
    assert "tolerance" in shown
    assert "facetalk.check_curves" not in shown
    assert "none" in " ".join(shown)
    selected(face(["jawOpen", "odd"]))
    bpy.ops.facetalk.add_curve_targets()
    curves.keys = "DENSE"
    shown = drawn("expression_curves.FACETALK_PT_expression_curves")
    assert "tolerance" not in shown
    assert {"facetalk.check_curves", "FACETALK_MT_curve_presets"} <= set(shown)
    assert drawn("expression_curves.FACETALK_MT_curve_presets") == ["No preset was saved yet"]
    bpy.ops.facetalk.save_curve_preset(preset="Robot")
    assert "facetalk.load_curve_preset" in drawn("expression_curves.FACETALK_MT_curve_presets")
    assert {f"facetalk.export_{kind}" for kind in ("gltf", "fbx", "alembic", "usd", "csv")} <= set(
        drawn("export.FACETALK_MT_export")
    )
    assert drawn("export.FACETALK_PT_export") == ["FACETALK_MT_export"]
    for kind, row in (
        (panels.FACETALK_UL_curve_links, curves.links[0]),
        (panels.FACETALK_UL_curve_targets, curves.targets[0]),
    ):
        layout = CheckedLayout()
        kind.draw_item(None, None, layout, None, row, 0, None, "")
        assert layout.shown
    lister = SimpleNamespace(filter_name="", bitflag_filter_item=4)
    assert panels.FACETALK_UL_curve_links.filter_items(lister, None, curves, "links")[0] == [4, 0]
    curves.show_all = True
    assert panels.FACETALK_UL_curve_links.filter_items(lister, None, curves, "links")[0] == [4, 4]
