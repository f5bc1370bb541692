"""The property that drives a shape key, where it is plain: animating it moves the key and all else that it drives."""

from __future__ import annotations

import re
from typing import NamedTuple

import bpy

from ..rest_track import Place, exists, value_path

FOLLOWED = (bpy.types.Object, bpy.types.Armature, bpy.types.Key)  # what the curves of a take can move


class Source(NamedTuple):
    """What a key follows: a place of an owner, and the factor from it to the key."""

    owner: bpy.types.ID
    place: Place
    factor: float


def driver_of(keys: bpy.types.Key, key: str) -> bpy.types.FCurve | None:
    """The driver of a shape key's value that is in force."""
    drivers = keys.animation_data.drivers if keys.animation_data is not None else ()
    path = value_path(key)
    return next((curve for curve in drivers if curve.data_path == path and not curve.mute), None)


def reads(keys: bpy.types.Key | None, key: str) -> set[tuple[bpy.types.ID, Place]]:
    """Owners and places of all properties that the driver of a key reads."""
    curve = driver_of(keys, key) if keys is not None else None
    variables = curve.driver.variables if curve is not None else ()
    return {
        (target.id, place_of(target.data_path))
        for variable in variables
        if variable.type == "SINGLE_PROP"
        for target in variable.targets
        if target.id is not None
    }


def source_of(keys: bpy.types.Key, key: str) -> Source | None:
    """What drives a key, if that is a single property times a factor, and can be animated."""
    curve = driver_of(keys, key)
    if curve is None or not _is_straight(curve) or len(curve.driver.variables) != 1:
        return None
    (variable,) = curve.driver.variables
    factor = _factor(curve.driver, variable.name)
    if variable.type != "SINGLE_PROP" or factor is None:
        return None
    target = variable.targets[0]
    owner, place = target.id, place_of(target.data_path)
    usable = isinstance(owner, FOLLOWED) and owner.is_editable and exists(owner, place) and owner != keys
    return Source(owner, place, factor) if usable else None


def place_of(path: str) -> Place:
    """A data path with its index apart."""
    match = re.fullmatch(r"(.+)\[(\d+)\]", path)
    return (match[1], int(match[2])) if match else (path, 0)


def _is_straight(curve: bpy.types.FCurve) -> bool:
    """Whether a driver's curve hands on what its expression gives."""
    points = curve.keyframe_points
    if any(abs(point.co.x - point.co.y) > 1e-4 for point in points):
        return False
    modifiers = [modifier for modifier in curve.modifiers if not modifier.mute]
    return all(
        modifier.type == "GENERATOR" and tuple(modifier.coefficients) == (0.0, 1.0) and not modifier.use_additive
        for modifier in modifiers
    )


def _factor(driver: bpy.types.Driver, name: str) -> float | None:
    """Of the expression of a driver, if it is the variable times a positive number."""
    if driver.type != "SCRIPTED":
        return 1.0  # the average, the sum, the least and the greatest of one
    number = r"(\d+\.?\d*|\.\d+)"
    variable = re.escape(name)
    match = re.fullmatch(rf"\s*(?:{number}\s*\*\s*)?{variable}\s*(?:([*/])\s*{number})?\s*", driver.expression)
    if match is None:
        return None
    factor = float(match[1] or 1.0)
    last = float(match[3] or 1.0)
    if not (factor and last):
        return None
    return factor / last if match[2] == "/" else factor * last
