"""What moves a character beside shape keys: jaw and eye bones, properties that drive keys, overrides of libraries."""

from dataclasses import replace

import numpy as np
import pytest
from blender_scene import START, bpy, speaking_strip
from mathutils import Vector
from repository import import_from_extension
from speaking_faces import bake, expected, face, speech, values

rotations = import_from_extension("engine.shared.pose").rotations
bones = import_from_extension("facetalk_blender.outputs.curves.bones")
curves = import_from_extension("facetalk_blender.outputs.curves.expression_curves")
jaw_opening = import_from_extension("facetalk_blender.outputs.curves.jaw_opening")
rig_properties = import_from_extension("facetalk_blender.outputs.curves.rig_properties")
driver_source = import_from_extension("facetalk_blender.outputs.curves.driver_source")
sound_strip = import_from_extension("facetalk_blender.sound.strip")
targets = import_from_extension("facetalk_blender.outputs.curves.targets")

DENSE = {"tolerance": None}
FRAMES = range(START, START + 48)
# Names of jaw, left and right eye in rigs that people have.
RIGS = {
    "Ready Player Me": ("Jaw", "LeftEye", "RightEye"),
    "VRoid": ("J_Adj_C_Jaw", "J_Adj_L_FaceEye", "J_Adj_R_FaceEye"),
    "Rigify": ("jaw_master", "master_eye.L", "master_eye.R"),
    "MPFB": ("jaw", "eye.L", "eye.R"),
    "Character Creator": ("CC_Base_JawRoot", "CC_Base_L_Eye", "CC_Base_R_Eye"),
    "DAZ": ("lowerJaw", "lEye", "rEye"),
    "MetaHuman": ("FACIAL_C_Jaw", "FACIAL_L_Eye", "FACIAL_R_Eye"),
    "Auto-Rig Pro": ("c_jawbone.x", "c_eye.l", "c_eye.r"),
}


def rig(names=RIGS["MPFB"], jaw_tail=(0.0, -1.0, 1.4), mode="QUATERNION", more=()):
    """An armature of a character that looks along -Y. The bones' tails lie anywhere."""
    armature = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    places = [
        ("head", (0, 0, 1.5), (0, 0, 2)), (names[0], (0, 0, 1.5), jaw_tail),
        (names[1], (0.1, -0.2, 1.8), (0.1, -0.5, 1.8)), (names[2], (-0.1, -0.2, 1.8), (-0.1, -0.2, 2.1)),
        *((name, (0, 0, 1.5), (0, 0, 1.7)) for name in more),
    ]  # fmt: skip
    for name, head, tail in places:
        bone = armature.data.edit_bones.new(name)
        bone.head, bone.tail = head, tail
    bpy.ops.object.mode_set(mode="OBJECT")
    for pose in armature.pose.bones:
        pose.rotation_mode = mode
    return armature


def rigged(armature, keys=()):
    item = face(list(keys)) if keys else face([])
    if not keys:
        item.shape_key_clear()
    item.modifiers.new("Armature", "ARMATURE").object = armature
    return item


def turned(armature, bone, point, frame):
    """Where a point of the rest pose, in front of the bone's head, is taken to at a frame; relative to the head."""
    bpy.context.scene.frame_set(frame)
    pose = armature.pose.bones[bone]
    return (pose.matrix @ armature.data.bones[bone].matrix_local.inverted() @ Vector(point)) - pose.head


@pytest.mark.parametrize("names", RIGS.values(), ids=RIGS)
def test_bones_are_found_by_their_names(scene, names):
    layers = ("DEF-jaw", "MCH-jaw_master", "ORG-eye.L", "eyelid.L", "eyebrow_l", "eye_target.L", "teeth")
    found = bones.find_bones(rig(names, more=layers))
    assert (found[bones.JAW], found[bones.LEFT_EYE], found[bones.RIGHT_EYE]) == names
    assert set(bones.find_bones(rig(("tail", "ear.L", "ear.R"), more=("eyelid.L", "jaw_corner.L")))) == set()


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", "ZYX", "AXIS_ANGLE"])
@pytest.mark.parametrize("tail", [(0, -1, 1.4), (0, 0, 1.0), (0.3, 0.2, 2.0)])
def test_a_jaw_bone_opens_downwards_however_it_points(scene, tmp_path, mode, tail):
    strip, armature, take = speaking_strip(scene, tmp_path, frame=START), rig(jaw_tail=tail, mode=mode), speech()
    item = rigged(armature, ["eyeBlinkLeft"])
    assert bake(strip, take, targets=(item.name,), **DENSE).notes == []
    chin = (0.0, -1.0, 1.5)
    opening = np.clip(expected(take, "jawOpen", FRAMES) - expected(take, "mouthClose", FRAMES), 0, 1)
    for frame, value in list(zip(FRAMES, opening, strict=True))[::5]:
        at = turned(armature, "jaw", chin, frame)
        assert at.z == pytest.approx(-np.sin(value * bones.JAW_ANGLE), abs=2e-3)
        assert at.x == pytest.approx(0.0, abs=2e-3)
    for frame in (1, START + 60):
        assert turned(armature, "jaw", chin, frame).z == pytest.approx(0.0, abs=1e-4)


def test_eyes_look_where_the_take_does(scene, tmp_path):
    strip, armature, take = speaking_strip(scene, tmp_path, frame=START), rig(), speech()
    rigged(armature, ["jawOpen"])
    bake(strip, take, targets=("Face",), **DENSE)
    for bone, side, x, outwards in (("eye.L", "Left", 0.1, 1), ("eye.R", "Right", -0.1, -1)):
        frame = START + 20
        at = turned(armature, bone, (x, -1.2, 1.8), frame)
        down = expected(take, f"eyeLookDown{side}", [frame]) - expected(take, f"eyeLookUp{side}", [frame])
        out = expected(take, f"eyeLookOut{side}", [frame]) - expected(take, f"eyeLookIn{side}", [frame])
        assert at.z == pytest.approx(-np.sin(down[0] * bones.EYE_ANGLE), abs=2e-3)
        assert np.sign(at.x) == np.sign(outwards * out[0])
    assert armature.pose.bones["jaw"].rotation_quaternion[0] == 1.0  # the shape key opens


@pytest.mark.parametrize("on", ["eye.L", "lens"])
def test_an_eye_that_is_pointed_at_a_bone_looks_by_it(scene, tmp_path, on):
    strip, take = speaking_strip(scene, tmp_path, frame=START), speech()
    armature = rig(more=("eyes", "lens"))
    bpy.ops.object.mode_set(mode="EDIT")
    edited = armature.data.edit_bones
    edited["eyes"].head, edited["eyes"].tail = (0.0, -1.2, 1.8), (0.0, -1.2, 1.9)
    edited["lens"].head, edited["lens"].tail = (0.1, -0.2, 1.8), (0.1, -0.3, 1.8)
    edited["lens"].parent = edited["eye.L"]
    bpy.ops.object.mode_set(mode="OBJECT")
    constraint = armature.pose.bones[on].constraints.new("DAMPED_TRACK")
    constraint.target, constraint.subtarget = armature, "eyes"
    rigged(armature, ["jawOpen"])
    bake(strip, take, targets=("Face",), **DENSE)
    down = expected(take, "eyeLookDownLeft", FRAMES) - expected(take, "eyeLookUpLeft", FRAMES)
    out = expected(take, "eyeLookOutLeft", FRAMES) - expected(take, "eyeLookInLeft", FRAMES)
    away = np.hypot(1.0, 0.1)
    for frame in FRAMES[::7]:
        scene.frame_set(frame)
        at = armature.pose.bones["eyes"].head
        assert at.z - 1.8 == pytest.approx(-away * np.tan(bones.EYE_ANGLE * down[frame - START]), abs=2e-3)
        assert at.x == pytest.approx(away * np.tan(bones.EYE_ANGLE * out[frame - START]), abs=2e-3)
    scene.frame_set(START + 60)
    assert tuple(armature.pose.bones["eyes"].location) == pytest.approx((0, 0, 0), abs=1e-5)


def test_keys_come_before_bones_and_bones_can_be_left_alone(scene, tmp_path):
    strip, armature = speaking_strip(scene, tmp_path, frame=START), rig()
    rigged(armature, ["jawOpen", "eyeLookUpLeft"])
    bake(strip, targets=("Face",))
    assert armature.animation_data is None
    only = rigged(rig(), [])
    assert targets.target_problem(only) == ""
    with pytest.raises(curves.EngineError, match="No shape key"):
        curves.plans(curves.CurveSettings(targets=(only.name,), bones=False))


def test_bones_are_where_they_were_outside_and_afterwards(scene, tmp_path):
    armature = rig()
    pose = armature.pose.bones["jaw"]
    pose.rotation_quaternion = before = (0.9998, 0.02, 0.0, 0.0)
    armature.location.x = 3.0
    armature.keyframe_insert("location", frame=1)
    action, item = armature.animation_data.action, rigged(armature)
    strips = [
        speaking_strip(scene, tmp_path, frame=START),
        sound_strip.load_sound(scene, tmp_path / "tone.wav", 101, 2),
    ]
    for strip in strips:
        bake(strip, targets=(item.name,))
    for frame in (1, START - 5, 90, 300):
        scene.frame_set(frame)
        np.testing.assert_allclose(pose.rotation_quaternion, before, atol=1e-4)
    scene.frame_set(START + 20)
    assert not np.allclose(pose.rotation_quaternion, before, atol=1e-3)
    assert armature.animation_data.action == action
    for strip in strips:
        curves.remove_from_targets(scene, strip.name)
    np.testing.assert_allclose(pose.rotation_quaternion, before, atol=1e-6)
    assert list(bpy.data.actions) == [action]
    assert not armature.keys()


def test_a_constraint_that_holds_a_bone_is_named(scene, tmp_path):
    strip, armature = speaking_strip(scene, tmp_path, frame=START), rig()
    armature.pose.bones["jaw"].constraints.new("COPY_ROTATION").name = "Follow"
    rigged(armature, ["eyeBlinkLeft"])
    notes = bake(strip, targets=("Face",)).notes
    assert any("Follow" in note and "mute it" in note for note in notes)
    assert any("Nothing opens the mouth" in note for note in notes)


def drive(item, key, owner, path, expression="var", kind="SINGLE_PROP"):
    driver = item.data.shape_keys.key_blocks[key].driver_add("value").driver
    variable = driver.variables.new()
    variable.name, variable.type = "var", kind
    if kind == "SINGLE_PROP":
        variable.targets[0].id_type = owner.id_type
        variable.targets[0].id, variable.targets[0].data_path = owner, path
    else:
        variable.targets[0].id = owner
    driver.expression = expression


@pytest.mark.parametrize(
    ("expression", "factor"), [("var", 1.0), ("var * 2", 2.0), ("0.5*var", 0.5), ("var / 100", 0.01)]
)
def test_a_driven_key_moves_by_its_source(scene, tmp_path, expression, factor):
    strip, take = speaking_strip(scene, tmp_path, frame=START), speech()
    armature = rig(("a", "b.L", "b.R"))
    item, teeth = rigged(armature, ["jawOpen", "mouthClose"]), face(["jawOpen"], "Teeth")
    path = 'pose.bones["head"]["Open"]'
    armature.pose.bones["head"]["Open"] = 0.0
    for mesh in (item, teeth):
        drive(mesh, "jawOpen", armature, path, expression)
    assert bake(strip, take, targets=("Face", "Teeth"), **DENSE).notes == []
    assert item.data.shape_keys.animation_data.drivers
    for mesh in (item, teeth):
        np.testing.assert_allclose(values(mesh, "jawOpen", FRAMES), expected(take, "jawOpen", FRAMES), atol=1e-4)
    np.testing.assert_allclose(values(item, "mouthClose", FRAMES), expected(take, "mouthClose", FRAMES), atol=1e-4)
    scene.frame_set(START + 20)
    found = armature.pose.bones["head"]["Open"] * factor
    assert found == pytest.approx(expected(take, "jawOpen", [START + 20])[0], abs=1e-4)
    curves.remove_from_targets(scene, strip.name)
    assert armature.pose.bones["head"]["Open"] == 0.0
    assert armature.animation_data is None
    assert item.data.shape_keys.animation_data.drivers


def test_keys_that_follow_keys_of_another_target_are_left_to_their_drivers(scene, tmp_path):
    strip, take = speaking_strip(scene, tmp_path, frame=START), speech()
    item, lashes = face(["eyeBlinkLeft", "jawOpen"]), face(["eyeBlinkLeft"], "Lashes")
    drive(lashes, "eyeBlinkLeft", item.data.shape_keys, 'key_blocks["eyeBlinkLeft"].value')
    bake(strip, take, targets=("Face", "Lashes"), **DENSE)
    for mesh in (item, lashes):
        shown = values(mesh, "eyeBlinkLeft", FRAMES)
        np.testing.assert_allclose(shown, expected(take, "eyeBlinkLeft", FRAMES), atol=1e-4)


@pytest.mark.parametrize(("expression", "kind"), [("var ** 2", "SINGLE_PROP"), ("var", "TRANSFORMS")])
def test_a_driver_that_is_not_plain_has_its_reason(scene, tmp_path, expression, kind):
    strip, item, other = speaking_strip(scene, tmp_path, frame=START), face(["jawOpen"]), face(["x"], "Other")
    other["Open"] = 0.0
    drive(item, "jawOpen", other, '["Open"]', expression, kind)
    (note,) = bake(strip, targets=("Face",)).notes
    assert "Drivers hold jawOpen" in note
    assert "choose the property that drives them" in note


def linked_face(tmp_path):
    """A face that is linked and overridden, as a shot file has it; its mesh is not overridden yet."""
    scene = bpy.context.scene
    collection = bpy.data.collections.new("Character")
    scene.collection.children.link(collection)
    item = face(["jawOpen", "mouthClose"], "Linked")
    item.data.shape_keys.key_blocks["jawOpen"].value = 0.125
    scene.collection.objects.unlink(item)
    collection.objects.link(item)
    path = str(tmp_path / "library.blend")
    bpy.data.libraries.write(path, {collection})
    bpy.data.collections.remove(collection)
    bpy.data.meshes.remove(item.data)
    with bpy.data.libraries.load(path, link=True) as (_, loaded):
        loaded.collections = ["Character"]
    scene.collection.children.link(loaded.collections[0])
    loaded.collections[0].override_hierarchy_create(scene, bpy.context.view_layer, do_fully_editable=True)
    return next(item for item in bpy.data.objects if item.library is None and item.override_library)


def test_an_override_speaks_and_goes_back_also_after_loading(scene, tmp_path):
    item, take = linked_face(tmp_path), speech()
    assert "Override Mesh" in targets.target_problem(item)
    assert "Library Override" in targets.target_problem(item.override_library.reference)
    assert targets.can_override(item)
    item.data.override_create(remap_local_usages=True)
    assert targets.target_problem(item) == ""
    strip = speaking_strip(scene, tmp_path, frame=START)
    assert bake(strip, take, targets=(item.name,), **DENSE).notes == []
    path = str(tmp_path / "shot.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    scene = bpy.context.scene
    item = next(item for item in bpy.data.objects if item.library is None and item.override_library)
    np.testing.assert_allclose(
        values(item, "jawOpen", FRAMES)[3:-3], expected(take, "jawOpen", FRAMES)[3:-3], atol=1e-4
    )
    second = sound_strip.load_sound(scene, tmp_path / "tone.wav", 101, channel=2)
    bake(second, take, targets=(item.name,), **DENSE)
    np.testing.assert_allclose(values(item, "jawOpen", (1, 90, 300)), 0.125, atol=1e-4)
    for name in (scene.sequence_editor.strips[0].name, scene.sequence_editor.strips[1].name):
        curves.remove_from_targets(scene, name)
    assert item.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(0.125)
    assert not bpy.data.actions


CONTROL = 'pose.bones["head"]["Jaw Open"]'


def control_rig(reach=(-1.0, 2.0), rest=0.25, expression="0.3 * var"):
    """A rig whose property turns the jaw by a driver, and no bone of it is known by its name."""
    armature = rig(("mouth_ctl", "b.L", "b.R"), mode="XYZ")
    head = armature.pose.bones["head"]
    head["Jaw Open"] = rest
    head.id_properties_ui("Jaw Open").update(min=reach[0], max=reach[1], soft_min=reach[0], soft_max=reach[1])
    driver = armature.pose.bones["mouth_ctl"].driver_add("rotation_euler", 0).driver
    variable = driver.variables.new()
    variable.name = "var"
    variable.targets[0].id, variable.targets[0].data_path = armature, CONTROL
    driver.expression = expression
    return armature


def choice(armature, path=CONTROL, channel="jawOpen", gain=1.0):
    return rig_properties.PropertyChoice(armature.name, path, channel, gain)


@pytest.mark.parametrize(("gain", "full"), [(1.0, 2.0), (0.5, 1.125), (-1.0, -1.0)])
def test_a_chosen_property_follows_and_goes_back(scene, tmp_path, gain, full):
    strip, take, armature = speaking_strip(scene, tmp_path, frame=START), speech(), control_rig()
    armature["own"] = 0.0
    armature.keyframe_insert('["own"]', frame=1)
    action = armature.animation_data.action
    item = rigged(armature)
    bake(strip, take, targets=(item.name,), properties=(choice(armature, gain=gain),), **DENSE)
    opening = expected(take, "jawOpen", FRAMES)
    shown = []
    for frame in FRAMES:
        scene.frame_set(frame)
        shown.append(armature.pose.bones["head"]["Jaw Open"])
    np.testing.assert_allclose(shown, 0.25 + opening * (full - 0.25), atol=1e-4)
    moved = armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones["mouth_ctl"].rotation_euler[0]
    assert moved == pytest.approx(0.3 * shown[-1], abs=1e-4)
    for frame in (1, START + 60, 300):
        scene.frame_set(frame)
        assert armature.pose.bones["head"]["Jaw Open"] == pytest.approx(0.25)
    curves.remove_from_targets(scene, strip.name)
    assert armature.animation_data.action == action
    assert armature.pose.bones["head"]["Jaw Open"] == pytest.approx(0.25)


def test_a_location_without_limits_moves_in_its_own_unit(scene, tmp_path):
    strip, take, armature = speaking_strip(scene, tmp_path, frame=START), speech(), control_rig()
    path = 'pose.bones["mouth_ctl"].location[1]'
    bake(strip, take, targets=(rigged(armature).name,), properties=(choice(armature, path, gain=-0.02),), **DENSE)
    scene.frame_set(START + 20)
    found = armature.pose.bones["mouth_ctl"].location[1]
    assert found == pytest.approx(-0.02 * expected(take, "jawOpen", [START + 20])[0], abs=1e-5)


def test_a_property_whose_name_says_what_it_does_is_found(scene, tmp_path):
    armature = control_rig()
    armature["Mouth Close"], armature["Visibility"] = 0.0, 1.0  # drive nothing
    item = rigged(armature)
    assert targets.target_problem(item) == ""
    assert rig_properties.found_choices(targets.rigs_of([item])) == [choice(armature)]
    (plan,) = curves.plans(curves.CurveSettings(targets=(item.name,)))
    assert [(link.place, link.channel) for link in plan.properties] == [((CONTROL, 0), "jawOpen")]
    keyed = rigged(armature, ["jawOpen"])
    (plan,) = curves.plans(curves.CurveSettings(targets=(keyed.name,)))
    assert plan.id_type == "KEY"  # the property would open the mouth a second time


def test_a_chosen_property_moves_keys_whose_drivers_are_not_plain(scene, tmp_path):
    strip, armature = speaking_strip(scene, tmp_path, frame=START), control_rig()
    item = rigged(armature, ["jawOpen"])
    drive(item, "jawOpen", armature, CONTROL, "min(var ** 2, 1)")
    assert bake(strip, targets=("Face",)).notes == []
    scene.frame_set(START + 20)
    value = armature.pose.bones["head"]["Jaw Open"]
    assert value > 0.25
    assert item.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(min(value**2, 1.0), abs=1e-4)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("", "Choose a property"),
        ('["nothing"]', "has no number"),
        ('pose.bones["mouth_ctl"].rotation_euler[0]', "A driver holds"),
        ("data.name", "has no number"),
    ],
)
def test_a_property_that_cannot_follow_has_its_reason(scene, path, problem):
    armature = control_rig()
    item = rigged(armature)
    assert problem in rig_properties.property_problem(armature, path)
    with pytest.raises(curves.EngineError, match=problem):
        curves.plans(curves.CurveSettings(targets=(item.name,), properties=(choice(armature, path),)))
    assert "missing" in rig_properties.property_problem(None, path)
    assert "Only properties" in rig_properties.property_problem(item, "data.x")


@pytest.mark.parametrize(("axis", "sign"), [("+X", 1), ("-X", -1)])
def test_bone_axis_and_angle_are_as_chosen(scene, tmp_path, axis, sign):
    strip, take, armature = speaking_strip(scene, tmp_path, frame=START), speech(), rig(("chops", "b.L", "b.R"))
    item = rigged(armature)
    chosen = bones.BoneChoice(armature.name, bones.JAW, "chops", axis, 0.5)
    bake(strip, take, targets=(item.name,), bone_choices=(chosen,), **DENSE)
    opening = expected(take, "jawOpen", FRAMES) - expected(take, "mouthClose", FRAMES)
    scene.frame_set(FRAMES[opening.argmax()])
    turned_by = armature.pose.bones["chops"].rotation_quaternion
    assert turned_by.angle == pytest.approx(0.5 * opening.max(), abs=2e-3)
    assert opening.max() > 0.1
    assert np.sign(turned_by.x) == sign


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ"])
@pytest.mark.parametrize("bone", ["head", "jaw"])  # of which one points up, the other forwards
def test_a_chosen_head_bone_turns_as_the_pose_says(scene, tmp_path, bone, mode):
    moments = np.arange(48)[:, None] / 24.0
    pose = (np.sin(moments * [2.0, 1.3, 1.7, 1, 1, 1] + np.arange(6)) * 20.0).astype(np.float32)
    take, armature = replace(speech(), pose=pose), rig(mode=mode)
    item = rigged(armature, ("jawOpen",))
    chosen = bones.BoneChoice(armature.name, bones.HEAD, bone, bones.AUTOMATIC, np.radians(45.0))
    bake(speaking_strip(scene, tmp_path, frame=START), take, targets=(item.name,), bone_choices=(chosen,), **DENSE)
    rest = np.array(armature.data.bones[bone].matrix_local.to_3x3())
    for index in (5, 20, 40):
        scene.frame_set(START + index)
        posed = np.array(armature.pose.bones[bone].matrix.to_3x3())
        np.testing.assert_allclose(posed @ rest.T, rotations(pose[index : index + 1])[0], atol=2e-3)


def test_head_and_neck_hold_still_unless_chosen(scene, tmp_path):
    take, armature = replace(speech(), pose=np.full((48, 6), 9.0, np.float32)), rig()
    item = rigged(armature, ("jawOpen",))
    found = {choice.part for choice in bones.found_choices(armature, [item])}
    assert not found & {bones.HEAD, bones.NECK}
    bake(speaking_strip(scene, tmp_path, frame=START), take, targets=(item.name,), **DENSE)
    scene.frame_set(START + 9)
    assert armature.pose.bones["head"].rotation_quaternion.angle == pytest.approx(0.0)


def head_mesh(armature, scale=1.0):
    """A face front of two sheets: what hangs on the jaw reaches from the lip at 1.45 down to the chin at 1.25."""
    rows = [(x, -0.5, z, z <= 1.45) for x in (-0.1, 0.0, 0.1) for z in np.linspace(1.25, 1.95, 29)]
    mesh = bpy.data.meshes.new("Head")
    mesh.from_pydata([scale * Vector(row[:3]) for row in rows], [], [])
    item = bpy.data.objects.new("Head", mesh)
    bpy.context.scene.collection.objects.link(item)
    for name, turns in (("jaw", True), ("head", False)):
        group = item.vertex_groups.new(name=name)
        group.add([index for index, row in enumerate(rows) if row[3] == turns], 1.0, "REPLACE")
    item.modifiers.new("Armature", "ARMATURE").object = armature
    return item


def test_the_jaw_opens_the_lips_as_far_as_a_head_of_ours(scene):
    armature = rig()
    item = head_mesh(armature)
    angle = {choice.part: choice.angle for choice in bones.found_choices(armature, [item])}[bones.JAW]
    assert angle != pytest.approx(bones.JAW_ANGLE)
    choice = bones.BoneChoice(armature.name, bones.JAW, "jaw", bones.AUTOMATIC, angle)
    for (path, index), value in bones.full_turn(armature, choice):
        armature.path_resolve(path)[index] = value
    bpy.context.view_layer.update()
    lip = turned(armature, "jaw", (0.0, -0.5, 1.45), 1)
    # The eyes are at 1.8, the chin at 1.25, the pivot at 1.5.
    assert -0.05 - lip.z == pytest.approx(jaw_opening.OPENING * (1.8 - 1.25), abs=0.004)


def test_a_jaw_without_a_mesh_keeps_the_estimate(scene):
    armature = rig()
    plain = rigged(armature)
    assert next(choice.angle for choice in bones.found_choices(armature, [plain])) == bones.JAW_ANGLE
    assert jaw_opening.angle_of_opening(np.zeros((0, 3)), np.zeros(0), 1.0) is None
    behind = np.array([[0.0, -1.0, -0.5]])
    assert jaw_opening.angle_of_opening(behind, np.ones(1), 1.0) is None
