"""Curves follow their strip: moved with it, and at rest where it is not heard any more.

Keys that an artist can edit cannot be driven, so this needs the extension; what it has done stays in the file.
"""

from __future__ import annotations

import bpy
import numpy as np
from bpy.app.handlers import persistent

from ..sound import strip as sound_strip
from ..sound.strip_link import SCENE_PROPERTY, STRIP_PROPERTY
from . import curve_action, silenced_curves
from .curve_action import AUDIO_START_PROPERTY, FRAME_ZERO_PROPERTY, RATE_PROPERTY


@persistent
def follow_strips(*_arguments) -> None:
    """Handler: see above, for all curves of the file."""
    for action in bpy.data.actions:
        if AUDIO_START_PROPERTY in action and action.library is None:
            scene = action.get(SCENE_PROPERTY)
            strip = sound_strip.find_strip(scene, action[STRIP_PROPERTY]) if scene is not None else None
            if strip is not None:
                _follow(action, strip)


def _follow(action: bpy.types.Action, strip: bpy.types.SoundStrip) -> None:
    rate = sound_strip.frames_per_second(strip.id_data)
    zero = sound_strip.frame_of_audio(strip, action[AUDIO_START_PROPERTY])
    before = action[FRAME_ZERO_PROPERTY], action[RATE_PROPERTY]
    if abs(zero - before[0]) > 1e-3 or abs(rate - before[1]) > 1e-6:
        _retime(action, before, (zero, rate))
        action[FRAME_ZERO_PROPERTY], action[RATE_PROPERTY] = zero, rate
        action.pop(silenced_curves.SILENCED_PROPERTY, None)
    silenced_curves.update(action, strip)


def _retime(action: bpy.types.Action, before: tuple[float, float], after: tuple[float, float]) -> None:
    """Move keys from (frame of the take's start, frames per second) to another such pair."""

    def later(frame):
        return after[0] + (frame - before[0]) * (after[1] / before[1])

    for slot in action.slots:
        for curve in curve_action.curves_of(action, slot):
            points = curve.keyframe_points
            for name in ("co", "handle_left", "handle_right"):
                values = np.empty(2 * len(points), np.float32)
                points.foreach_get(name, values)
                values[::2] = later(values[::2])
                points.foreach_set(name, values)
            curve.update()
    for owner in curve_action.owners():
        data = owner.animation_data
        for strip in [strip for track in data.nla_tracks for strip in track.strips] if data else []:
            if strip.action == action:
                start, end = later(strip.frame_start), later(strip.frame_end)
                curve_action.set_action_range(strip, *curve_action.slot_range(action, strip.action_slot))
                strip.frame_start, strip.frame_end = start, end
