"""The set: light rigs, backdrops, framing, and a bust that closes the neck, breathes and goes with the head."""

import itertools

import numpy as np
import pytest
from blender_scene import bpy
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from repository import import_from_extension

bust = import_from_extension("facetalk_blender.look.bust")
lighting = import_from_extension("facetalk_blender.look.lighting")
stage = import_from_extension("facetalk_blender.look.stage")
nodes = import_from_extension("facetalk_blender.blender_data.nodes")
pose = import_from_extension("engine.shared.pose")
HEIGHT = 0.26
TURNED = round(24 * bust.BREATH_SECONDS)  # a frame between two breaths


def neck(radius=0.06, middle=(0.0, 0.07)):
    """A head of points: a round neck of constant width up to the crown, (V, 3)."""
    around = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    rings = [np.stack([radius * np.cos(around) + middle[0], radius * np.sin(around) + middle[1], np.full(80, z)], 1)
             for z in np.linspace(-HEIGHT / 2, HEIGHT / 2, 120)]  # fmt: skip
    return np.concatenate(rings).astype(np.float32)


def posed_head(scene):
    """An object with a modifier that has the nodes of a pose, as a result's."""
    head = bpy.data.objects.new("Head", bpy.data.meshes.new("Head"))
    head["facetalk_strip"] = "tone"
    scene.collection.objects.link(head)
    tree, geometry = nodes.new_modifier_tree("Pose")
    for name in pose.POSE_NAMES:
        nodes.add_node(tree, "ShaderNodeValue", name=name)
    for frame, degrees in ((TURNED - 1, 0.0), (TURNED, 30.0)):
        tree.nodes["yaw"].outputs[0].default_value = degrees
        tree.keyframe_insert('nodes["yaw"].outputs[0].default_value', frame=frame)
    nodes.add_node(tree, "NodeGroupOutput", geometry)
    head.modifiers.new("Pose", "NODES").node_group = tree
    return head


def shown(item):
    bpy.context.view_layer.update()
    mesh = item.evaluated_get(bpy.context.view_layer.depsgraph).data
    places = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", places.ravel())
    return places


def test_a_bust_starts_at_the_neck_and_widens_to_shoulders():
    rows = list(bust.bust_rows(neck()))
    low = -HEIGHT / 2
    radius = np.linalg.norm(rows[0][:, :2] - (0.0, 0.07), axis=1)
    assert (
        radius.max() < 0.06 < np.linalg.norm(rows[2][:, :2] - (0.0, 0.07), axis=1).min()
    )  # its edge hides in the neck
    assert rows[2][:, 2].min() > low
    every = np.concatenate(rows)
    assert 0.40 < np.ptp(every[:, 0]) < 0.48  # metres: shoulders of a grown person
    assert every[:, 2].min() < low - 0.25
    steps = [np.abs(after - before).max() for before, after in itertools.pairwise(rows)]
    assert max(steps) < 0.03  # no row is far from the next


def test_skin_that_hangs_lower_on_one_side_does_not_pull_the_collar_down():
    usual = list(bust.bust_rows(neck()))
    flap = np.array([(-0.06, 0.08, -HEIGHT / 2 - depth) for depth in (0.01, 0.02, 0.025)], np.float32)
    rows = list(bust.bust_rows(np.concatenate([neck(), flap])))
    assert np.abs(rows[2][:, 2] - usual[2][:, 2]).max() < 0.001
    assert rows[20][:, 2].min() < flap[:, 2].min()  # below the shirt


def test_a_bust_breathes_and_goes_a_little_way_with_the_head(scene):
    collection = bpy.data.collections.new("Stage")
    scene.collection.children.link(collection)
    head = posed_head(scene)
    item = bust.bust(list(bust.bust_rows(neck())))
    bust.put_on(item, head, collection)
    scene.render.fps = 24
    scene.frame_set(0)
    still = shown(item)
    edge, chest = still[:, 2] > -HEIGHT / 2, (still[:, 2] < -HEIGHT / 2 - 0.12) & (still[:, 1] < -0.03)
    scene.frame_set(round(24 * bust.BREATH_SECONDS / 4))
    breathed = shown(item) - still
    assert np.abs(breathed[edge]).max() < 1e-5
    np.testing.assert_allclose(breathed[chest][:, 2], bust.BREATH_RISE, rtol=0.02)
    scene.frame_set(TURNED)
    turned = shown(item) - still
    shoulder = still[:, 0].argmax()
    assert np.abs(turned[edge]).max() < 1e-5
    assert 0.003 < turned[shoulder, 1] < 0.02  # to the head's own left: the left shoulder goes back
    names = {node.bl_idname for node in item.modifiers[0].node_group.nodes}
    assert all(hasattr(bpy.types, name) for name in names)


def test_an_heir_inherits_the_bust_and_its_movement(scene):
    collection = bpy.data.collections.new("Stage")
    scene.collection.children.link(collection)
    first, heir = posed_head(scene), posed_head(scene)
    item = bust.bust(list(bust.bust_rows(neck())))
    bust.put_on(item, first, collection)
    bust.take_off(first, heir)
    bpy.data.objects.remove(first)
    scene.frame_set(0)
    still = shown(item)
    scene.frame_set(TURNED)
    assert np.abs(shown(item) - still).max() > 0.003
    bust.take_off(heir, None)
    assert not [tree for tree in bpy.data.node_groups if tree.name.startswith(bust.MOVEMENT_NAME)]
    assert not [mesh for mesh in bpy.data.meshes if mesh.name.startswith(bust.NAME)]


@pytest.mark.parametrize("framing", stage.FRAMINGS)
@pytest.mark.parametrize("aspect", [1.0, 16 / 9])
def test_the_camera_frames_what_is_asked_for(scene, framing, aspect):
    scene.render.resolution_x, scene.render.resolution_y = round(480 * aspect), 480
    camera = stage.add_stage(scene, neck(), aspect, stage.StageChoice(framing=framing))
    bpy.context.view_layer.update()

    def height(z):
        return world_to_camera_view(scene, camera, Vector((0.0, 0.07, z))).y

    assert 0.85 < height(HEIGHT / 2) < 1.0
    low = height(-HEIGHT / 2)
    assert 0.1 < low < 0.25 if framing == "BUST" else 0.0 < low < 0.08


def test_rigs_and_backdrops_change_in_place(scene):
    stage.add_stage(scene, neck(), 1.0, stage.StageChoice())
    watts = {}
    for rig in lighting.RIGS:
        for shown_backdrop in lighting.BACKDROPS:
            stage.change(scene, stage.StageChoice(light=rig, backdrop=shown_backdrop))
            assert len([item for item in scene.objects if item.type == "LIGHT"]) == 3
            assert len([item for item in scene.objects if item.type == "CAMERA"]) == 1
            assert scene.camera is not None
            world = scene.world.node_tree.nodes
            assert tuple(world[lighting.AMBIENT].inputs["Color"].default_value)[:3] == pytest.approx(
                lighting.RIGS[rig].ambient
            )
            centre = tuple(world[lighting.CENTRE].outputs[0].default_value)[:3]
            assert centre == pytest.approx(lighting.BACKDROPS[shown_backdrop][2])
        watts[rig] = scene.objects["FaceTalk Key"].data.energy
    assert len(set(watts.values())) == 3
    assert len(bpy.data.worlds) == 1


def test_an_artists_world_stays(scene):
    scene.world = bpy.data.worlds.new("Mine")
    stage.add_stage(scene, neck(), 1.0, stage.StageChoice(light="DRAMATIC", backdrop="LIGHT"))
    stage.change(scene, stage.StageChoice())
    assert scene.world.name == "Mine"


def test_without_a_stage_nothing_changes(scene):
    stage.change(scene, stage.StageChoice(light="DRAMATIC"))
    assert not [item for item in scene.objects if item.type in {"LIGHT", "CAMERA"}]
