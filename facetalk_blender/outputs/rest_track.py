"""The values that shape keys had before curves came, held wherever no track plays.

Blender's nonlinear animation gives a key that no strip moves its default value, which is 1.0 from 5.0 on. A track below
those of this extension holds the earlier values instead.
"""

from __future__ import annotations

import json

import bpy

REST_PROPERTY = "facetalk_rest"  # on shape keys: their values before, as JSON
BASE_PROPERTY = "facetalk_base"  # on the action that holds these values
TRACK_NAME = "FaceTalk Rest"


def remember(keys: bpy.types.Key) -> None:
    """Note the values of now, once, and those of keys that were added since."""
    keys[REST_PROPERTY] = json.dumps(rest_values(keys))


def rest_values(keys: bpy.types.Key) -> dict[str, float]:
    """What every shape key of a mesh is by itself: as noted, else as it is now."""
    return {block.name: block.value for block in keys.key_blocks} | json.loads(keys.get(REST_PROPERTY, "{}"))


def restore(keys: bpy.types.Key) -> None:
    """Give the keys the noted values."""
    for name, value in json.loads(keys.get(REST_PROPERTY, "{}")).items():
        if name in keys.key_blocks:
            keys.key_blocks[name].value = value


def is_base(action: bpy.types.Action | None) -> bool:
    """Whether an action only holds values."""
    return action is not None and BASE_PROPERTY in action


def base_track(data: bpy.types.AnimData) -> bpy.types.NlaTrack | None:
    """The track that holds the values."""
    return next((track for track in data.nla_tracks if any(is_base(strip.action) for strip in track.strips)), None)


def add(keys: bpy.types.Key) -> bpy.types.NlaTrack:
    """Add an empty base on top of the tracks that there are; later ones come above it."""
    action = bpy.data.actions.new(TRACK_NAME)
    action[BASE_PROPERTY] = True
    slot = action.slots.new(id_type="KEY", name=keys.name)
    action.layers.new("Layer").strips.new(type="KEYFRAME").channelbag(slot, ensure=True)
    track = keys.animation_data.nla_tracks.new()
    track.name = TRACK_NAME
    strip = track.strips.new(TRACK_NAME, 0, action)
    strip.action_slot, strip.extrapolation = slot, "HOLD"
    return track


def fill(keys: bpy.types.Key, paths: dict[str, str], mute: bool) -> None:
    """Let the base hold the noted values of some keys. paths: data path of the value, and key, by path."""
    track, values = base_track(keys.animation_data), rest_values(keys)
    (strip,) = track.strips
    track.mute = mute
    curves = strip.action.layers[0].strips[0].channelbag(strip.action_slot).fcurves
    for path in paths.keys() - {curve.data_path for curve in curves}:
        curves.new(path).keyframe_points.insert(0, values[paths[path]])
    for curve in [curve for curve in curves if curve.data_path not in paths]:
        curves.remove(curve)


def remove(data: bpy.types.AnimData) -> None:
    """Take the base away."""
    track = base_track(data)
    if track is not None:
        action = track.strips[0].action
        data.nla_tracks.remove(track)
        if not action.users:
            bpy.data.actions.remove(action)
