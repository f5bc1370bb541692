"""Where the eyes shall look: the direction from a head to the camera or an object, at once or over time."""

from __future__ import annotations

from collections.abc import Iterator
from math import atan2, degrees, hypot

import bpy
from mathutils import Matrix, Vector

from ...engine.shared.controls import GAZE_LEFT, GAZE_UP, LIMITS
from ..outputs import curve_action
from ..sound.strip_link import STRIP_PROPERTY
from ..takes import take

EYES = Vector((0.0, -0.07, 0.035))  # metres between the eyes, on a head that faces -y
Direction = dict[str, float]


def direction(head: Matrix, point: Vector, eyes: Vector = EYES) -> Direction:
    """Degrees to the head's own left and up of a point in the world, as controls."""
    way = head.inverted_safe() @ point - eyes
    found = {GAZE_LEFT: degrees(atan2(way.x, -way.y)), GAZE_UP: degrees(atan2(way.z, hypot(way.x, way.y)))}
    return {name: min(max(value, LIMITS[name][0]), LIMITS[name][1]) for name, value in found.items()}


def directions(scene: bpy.types.Scene, target: bpy.types.Object) -> tuple[Direction, dict[str, list]]:
    """The direction to a target: as numbers, or {name: [(scene frame, degrees), ...]} where it is keyed to move."""
    head, eyes = _head(scene)
    where = target.matrix_world.translation
    curves = _location_curves(target)
    if not curves:
        return direction(head, where, eyes), {}
    over_time: dict[str, list] = {GAZE_LEFT: [], GAZE_UP: []}
    for frame in _frames(curves):
        point = Vector(target.location)
        for curve in curves:
            point[curve.array_index] = curve.evaluate(frame)
        for name, value in direction(head, point, eyes).items():
            over_time[name].append((float(frame), value))
    return {}, over_time


def _head(scene: bpy.types.Scene) -> tuple[Matrix, Vector]:
    """World matrix of the head that looks, and where its eyes are in it; at the origin when there is none yet."""
    settings = scene.facetalk
    if settings.output == "EXPRESSION_CURVES":
        for target in settings.curves.targets:
            if target.item is not None:
                corners = [Vector(corner) for corner in target.item.bound_box]
                return target.item.matrix_world, sum(corners, Vector()) / len(corners)
    for made in scene.objects:
        text = take.text_of(made)
        if text is not None and text.get(STRIP_PROPERTY) == settings.strip:
            return made.matrix_world, EYES
    return Matrix(), EYES


def _location_curves(target: bpy.types.Object) -> list[bpy.types.FCurve]:
    data = target.animation_data
    if target.parent is not None or data is None or data.action is None or data.action_slot is None:
        return []
    curves = curve_action.curves_of(data.action, data.action_slot)
    return [curve for curve in curves if curve.data_path == "location" and not curve.is_empty]


def _frames(curves: list[bpy.types.FCurve]) -> Iterator[int]:
    start = min(int(curve.range()[0]) for curve in curves)
    end = max(int(curve.range()[1]) for curve in curves)
    yield from range(start, end + 2)
