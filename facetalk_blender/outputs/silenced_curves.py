"""Curves rest where their strip is not heard any more: it was trimmed, muted, or lies in a meta strip that was.

Keys stay as they are. Limits on the curves lead them to the values at rest, also in a Blender without this extension;
an artist sees them among the curve's modifiers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import bpy

from ..sound import audibility
from . import curve_action, rest_track

SILENCED_PROPERTY = "facetalk_silenced"  # on the action: first frame heard, the frame after the last, whether none is
MODIFIER_NAME = "FaceTalk Silence"  # and what makes it unique on its curve
FAR = 1048574.0  # Blender's last frame


def update(action: bpy.types.Action, strip: bpy.types.SoundStrip) -> None:
    """Let the curves of an action rest where its strip is not heard."""
    start, end = audibility.heard_frames(strip)
    silent = start >= end or audibility.is_muted(strip)
    state = [float(start), float(end), float(silent)]
    if list(action.get(SILENCED_PROPERTY, ())) == state:
        return
    action[SILENCED_PROPERTY] = state
    rest_frames = curve_action.rest_frames(action[curve_action.RATE_PROPERTY])
    spoken = _spoken_frames(action, rest_frames)
    for curve, rest in _curves(action) if spoken else ():
        for modifier in [item for item in curve.modifiers if item.name.startswith(MODIFIER_NAME)]:
            curve.modifiers.remove(modifier)
        if silent:
            _limit(curve, rest, -FAR, FAR)
        else:
            if start > spoken[0]:
                _limit(curve, rest, -FAR, start, blend_out=rest_frames)
            if end < spoken[1]:
                _limit(curve, rest, end - 1, FAR, blend_in=rest_frames)
        curve.update()
    action.update_tag()


def _spoken_frames(action: bpy.types.Action, rest_frames: int) -> tuple[float, float] | None:
    """First frame that the curves speak and the frame after the last; None of empty curves."""
    ranges = [curve.range() for curve, _ in _curves(action) if len(curve.keyframe_points)]
    if not ranges:
        return None
    first, last = min(start for start, _ in ranges), max(end for _, end in ranges)
    return first + rest_frames, last - rest_frames + 1


def _curves(action: bpy.types.Action) -> Iterator[tuple[bpy.types.FCurve, float]]:
    """The curves that were made for the strip, with their values at rest; what an artist has added is left alone."""
    links = json.loads(action.get(curve_action.LINKS_PROPERTY, "{}"))
    done = set()
    for owner, slot in curve_action.moved(action):
        keys = {rest_track.value_path(key) for key, *_ in links.get(str(slot.handle), ())}
        if slot.handle not in done:
            done.add(slot.handle)
            for curve in curve_action.curves_of(action, slot):
                place = curve.data_path, curve.array_index
                if rest_track.exists(owner, place) and (not keys or curve.data_path in keys):
                    yield curve, rest_track.rest_value(owner, place)


def _limit(
    curve: bpy.types.FCurve, value: float, start: float, end: float, blend_in: float = 0.0, blend_out: float = 0.0
) -> None:
    """Hold a curve at a value from one frame to another, with so many frames of transition inside."""
    limits = curve.modifiers.new("LIMITS")
    limits.name = MODIFIER_NAME
    limits.use_min_y = limits.use_max_y = True
    limits.min_y = limits.max_y = value
    limits.use_restricted_range = True
    # Neither of the two may pass the other on the way.
    limits.frame_start, limits.frame_end = -FAR, FAR
    limits.frame_start, limits.frame_end = start, end
    limits.blend_in, limits.blend_out = blend_in, blend_out
