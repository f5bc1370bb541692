"""The report of a run: what was made, of what, and how long it took."""

from __future__ import annotations

import argparse

import bpy

from ..generation.generation import Generation


def report(
    options: argparse.Namespace,
    scene: bpy.types.Scene,
    generation: Generation,
    frames: range,
    seconds: dict[str, float],
) -> dict:
    """JSON values. frames: of the scene; seconds: that stages took, with the total."""
    head = bpy.data.objects[generation.result_name]
    mesh = head.evaluated_get(scene.view_layers[0].depsgraph).data
    return {
        "audio": options.audio.name,
        "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
        "first_frame_seconds": round(generation.first_frame_seconds, 3),
        "blender": bpy.app.version_string,
        "engine": generation.engine_info,
        "take": _take(generation),
        "head_output": options.head_output,
        "resolution": options.resolution,
        "frames": len(frames),
        "frames_per_second": generation.clip.frames_per_second,
        "vertices": len(mesh.vertices),
        "polygons": len(mesh.polygons),
        "render": {"engine": options.engine, "size": list(options.size)},
    }


def _take(generation: Generation) -> dict:
    take = generation.take
    facts = {
        "codes": len(take.codes),
        "rate": take.rate,
        "seed": take.seed,
        "duration": round(generation.clip.duration, 3),
    }
    if take.lip_opening_mm is not None:
        facts["lip_opening_mm"] = [round(float(value), 2) for value in take.lip_opening_mm]
    return facts
