"""A dark collar around the neck, so that a portrait does not show where the head ends."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import numpy as np

from .. import compat
from ..blender_data.mesh_building import fill_mesh
from ..sound.strip_link import STRIP_PROPERTY

NAME = "FaceTalk Collar"
WEARER_PROPERTY = "facetalk_wearer"  # of a collar: the strip whose heads wear it
NECK_BAND = 0.025  # metres of neck above the lower end that the collar follows
NECK_SLOPE = 0.6  # how much the front of the neck comes forward per metre upwards, at most
SEGMENTS = 64
BANDS = (0.003, 0.006, 0.009, 0.013, 0.02, np.inf)  # metres up and down
LARGEST_GAP = np.radians(45.0)  # between vertices around the neck
# Rows of the collar from the inside of its edge to below the picture: metres above the lower end of the neck, and
# distance from the skin.
PROFILE = (
    (0.018, -0.004), (0.0245, 0.0), (0.0265, 0.0025), (0.0255, 0.0045), (0.021, 0.0055), (0.014, 0.005),
    (0.006, 0.005), (-0.004, 0.006), (-0.02, 0.02), (-0.045, 0.045), (-0.08, 0.07),
)  # fmt: skip


def collar_rows(vertices: np.ndarray) -> Iterator[np.ndarray]:
    """Rows (SEGMENTS, 3) of a collar for a head of vertices (V, 3) in metres, world space, z up."""
    low = vertices[:, 2].min()
    angles = np.linspace(0, 2 * np.pi, SEGMENTS, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)  # (SEGMENTS, 2)
    for height, distance in PROFILE:
        centre, radius = _neck(vertices, low, np.clip(height, 0.0, NECK_BAND), circle)
        around = centre + (radius + distance)[:, None] * circle
        yield np.column_stack([around, np.full(SEGMENTS, low + height)])


def collar(rows: list[np.ndarray]) -> bpy.types.Object:
    """The collar of these rows; linked nowhere yet."""
    mesh = bpy.data.meshes.new(NAME)
    fill_mesh(mesh, np.concatenate(rows).astype(np.float32), _quads(len(rows)))
    mesh.materials.append(_fabric())
    return bpy.data.objects.new(NAME, mesh)


def put_on(item: bpy.types.Object, head: bpy.types.Object, collection: bpy.types.Collection) -> None:
    """Let a head wear a collar, made where the head is; one that it, or an earlier head of its strip, wore goes."""
    strip_name = head[STRIP_PROPERTY]
    worn = [other for other in collection.objects if other.get(WEARER_PROPERTY) == strip_name]
    bpy.data.batch_remove([*worn, *(other.data for other in worn if other.data.users == 1)])
    item.name, item[WEARER_PROPERTY] = NAME, strip_name
    collection.objects.link(item)
    item.parent = head
    item.matrix_parent_inverse = head.matrix_world.inverted()


def take_off(head: bpy.types.Object, heir: bpy.types.Object | None) -> None:
    """The head goes: its collar goes to another one in its place, or goes too."""
    for item in [item for item in bpy.data.objects if item.parent == head and is_worn(item)]:
        if heir is not None:
            item.parent = heir
            continue
        mesh = item.data
        bpy.data.objects.remove(item)
        if mesh.users == 0:
            bpy.data.meshes.remove(mesh)


def wears_one(head: bpy.types.Object, collection: bpy.types.Collection) -> bool:
    """Whether a head, or an earlier one of its strip, wears a collar."""
    return any(item.get(WEARER_PROPERTY) == head[STRIP_PROPERTY] for item in collection.objects)


def is_worn(item: bpy.types.Object) -> bool:
    """Whether an object is a collar that a head wears."""
    return WEARER_PROPERTY in item


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
    existing = bpy.data.materials.get(NAME)
    if existing is not None:
        return existing
    material = bpy.data.materials.new(NAME)
    material.diffuse_color = (0.02, 0.022, 0.027, 1.0)
    principled = compat.use_nodes(material).nodes["Principled BSDF"]
    principled.inputs["Base Color"].default_value = material.diffuse_color
    principled.inputs["Roughness"].default_value = 0.85
    principled.inputs["Specular IOR Level"].default_value = 0.2
    principled.inputs["Sheen Weight"].default_value = 0.25
    return material
