"""Playing what was made in time with its sound, with and without the extension.

It is driven by the link to its strip in the scene in which it is seen, so that a copy of a scene follows its own strip.
A scene that has no such link (the head was linked into it) plays it as it was heard when last looked at. The drivers
are simple expressions, which Blender computes itself: they work without the extension and where scripts are not allowed
to run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import bpy

from .. import compat
from .strip import Clip
from .strip_link import STRIP_PROPERTY, VALUES, connect, linked_name, links, values

# Scene frame at which a moment of the sound file is heard, see `strip.clip_of`; {} is its time in seconds.
FRAME_OF_FILE_TIME = "start + (delay + {:.6f}) * fps / base"
FACTORY_RANGE = (1, 250)  # of a new scene's frames


@dataclass(frozen=True)
class PlaybackSettings:
    """How a scene plays: to be put back."""

    use_audio_scrub: bool
    sync_mode: str
    frame_end: int

    @classmethod
    def of(cls, scene: bpy.types.Scene) -> PlaybackSettings:
        """As it is now."""
        return cls(scene.use_audio_scrub, scene.sync_mode, scene.frame_end)

    def put_back(self, scene: bpy.types.Scene) -> None:
        """As it was then."""
        scene.use_audio_scrub, scene.sync_mode, scene.frame_end = self.use_audio_scrub, self.sync_mode, self.frame_end


def set_up_audio(scene: bpy.types.Scene, clip: Clip) -> None:
    """Let playback follow the sound, make scrubbing audible and end with the clip.

    Only the range of a scene that nobody has changed is shortened: to the end of its last strip.
    """
    scene.use_audio_scrub = True
    scene.sync_mode = "AUDIO_SYNC"
    last = clip.frame_end - 1
    untouched = (scene.frame_start, scene.frame_end) == FACTORY_RANGE and not _is_animated(scene)
    if untouched and scene.sequence_editor is not None:
        scene.frame_end = max([last, *(compat.handles(strip)[1] - 1 for strip in scene.sequence_editor.strips_all)])
    else:
        scene.frame_end = max(scene.frame_end, last)


def _is_animated(scene: bpy.types.Scene) -> bool:
    """Whether something of the artist moves in the scene."""
    moved = (item.animation_data for item in scene.objects if STRIP_PROPERTY not in item)
    return any(data is not None and (data.action is not None or data.nla_tracks) for data in moved)


def drive(
    owner: bpy.types.bpy_struct, path: str, scene: bpy.types.Scene, strip_name: str, expression: str
) -> bpy.types.FCurve:
    """Drive a property of `owner` by an expression of the strip and the scene's rate; returns the driver's curve.

    expression: may use `frame` and start (frames), delay (seconds), left, right (handles), mute, fps and base.
    """
    key, heard = connect(scene, strip_name), values(scene, strip_name)
    paths = {name: f'["{key}"][{index}]' for index, name in enumerate(VALUES) if name}
    paths |= {"fps": "render.fps", "base": "render.fps_base"}
    curve = owner.driver_add(path)
    for name in sorted(paths.keys() & set(re.findall(r"[a-z]+", expression))):
        variable = curve.driver.variables.new()
        variable.name, variable.type = name, "CONTEXT_PROP"
        target = variable.targets[0]
        target.context_property, target.data_path = "ACTIVE_SCENE", paths[name]
        if name in VALUES:
            target.use_fallback_value, target.fallback_value = True, heard.get(name, 0.0)
    curve.driver.expression = expression
    return curve


_SEEN: dict[tuple[int, str], dict[str, float]] = {}  # by scene and link: what was last written into drivers


def keep_for_other_scenes(scene: bpy.types.Scene) -> None:
    """Have scenes without the links of this one play its heads as they are heard now."""
    for key in links(scene):
        heard, seen = values(scene, linked_name(scene, key)), (scene.session_uid, key)
        if heard and heard != _SEEN.get(seen):
            _SEEN[seen] = heard
            _write_fallbacks(key, heard)


def _write_fallbacks(key: str, heard: dict[str, float]) -> None:
    by_path = {f'["{key}"][{index}]': heard[name] for index, name in enumerate(VALUES) if name in heard}
    for owner in (*bpy.data.shape_keys, *bpy.data.node_groups, *bpy.data.cache_files):
        drivers = owner.animation_data.drivers if owner.library is None and owner.animation_data else ()
        for target in (variable.targets[0] for curve in drivers for variable in curve.driver.variables):
            if target.data_path in by_path and target.use_fallback_value:
                target.fallback_value = by_path[target.data_path]
