"""Heads turn as their take's pose says, in every output, against the reference of the engine."""

import numpy as np
import pytest
from blender_scene import START, bpy, generate, speaking_strip
from repository import import_from_extension

head_pose = import_from_extension("facetalk_blender.outputs.head_pose")
head_rotation = import_from_extension("facetalk_blender.takes.head_rotation")
pose_of_engine = import_from_extension("engine.shared.pose")
take = import_from_extension("facetalk_blender.takes.take")

RATE = 24.0
OUTPUTS = ("FRAME_MESHES", "SHAPE_KEYS", "EXPRESSION_CURVES")


def a_pose(count):
    moments = np.arange(count)[:, None] / RATE
    waves = np.sin(moments * np.array([2.0, 1.3, 1.7, 0.9, 1.1, 0.7]) + np.arange(6))
    return (waves * np.array([8.0, 15.0, 6.0, 4.0, 5.0, 3.0])).astype(np.float32)


def corners(head, frame):
    """Vertices of the head as it is seen at a scene frame."""
    bpy.context.scene.frame_set(frame)
    seen = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    places = np.empty((len(seen.vertices), 3), np.float32)
    seen.vertices.foreach_get("co", places.ravel())
    return places


def without_pose(head, frame):
    """The same without the modifier."""
    modifier = head.modifiers[head_pose.MODIFIER_NAME]
    modifier.show_viewport = False
    places = corners(head, frame)
    modifier.show_viewport = True
    return places


@pytest.fixture
def posed_head(scene, client, tmp_path, monkeypatch):
    """A head of an output whose take has a pose, and that pose."""

    def made(output):
        kept = {}

        def with_pose(found):
            kept["pose"] = a_pose(len(found.codes))
            return kept["pose"]

        choice = import_from_extension("facetalk_blender.generation.output_choice")
        monkeypatch.setattr(choice, "pose_of", with_pose)
        run = generate(client, speaking_strip(scene, tmp_path, frame=START), output=output)
        assert run.error == ""
        return bpy.data.objects[run.result_name], kept["pose"]

    return made


@pytest.mark.parametrize("output", OUTPUTS)
def test_every_output_is_posed_as_the_reference_says(posed_head, output):
    head, pose = posed_head(output)
    groups = head.modifiers.get("FaceTalk Vertex Groups")
    assert groups in (None, head.modifiers[-1])
    assert groups is None or not groups.show_viewport
    for index in (0, 5, 20, 40):
        still = without_pose(head, START + index)
        bend = pose_of_engine.bend(still)
        assert bend.max() > 0.9
        expected = pose_of_engine.posed(still, pose[index], bend)
        np.testing.assert_allclose(corners(head, START + index), expected, atol=2e-4)


def test_the_head_is_upright_outside_the_clip_and_follows_the_strip(posed_head, scene):
    head, _ = posed_head("SHAPE_KEYS")
    for frame in (START - 60, START + 48 + 60):
        np.testing.assert_allclose(corners(head, frame), without_pose(head, frame), atol=1e-6)
    before = corners(head, START + 20)
    strip = scene.sequence_editor.strips_all[0]
    strip.frame_start += 7
    np.testing.assert_allclose(corners(head, START + 27), before, atol=1e-5)


def test_amount_is_the_artists(posed_head):
    head, _ = posed_head("SHAPE_KEYS")
    modifier = head.modifiers[head_pose.MODIFIER_NAME]
    socket = next(
        item.identifier
        for item in modifier.node_group.interface.items_tree
        if item.item_type == "SOCKET" and item.name == head_pose.AMOUNT
    )
    still = without_pose(head, START + 12)
    if bpy.app.version >= (5, 2):
        getattr(modifier.properties.inputs, socket).value = 0.0
    else:
        modifier[socket] = 0.0
    head.update_tag()
    np.testing.assert_allclose(corners(head, START + 12), still, atol=1e-6)


def test_a_removed_head_leaves_no_tree(posed_head):
    removal = import_from_extension("facetalk_blender.outputs.removal")
    head, _ = posed_head("SHAPE_KEYS")
    removal.remove_result(head)
    assert not [tree for tree in bpy.data.node_groups if "Head Pose" in tree.name]


def test_recorded_rotations_become_a_pose_and_go_back():
    turned = np.zeros((4, 9), np.float32)
    turned[:, :3] = np.array([[0.1, -0.2, 0.05]] * 4) * np.arange(4)[:, None]  # yaw, pitch, roll
    recorded = take.Take(np.zeros((4, 200), np.float32), RATE, 0, None, [], None, rotations=turned)
    pose = head_rotation.pose_of(recorded)
    np.testing.assert_allclose(pose[3, :3], np.degrees([-0.6, -0.3, -0.15]), rtol=1e-5)
    modelled = take.Take(np.zeros((4, 200), np.float32), RATE, 0, None, [], None, pose=pose)
    np.testing.assert_allclose(head_rotation.rotations_of(modelled), turned, atol=1e-6)
    still = take.Take(np.zeros((4, 200), np.float32), RATE, 0, None, [], None, rotations=np.zeros((4, 9), np.float32))
    assert head_rotation.pose_of(still) is None
