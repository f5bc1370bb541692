"""Drivers that lead from the moment of a take that is heard to a value: native, and right wherever the strip is."""

from __future__ import annotations

import bpy

from ..sound import playback

SHORTEST_TRIM = 0.05  # seconds of the take that a handle hides, for the head to rest there at once
BEFORE_THE_TAKE = -9.0  # seconds: the head is at rest


def drive_by_take(
    owner: bpy.types.bpy_struct,
    path: str,
    scene: bpy.types.Scene,
    strip_name: str,
    audio_start: float,
    duration: float,
    points: list[tuple[float, float]],
    interpolation: str = "LINEAR",
) -> None:
    """Drive a property along a line of (second of the take, value); the first and last value hold beyond.

    audio_start: the second of the sound file at which the take begins; duration: seconds from its first code to its
    last. Where the strip is mute, or a handle hides a part of the take, the property has the value of before the take.
    """
    seconds, first, last = (f"({moment}-start)*base/fps-delay" for moment in ("frame", "left", "right"))
    hidden = f"frame<left and {first}>{audio_start + SHORTEST_TRIM:.4f}"
    hidden += f" or frame>=right and {last}<{audio_start + duration - SHORTEST_TRIM:.4f}"
    # Read from a property with a driver of its own, Blender may use the code of the frame before.
    expression = f"{BEFORE_THE_TAKE:g} if mute or {hidden} else {seconds}-{audio_start:.6f}"
    _lead(playback.drive(owner, path, scene, strip_name, expression), points, interpolation)


def _lead(curve: bpy.types.FCurve, points: list[tuple[float, float]], interpolation: str) -> None:
    """Lead a driver's value along a line of (value, result)."""
    for modifier in list(curve.modifiers):  # Blender 4.5 makes a generator instead of keyframes
        curve.modifiers.remove(modifier)
    curve.extrapolation = "CONSTANT"
    keyframes = curve.keyframe_points
    keyframes.clear()
    keyframes.add(len(points))
    keyframes.foreach_set("co", [number for point in points for number in point])
    kind = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items[interpolation].value
    keyframes.foreach_set("interpolation", [kind] * len(points))
    curve.update()
