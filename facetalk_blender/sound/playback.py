"""Playing what was made in time with its sound, with and without the extension.

It is driven by the link to its strip and by its scene. The drivers are simple expressions, which Blender computes
itself: they work without the extension and where scripts are not allowed to run.
"""

from __future__ import annotations

import re

import bpy

from .. import compat
from .strip import Clip
from .strip_link import add_variable, connect

# Scene frame at which a moment of the sound file is heard, see `strip.clip_of`; {} is its time in seconds.
FRAME_OF_FILE_TIME = "start - trim + (delay + {:.6f}) * fps / base"


def set_up_audio(scene: bpy.types.Scene, clip: Clip) -> None:
    """Let playback follow the sound, make scrubbing audible and reach the clip's end; nothing is shortened."""
    scene.use_audio_scrub = True
    scene.sync_mode = "AUDIO_SYNC"
    scene.frame_end = max(scene.frame_end, clip.frame_end - 1)


def drive(
    owner: bpy.types.bpy_struct, path: str, scene: bpy.types.Scene, strip_name: str, expression: str, **own: str
) -> None:
    """Drive a property of `owner` by an expression of the strip and the scene's rate.

    expression: may use `frame` and start, trim (frames), delay (seconds), left, right (handles), mute, fps and base.
    own: further names that it uses, with their paths on `owner`.
    """
    key = connect(scene, strip_name)
    paths = {name: f'["{key}"][{index}]' for index, name in enumerate(compat.strip_timing_paths())}
    paths |= {"fps": "render.fps", "base": "render.fps_base"}
    driver = owner.driver_add(path).driver
    for name in sorted(paths.keys() & set(re.findall(r"[a-z]+", expression))):
        add_variable(driver, name, scene, paths[name])
    for name, own_path in own.items():
        add_variable(driver, name, owner, own_path)
    driver.expression = expression
