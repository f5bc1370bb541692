"""Characters like those that people bring: the mouth opens with the voice, and outside all is as it was."""

import numpy as np
import pytest
from blender_scene import START, bpy, speaking_strip
from mathutils import Matrix, Vector
from repository import import_from_extension
from rigged_characters import EYE_X, EYES, KEYS, character, head, opening
from speaking_faces import bake, expected, speech

from engine.shared.arkit import ARKIT_NAMES

bones = import_from_extension("facetalk_blender.outputs.curves.bones")
curves = import_from_extension("facetalk_blender.outputs.curves.expression_curves")
jaw_opening = import_from_extension("facetalk_blender.outputs.curves.jaw_opening")
sound_strip = import_from_extension("facetalk_blender.sound.strip")
targets = import_from_extension("facetalk_blender.outputs.curves.targets")

FRAMES = np.arange(START, START + 48)
OUTSIDE = (1, START - 5, START + 55, 95, 155, 300)


def openings(item, frames):
    found = []
    for frame in frames:
        bpy.context.scene.frame_set(int(frame))
        found.append(opening(item))
    return np.array(found)


def open_and_close():
    """A take that only opens the mouth, again and again."""
    take = speech()
    opening = take.weights[:, ARKIT_NAMES.index("jawOpen")].copy()
    take.weights[:] = 0.0
    take.weights[:, ARKIT_NAMES.index("jawOpen")] = opening
    return take


def assert_speaks(item, take, strip, **settings):
    """The lips open where the take's do, and rest outside; two lines on an artist's action."""
    scene = bpy.context.scene
    before = openings(item, OUTSIDE)
    second = sound_strip.load_sound(scene, bpy.path.abspath(strip.sound.filepath), 101, channel=2)
    for sound in (strip, second):
        bake(sound, take, targets=(item.name,), **settings)
    wanted = expected(take, "jawOpen", FRAMES)
    shown = openings(item, FRAMES) - before[0]
    assert shown.max() > 0.003
    assert np.corrcoef(wanted, shown)[0, 1] > 0.9
    np.testing.assert_allclose(openings(item, FRAMES[3:-3] + 101 - START) - before[0], shown[3:-3], atol=1e-4)
    np.testing.assert_allclose(openings(item, OUTSIDE), before, atol=1e-5)
    for sound in (strip, second):
        curves.remove_from_targets(scene, sound.name)
    np.testing.assert_allclose(openings(item, OUTSIDE), before, atol=1e-6)


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("animated", [False, True])
def test_a_character_speaks_and_rests(scene, tmp_path, kind, animated):
    item, armature = character(kind)
    if animated:
        armature.location.x = 0.5
        armature.keyframe_insert("location", frame=1)
    action = armature.animation_data.action if animated else None
    strip = speaking_strip(scene, tmp_path, frame=START)
    assert_speaks(item, open_and_close(), strip)
    assert (armature.animation_data.action if armature.animation_data else None) == action
    assert list(bpy.data.actions) == ([action] if animated else [])


@pytest.mark.parametrize("kind", ["Ready Player Me", "VRM", "MPFB"])
def test_eyes_that_have_bones_look(scene, tmp_path, kind):
    item, armature = character(kind)
    take = speech()
    bake(speaking_strip(scene, tmp_path, frame=START), take, targets=(item.name,), tolerance=None)
    found = bones.find_bones(armature)
    down = expected(take, "eyeLookDownLeft", FRAMES) - expected(take, "eyeLookUpLeft", FRAMES)
    frame = int(FRAMES[np.abs(down).argmax()])
    scene.frame_set(frame)
    pose = armature.pose.bones[found[bones.LEFT_EYE]]
    front = pose.matrix @ armature.data.bones[pose.name].matrix_local.inverted() @ Vector((EYE_X, -1.06, EYES))
    assert np.sign(front.z - EYES) == -np.sign(down[frame - START])


def test_a_jaw_bone_opens_this_mouth_as_far_as_a_head_of_ours(scene):
    item, armature = character("MPFB")
    jaw, *_ = bones.found_choices(armature, [item])
    closed = opening(item)
    for (path, index), value in bones.full_turn(armature, jaw):
        armature.path_resolve(path)[index] = value
    bpy.context.view_layer.update()
    assert opening(item) - closed == pytest.approx(jaw_opening.OPENING * (EYES - 1.55), rel=0.15)


@pytest.mark.parametrize("kind", ["MPFB", "Ready Player Me with ARKit", "Rig without known names"])
def test_a_linked_and_overridden_character_speaks(scene, tmp_path, kind):
    collection = bpy.data.collections.new("Character")
    scene.collection.children.link(collection)
    character(kind, collection)
    path = str(tmp_path / "character.blend")
    bpy.data.libraries.write(path, {collection})
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    with bpy.data.libraries.load(path, link=True) as (_, loaded):
        loaded.collections = ["Character"]
    scene.collection.children.link(loaded.collections[0])
    (linked,) = [item for item in scene.objects if item.type == "MESH"]
    assert "Library Override" in targets.target_problem(linked)
    loaded.collections[0].override_hierarchy_create(scene, bpy.context.view_layer, do_fully_editable=True)
    (item,) = [item for item in bpy.data.objects if item.type == "MESH" and item.override_library]
    if item.data.shape_keys is not None:
        item.data.override_create(remap_local_usages=True)
    assert targets.target_problem(item) == ""
    assert_speaks(item, open_and_close(), speaking_strip(scene, tmp_path, frame=START))


@pytest.mark.slow
def test_a_rigify_face_speaks(scene, tmp_path, rigify):
    bpy.ops.object.armature_human_metarig_add()
    metarig = bpy.context.object
    bpy.ops.object.mode_set(mode="EDIT")
    limbs = "thigh shin foot toe heel pelvis shoulder upper_arm forearm hand palm f_ thumb breast".split()
    for bone in list(metarig.data.edit_bones):
        if bone.name.startswith(tuple(limbs)):
            metarig.data.edit_bones.remove(bone)
    bpy.ops.object.mode_set(mode="OBJECT")
    assert bpy.ops.pose.rigify_generate() == {"FINISHED"}
    (armature,) = [item for item in bpy.data.objects if item.type == "ARMATURE" and item != metarig]
    found = bones.find_bones(armature)
    assert (found[bones.JAW], found[bones.LEFT_EYE]) == ("jaw_master", "master_eye.L")
    assert not any(bones.held(armature, bone) for bone in found.values())
    turns = bones.turns(armature, bones.found_choices(armature))
    assert [turn.bone for turn in turns] == ["jaw_master", "eye.L", "eye.R"]  # rotated eyes would still look there
    item = head("Rigified", [], "DEF-jaw", "ORG-face", armature)
    moved = armature.data.bones["jaw_master"].head_local - Vector((0.0, 0.0, 1.66))
    item.data.transform(Matrix.Translation(moved))
    assert bones.found_choices(armature, [item])[0].angle != bones.JAW_ANGLE
    assert_speaks(item, open_and_close(), speaking_strip(scene, tmp_path, frame=START))


@pytest.fixture
def rigify(scene):
    """Blender's own add-on, which the application has and pip's Blender has not; PYTHONPATH may name its folder."""
    addon_utils = pytest.importorskip("addon_utils")
    bpy.context.preferences.addons.new().module = "rigify"
    try:
        enabled = addon_utils.enable("rigify", default_set=False)
    except Exception as error:  # whatever an add-on may raise
        pytest.skip(f"Rigify cannot be enabled here: {error}")
    if enabled is None:
        pytest.skip("This Blender comes without Rigify.")
    yield enabled
    addon_utils.disable("rigify", default_set=False)
