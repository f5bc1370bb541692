"""Playing the head in time with its sound."""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from . import compat
from .sound_strip import Clip

STRIP_PROPERTY = "facetalk_strip"  # on a result and its shape keys: name of the sound strip that it speaks
SCENE_PROPERTY = "facetalk_scene"
CONTENT_START_PROPERTY = "facetalk_content_start"


def set_up_audio(scene: bpy.types.Scene, clip: Clip) -> None:
    """Let playback follow the sound, make scrubbing audible and reach the clip's end; nothing is shortened."""
    scene.use_audio_scrub = True
    scene.sync_mode = "AUDIO_SYNC"
    scene.frame_end = max(scene.frame_end, clip.frame_end - 1)


def remember_strip(keys: bpy.types.Key, scene: bpy.types.Scene, clip: Clip) -> None:
    """Note on shape keys which strip their action belongs to, for `follow_strips`."""
    keys[STRIP_PROPERTY] = clip.strip_name
    keys[SCENE_PROPERTY] = scene
    keys[CONTENT_START_PROPERTY] = clip.frame_zero - clip.content_offset


@persistent
def follow_strips(_scene: bpy.types.Scene, *_arguments) -> None:
    """Handler: when a sound strip was moved, move the keys of its shape keys' evaluation time as far."""
    for keys in bpy.data.shape_keys:
        name, scene = keys.get(STRIP_PROPERTY), keys.get(SCENE_PROPERTY)
        if name is None or scene is None or scene.sequence_editor is None:
            continue
        strip = scene.sequence_editor.strips_all.get(name)
        moved = compat.content_start(strip) - keys[CONTENT_START_PROPERTY] if strip else 0.0
        if abs(moved) < 1e-3:
            continue
        keys[CONTENT_START_PROPERTY] += moved
        for point in compat.evaluation_time_curve(keys).keyframe_points:
            point.co.x += moved
            point.handle_left.x += moved
            point.handle_right.x += moved


def drive_from_strip(
    owner: bpy.types.bpy_struct, path: str, scene: bpy.types.Scene, clip: Clip, offset: float
) -> None:
    """Drive a property with the frame at which the strip's content begins plus `offset`, so it follows the strip."""
    driver = owner.driver_add(path).driver
    name = bpy.utils.escape_identifier(clip.strip_name)
    data_path = f'sequence_editor.strips_all["{name}"].{compat.content_start_path()}'
    _add_variable(driver, "start", scene, data_path)
    driver.expression = f"start + {offset:.6f}"


def drive_from_frame_rate(
    owner: bpy.types.bpy_struct, path: str, scene: bpy.types.Scene, frames_per_second: float
) -> None:
    """Drive a property with `frames_per_second` over the scene's own rate."""
    driver = owner.driver_add(path).driver
    _add_variable(driver, "rate", scene, "render.fps")
    _add_variable(driver, "base", scene, "render.fps_base")
    driver.expression = f"{frames_per_second:.6f} * base / rate"


def _add_variable(driver: bpy.types.Driver, name: str, scene: bpy.types.Scene, path: str) -> None:
    variable = driver.variables.new()
    variable.name = name
    target = variable.targets[0]
    target.id_type = "SCENE"
    target.id = scene
    target.data_path = path
