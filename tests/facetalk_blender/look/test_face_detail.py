"""What the shader reads of a posed face: eye axes, the distance of the lids, and tension against closed forms."""

import numpy as np
import pytest
from blender_scene import bpy
from repository import import_from_extension

appearance = import_from_extension("facetalk_blender.look.appearance")
face_detail = import_from_extension("facetalk_blender.look.face_detail")
mesh_building = import_from_extension("facetalk_blender.blender_data.mesh_building")
nodes = import_from_extension("facetalk_blender.blender_data.nodes")
wrinkles = import_from_extension("facetalk_blender.look.wrinkles")


def grid(size=12, spacing=0.004, centre=(0.0, -0.043, 0.068)):
    """An upright sheet of quads on the forehead: vertices (V, 3), polygons (P, 4)."""
    steps = (np.arange(size) - (size - 1) / 2) * spacing
    x, z = np.meshgrid(steps, steps)
    vertices = np.stack([x, np.zeros_like(x), z], -1).reshape(-1, 3) + centre
    corner = (np.arange(size - 1)[:, None] * size + np.arange(size - 1)).ravel()
    polygons = np.stack([corner, corner + 1, corner + size + 1, corner + size], 1)
    return vertices.astype(np.float32), polygons.astype(np.int32)


def head_of(scene, vertices, polygons, **values):
    """An object with attributes of its points."""
    item = bpy.data.objects.new("Head", bpy.data.meshes.new("Head"))
    scene.collection.objects.link(item)
    mesh_building.fill_mesh(item.data, vertices, polygons)
    for name, array in values.items():
        attribute = item.data.attributes.new(f"facetalk_{name}", "FLOAT_VECTOR", "POINT")
        attribute.data.foreach_set("vector", np.ascontiguousarray(array, np.float32).ravel())
    return item


def vectors(item, name):
    """An attribute (V, 3) of the mesh that is shown."""
    bpy.context.view_layer.update()
    mesh = item.evaluated_get(bpy.context.view_layer.depsgraph).data
    values = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.attributes[name].data.foreach_get("vector", values.ravel())
    return values


def turn(yaw, pitch, roll):
    """Rotation matrix."""
    (a, b, c), (i, j, k) = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    about_z = np.array([[a, -i, 0], [i, a, 0], [0, 0, 1]])
    return about_z @ np.array([[1, 0, 0], [0, b, -j], [0, j, b]]) @ np.array([[c, 0, k], [0, 1, 0], [-k, 0, c]])


@pytest.mark.parametrize(("across", "expected"), [((0, 0, 1), -0.2), ((1, 0, 0), 0.1), ((0, 0, 0), -0.05)])
def test_tension_is_the_change_of_length_along_a_way(scene, across, expected):
    rest, polygons = grid()
    item = head_of(scene, rest * (1.1, 1.0, 0.8), polygons, rest=rest)
    tree, geometry = nodes.new_modifier_tree("Tension")
    n = nodes.Fields(tree)
    value = wrinkles.tension(n, n.named(appearance.REST_ATTRIBUTE), across)
    n.node("NodeGroupOutput", n.store(geometry, True, "tension", n.join(value, 0.0, 0.0)))
    item.modifiers.new("Tension", "NODES").node_group = tree
    inner = vectors(item, "tension")[:, 0].reshape(12, 12)[1:-1, 1:-1]
    np.testing.assert_allclose(inner, expected, atol=2e-4)


@pytest.mark.parametrize(
    ("scale", "age", "deep"), [(0.75, 0.0, True), (1.0, 0.0, False), (1.1, 0.0, False), (1.0, 1.0, True)]
)
def test_a_forehead_that_is_gathered_or_old_has_folds(scene, scale, age, deep):
    rest, polygons = grid()
    skin = np.tile((1.0, 0.0, 0.0), (len(rest), 1))
    item = head_of(scene, rest * (1.0, 1.0, scale), polygons, rest=rest, skin=skin)
    face_detail.add(item)
    face_detail.set_amounts(item, wrinkles=1.0, age=age)
    depth, place, _ = vectors(item, wrinkles.WRINKLE_ATTRIBUTE).T
    if not deep:
        assert depth.max() < 1e-3
        return
    folded = (np.abs(rest[:, 0]) < 0.005) & (depth > 0.05) & (rest[:, 2] > 0.055)
    assert depth[folded].max() == pytest.approx(wrinkles.FOLDS[0].age if age else 1.0, abs=0.01)
    # Folds lie a spacing apart: their place grows by one turn for each.
    slope = np.polyfit(rest[folded, 2], place[folded], 1)[0]
    assert slope == pytest.approx(1 / wrinkles.FOLDS[0].spacing, rel=0.15)  # they waver


def test_no_wrinkles_are_asked_for(scene):
    rest, polygons = grid()
    item = head_of(scene, rest * (1.0, 1.0, 0.7), polygons, rest=rest, skin=np.tile((1.0, 0.0, 0.0), (len(rest), 1)))
    face_detail.add(item)
    face_detail.set_amounts(item, wrinkles=0.0, age=1.0)
    assert vectors(item, wrinkles.WRINKLE_ATTRIBUTE)[:, 0].max() == 0.0


def eyeballs(turns):
    """Two eyeballs of a random scatter of triangles: vertices, polygons and attributes; turned, 12 mm, 30 mm apart."""
    random = np.random.default_rng(3)
    places, directions, rest = [], [], []
    for side, matrix in zip((1, -1), turns, strict=True):
        # More points on one side than on the other, as lids leave them.
        points = random.normal((0.4, -0.3, 0.8), size=(400, 3))
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        in_blender = np.stack([points[:, 0], -points[:, 2], points[:, 1]], 1)
        centre = np.array((0.03 * side, -0.02, 0.02))
        places.append(centre + 0.012 * in_blender @ matrix.T)
        rest.append(centre + 0.012 * in_blender)
        directions.append(points)
    vertices = np.concatenate(places).astype(np.float32)
    polygons = np.arange(len(vertices) // 4 * 4).reshape(-1, 4).astype(np.int32)
    return vertices, polygons, {"eye": np.concatenate(directions), "rest": np.concatenate(rest)}


def test_the_axes_of_eyes_are_those_of_their_turns(scene):
    turns = turn(0.3, -0.2, 0.1), turn(-0.1, 0.25, -0.15)
    vertices, polygons, values = eyeballs(turns)
    values["tissue"] = np.tile((1.0, 0.0, 0.0), (len(vertices), 1))
    item = head_of(scene, vertices, polygons, **values)
    face_detail.add(item)
    gaze, up = (vectors(item, name) for name in (face_detail.GAZE_ATTRIBUTE, face_detail.EYE_UP_ATTRIBUTE))
    for own, matrix in zip((vertices[:, 0] > 0, vertices[:, 0] < 0), turns, strict=True):
        np.testing.assert_allclose(gaze[own], np.tile(matrix @ (0, -1, 0), (own.sum(), 1)), atol=1e-3)
        np.testing.assert_allclose(up[own], np.tile(matrix @ (0, 0, 1), (own.sum(), 1)), atol=1e-3)


def test_the_distance_to_a_lid_is_that_to_its_surface(scene):
    """One point of an eye, 5 mm below the edge of an upright sheet."""
    lid, polygons = grid(4, centre=(0.03, -0.03, 0.03))
    low = lid[:, 2].min()
    vertices = np.concatenate([lid, [(0.03, -0.03, low - 0.005)]]).astype(np.float32)
    on_eye = np.arange(len(vertices)) == len(lid)
    zero = np.zeros((len(vertices), 3))
    tissue, skin, eye = zero.copy(), zero.copy(), np.tile((0.0, 0.0, 1.0), (len(vertices), 1))
    tissue[on_eye, 0], skin[~on_eye, 0] = 1.0, 1.0
    item = head_of(scene, vertices, polygons, rest=vertices, eye=eye, tissue=tissue, skin=skin)
    face_detail.add(item)
    distance, above, _ = vectors(item, face_detail.LID_ATTRIBUTE)[-1]
    assert distance == pytest.approx(0.005, abs=1e-5)
    assert above == pytest.approx(1.0, abs=1e-4)


def test_only_stock_nodes_compute_it(scene):
    item = head_of(scene, *grid())
    face_detail.add(item)
    trees = [tree for tree in bpy.data.node_groups if tree.bl_idname == "GeometryNodeTree"]
    assert {item.modifiers[face_detail.MODIFIER_NAME].node_group.name, wrinkles.TENSION_GROUP} < {t.name for t in trees}
    for tree in trees:
        kinds = {node.bl_idname for node in tree.nodes}
        assert all(kind.startswith(("GeometryNode", "ShaderNode", "FunctionNode", "NodeGroup")) for kind in kinds)
        assert all(hasattr(bpy.types, kind) for kind in kinds)


def test_groups_made_in_pieces_are_those_of_the_modifier_and_none_is_large(scene):
    """Adding a node takes as long as there are already: no piece may hold the window up."""
    for _ in face_detail.group_pieces():
        assert max(len(tree.nodes) for tree in bpy.data.node_groups) < 90
    made = {tree.name for tree in bpy.data.node_groups}
    face_detail.add(head_of(scene, *grid()))
    assert {tree.name for tree in bpy.data.node_groups} == made
