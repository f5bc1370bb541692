"""Shoulders in a plain shirt below the neck, so that a portrait does not show where the head ends.

The shirt keeps to the neck's lower end, which no pose moves. A modifier of stock nodes lets the chest breathe and the
shoulders go a little way with the head.
"""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import numpy as np

from ...engine.shared.pose import POSE_NAMES
from .. import compat
from ..blender_data.datablocks import remove_unused
from ..blender_data.mesh_building import fill_mesh
from ..blender_data.nodes import Fields, add_node, new_modifier_tree
from ..sound.strip_link import STRIP_PROPERTY

NAME = "FaceTalk Bust"
MATERIAL_NAME, SHIRT_COLOR = "FaceTalk Shirt", (0.045, 0.055, 0.075)
MOVEMENT_NAME = "FaceTalk Bust Movement"  # of the modifier and its node tree
WEARER_PROPERTY = "facetalk_wearer"  # of a bust: the strip whose heads wear it
NECK_BAND = 0.025  # metres of neck above the lower end that the collar follows
END_BAND, SECTORS = 0.045, 24  # metres of neck among which its end is looked for, in so many directions
NECK_SLOPE = 0.6  # how much the front of the neck comes forward per metre upwards, at most
SEGMENTS = 96
BANDS = (0.003, 0.006, 0.009, 0.013, 0.02, np.inf)  # metres up and down
LARGEST_GAP = np.radians(45.0)  # between vertices around the neck
# Rows of the collar from the inside of its edge to the shirt: metres above the lower end of the neck, and distance from
# the skin.
COLLAR = (
    (0.010, -0.004), (0.0185, -0.0005), (0.0205, 0.0016), (0.0198, 0.0034), (0.016, 0.0042), (0.010, 0.0042),
    (0.0045, 0.0042), (0.0015, 0.0036), (0.0002, 0.0048), (-0.002, 0.0066),
)  # fmt: skip
# Rows of the shirt below: half its width; how far it reaches in front of and behind the neck's middle; metres below the
# neck's lower end at the sides, in front and behind.
SHIRT = np.array(
    [
        (0.095, 0.079, 0.078, 0.010, 0.018, 0.008),
        (0.118, 0.092, 0.089, 0.019, 0.038, 0.022),
        (0.150, 0.106, 0.101, 0.032, 0.066, 0.045),
        (0.178, 0.118, 0.109, 0.046, 0.096, 0.075),
        (0.200, 0.127, 0.114, 0.066, 0.128, 0.110),
        (0.213, 0.133, 0.116, 0.094, 0.162, 0.150),
        (0.219, 0.137, 0.115, 0.135, 0.198, 0.195),
        (0.220, 0.138, 0.112, 0.195, 0.240, 0.240),
        (0.217, 0.136, 0.110, 0.290, 0.300, 0.300),
    ]
)
ROWS = 36  # of the shirt, between those
CORNERS = 2.5  # exponent of the superellipse that the lower rows are
CREASE = 0.0022  # metres: depth of the folds in the cloth
MOVED = (0.005, 0.11)  # metres below the neck's lower end, between which the movement grows to its whole
BREATH_SECONDS, BREATH_RISE = 4.3, 0.0022  # metres up, and as many forward in front
TURNS = ("yaw", "roll")  # of the pose, which the shoulders follow
TURN_SHARE = 0.12  # of the head's turn that the shoulders take part in


def bust_rows(vertices: np.ndarray) -> Iterator[np.ndarray]:
    """Rows (SEGMENTS, 3) of a bust for a head of vertices (V, 3) in metres, world space, z up."""
    low = _lower_end(vertices)
    angles = np.linspace(0, 2 * np.pi, SEGMENTS, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)  # (SEGMENTS, 2)
    for height, distance in COLLAR:
        centre, radius = _neck(vertices, low, np.clip(height, 0.0, NECK_BAND), circle)
        around = centre + (radius + distance)[:, None] * circle
        yield np.column_stack([around, np.full(SEGMENTS, low + height)])
    last = np.column_stack([around - centre, np.full(SEGMENTS, COLLAR[-1][0])])
    middle = np.array([*centre, low])
    yield from (row + middle for row in _shirt_rows(last, angles))


def _shirt_rows(collar: np.ndarray, angles: np.ndarray) -> Iterator[np.ndarray]:
    """Rows (SEGMENTS, 3) that go on from the last one of the collar, around the neck's middle and lower end."""
    side, front = np.cos(angles), -np.sin(angles)
    places = np.linspace(0.0, 1.0, len(SHIRT) + 1)
    knots = [collar]
    for share, (width, before, behind, down, down_before, down_behind) in zip(places[1:], SHIRT, strict=True):
        power = 2 / (2 + (CORNERS - 2) * share)
        x = width * np.sign(side) * np.abs(side) ** power
        y = -np.where(front > 0, before, behind) * np.sign(front) * np.abs(front) ** power
        fall = down * side**2 + np.where(front > 0, down_before, down_behind) * front**2
        knots.append(np.column_stack([x, y, -fall]))
    slopes = np.gradient(np.array(knots), places, axis=0)
    for place in np.linspace(0.0, 1.0, ROWS + 1)[1:]:
        row = _between(places, knots, slopes, place)
        yield row + _creases(row, angles, place)


def _between(places: np.ndarray, knots: list[np.ndarray], slopes: np.ndarray, place: float) -> np.ndarray:
    """The cubic through rows with their slopes, at a place."""
    index = min(int(np.searchsorted(places, place)), len(places) - 1)
    step = places[index] - places[index - 1]
    t = (place - places[index - 1]) / step
    before, after = (slopes[i] * step for i in (index - 1, index))
    values = (2 * t**3 - 3 * t**2 + 1, t**3 - 2 * t**2 + t, -2 * t**3 + 3 * t**2, t**3 - t**2)
    return values[0] * knots[index - 1] + values[1] * before + values[2] * knots[index] + values[3] * after


def _creases(row: np.ndarray, angles: np.ndarray, place: float) -> np.ndarray:
    """Soft folds of cloth that hang from the shoulders, (SEGMENTS, 3)."""
    wave = np.sin(3 * angles + 7 * place + 0.6) * np.sin(11 * angles - 9 * place) + 0.5 * np.sin(
        5 * angles + 13 * place
    )
    outwards = row[:, :2] / np.maximum(np.linalg.norm(row[:, :2], axis=1, keepdims=True), 1e-6)
    depth = CREASE * np.sin(np.pi * min(1.0, 1.4 * place) / 2) * (wave - 0.5)
    return np.column_stack([depth[:, None] * outwards, np.zeros(len(row))])


def bust(rows: list[np.ndarray]) -> bpy.types.Object:
    """The bust of these rows; linked nowhere yet."""
    mesh = bpy.data.meshes.new(NAME)
    fill_mesh(mesh, np.concatenate(rows).astype(np.float32), _quads(len(rows)))
    mesh.materials.append(_fabric())
    return bpy.data.objects.new(NAME, mesh)


def put_on(item: bpy.types.Object, head: bpy.types.Object, collection: bpy.types.Collection) -> None:
    """Let a head wear a bust, made where the head is; one that it, or an earlier head of its strip, wore goes."""
    strip_name = head[STRIP_PROPERTY]
    for other in [other for other in collection.objects if other.get(WEARER_PROPERTY) == strip_name]:
        _remove(other)
    item.name, item[WEARER_PROPERTY] = NAME, strip_name
    collection.objects.link(item)
    item.parent = head
    item.matrix_parent_inverse = head.matrix_world.inverted()
    move_with(item, head)


def take_off(head: bpy.types.Object, heir: bpy.types.Object | None) -> None:
    """The head goes: its bust goes to another one in its place, or goes too."""
    for item in [item for item in bpy.data.objects if item.parent == head and is_worn(item)]:
        if heir is not None:
            item.parent = heir
            move_with(item, heir)
            continue
        _remove(item)


def _remove(item: bpy.types.Object) -> None:
    mesh, trees = item.data, [m.node_group for m in item.modifiers if m.type == "NODES" and m.node_group]
    bpy.data.objects.remove(item)
    remove_unused(bpy.data.meshes, [mesh])
    remove_unused(bpy.data.node_groups, trees)


def move_with(item: bpy.types.Object, head: bpy.types.Object) -> None:
    """Let a bust breathe, and its shoulders go with the pose that the head has now, if it has one."""
    modifier = item.modifiers.get(MOVEMENT_NAME) or item.modifiers.new(MOVEMENT_NAME, "NODES")
    earlier, modifier.node_group = modifier.node_group, _movement(item.data)
    if earlier is not None:
        remove_unused(bpy.data.node_groups, [earlier])
    trees = (other.node_group for other in head.modifiers if other.type == "NODES" and other.node_group)
    pose = next((tree for tree in trees if all(name in tree.nodes for name in POSE_NAMES)), None)
    if pose is None:
        return
    for name in TURNS:
        path = f'nodes["{name}"].outputs[0].default_value'
        driver = modifier.node_group.driver_add(path).driver
        driver.type = "SUM"
        variable = driver.variables.new()
        variable.targets[0].id_type = "NODETREE"
        variable.targets[0].id, variable.targets[0].data_path = pose, path


def _movement(mesh: bpy.types.Mesh) -> bpy.types.NodeTree:
    """Nodes that move a bust: most at the chest, not at all at the neck."""
    tree, geometry = new_modifier_tree(MOVEMENT_NAME)
    n = Fields(tree)
    edge = np.array([vertex.co for vertex in mesh.vertices[:SEGMENTS]])
    middle = (*((edge.min(0) + edge.max(0))[:2] / 2).tolist(), float(edge[0, 2] - COLLAR[0][0]))
    position = n.add("GeometryNodeInputPosition")
    _, y, z = n.split(n.vector("SUBTRACT", position, middle))
    share = n.step(z, *(-depth for depth in MOVED))
    moved = position
    for name, axis in zip(TURNS, ("Z_AXIS", "Y_AXIS"), strict=True):
        degrees = n.add("ShaderNodeValue", name=name, label=name)
        node = n.node("ShaderNodeVectorRotate", moved, middle, rotation_type=axis)
        angle = n.math("MULTIPLY", n.math("RADIANS", degrees), n.math("MULTIPLY", share, TURN_SHARE))
        tree.links.new(angle, node.inputs["Angle"])
        moved = node.outputs[0]
    phase = n.math("MULTIPLY", n.add("GeometryNodeInputSceneTime"), 2 * np.pi / BREATH_SECONDS)
    breath = n.math("MULTIPLY", n.math("MULTIPLY", n.math("SINE", phase), BREATH_RISE), share)
    forward = n.math("MULTIPLY", breath, n.step(y, 0.0, -0.1))
    rise = n.join(0.0, n.math("MULTIPLY", forward, -1.0), breath)
    placed = n.node("GeometryNodeSetPosition", geometry)
    tree.links.new(n.vector("ADD", moved, rise), placed.inputs["Position"])
    n.node("NodeGroupOutput", placed.outputs[0])
    return tree


def wears_one(head: bpy.types.Object, collection: bpy.types.Collection) -> bool:
    """Whether a head, or an earlier one of its strip, wears a bust."""
    return any(item.get(WEARER_PROPERTY) == head[STRIP_PROPERTY] for item in collection.objects)


def is_worn(item: bpy.types.Object) -> bool:
    """Whether an object is a bust that a head wears."""
    return WEARER_PROPERTY in item


def _lower_end(vertices: np.ndarray) -> float:
    """Where the neck ends all around: skin that hangs lower in some directions goes below the shirt."""
    near = vertices[vertices[:, 2] < vertices[:, 2].min() + END_BAND]
    x, y = (near[:, :2] - (near[:, :2].min(0) + near[:, :2].max(0)) / 2).T
    sectors = ((np.arctan2(y, x) / (2 * np.pi) + 0.5) * SECTORS).astype(int) % SECTORS
    lowest = np.full(SECTORS, np.inf)
    np.minimum.at(lowest, sectors, near[:, 2])
    return float(lowest[np.isfinite(lowest)].max())


def _neck(vertices: np.ndarray, low: float, height: float, circle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre (2,) of the neck at a height above its lower end, and its hull's radius (S,) towards circle (S, 2)."""
    bottom = _all_around(vertices, low)
    places = _all_around(vertices, low + height)
    # Not the chin, which an open jaw brings down in front of the neck.
    places[:, 1] = np.maximum(places[:, 1], bottom[:, 1].min() - NECK_SLOPE * height)
    centre = (places.min(0) + places.max(0)) / 2
    support = ((places - centre) @ circle.T).max(0)  # (S,), how far the hull reaches along each direction
    facing = circle @ circle.T
    radius = np.where(facing > 0.1, support[:, None] / np.maximum(facing, 0.1), np.inf).min(0)
    return centre, radius


def _all_around(vertices: np.ndarray, height: float) -> np.ndarray:
    """x and y (P, 2) of vertices about a height, from a band that is wide enough to hold some on every side."""
    for band in BANDS:
        places = vertices[np.abs(vertices[:, 2] - height) < band, :2]
        if len(places) < 3:
            continue
        x, y = (places - (places.min(0) + places.max(0)) / 2).T
        angles = np.sort(np.arctan2(y, x))
        if np.diff(angles, append=angles[0] + 2 * np.pi).max() < LARGEST_GAP:
            break
    return (places if len(places) else vertices[:, :2]).copy()


def _quads(rows: int) -> np.ndarray:
    column, row = np.meshgrid(np.arange(SEGMENTS), np.arange(rows - 1))
    following = (column + 1) % SEGMENTS
    corners = [row * SEGMENTS + column, (row + 1) * SEGMENTS + column]
    corners += [(row + 1) * SEGMENTS + following, row * SEGMENTS + following]
    return np.stack(corners, -1).reshape(-1, 4).astype(np.int32)


def _fabric() -> bpy.types.Material:
    existing = bpy.data.materials.get(MATERIAL_NAME)
    if existing is not None:
        return existing
    material = bpy.data.materials.new(MATERIAL_NAME)
    material.diffuse_color = (*SHIRT_COLOR, 1.0)
    tree = compat.use_nodes(material)
    principled = tree.nodes["Principled BSDF"]
    principled.inputs["Base Color"].default_value = material.diffuse_color
    principled.inputs["Roughness"].default_value = 0.85
    principled.inputs["Specular IOR Level"].default_value = 0.2
    principled.inputs["Sheen Weight"].default_value = 0.25
    knit = add_node(tree, "ShaderNodeTexNoise", add_node(tree, "ShaderNodeTexCoord").outputs["Object"])
    knit.inputs["Scale"].default_value, knit.inputs["Detail"].default_value = 900.0, 1.0
    bump = add_node(tree, "ShaderNodeBump")
    bump.inputs["Distance"].default_value, bump.inputs["Strength"].default_value = 0.0006, 0.2
    tree.links.new(knit.outputs[0], bump.inputs["Height"])
    tree.links.new(bump.outputs[0], principled.inputs["Normal"])
    return material
