"""The values that shape keys, bones and properties had before curves came, held wherever no track plays.

Blender's nonlinear animation gives what no strip moves its default value, which is 1.0 for shape keys from 5.0 on. A
track below those of this extension holds the earlier values instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import bpy

REST_PROPERTY = "facetalk_rest"  # values before, as JSON: on their owner, and by slot on the action that moves it
BASE_PROPERTY = "facetalk_base"  # on the action that holds these values
TRACK_NAME = "FaceTalk Rest"
Place = tuple[str, int]  # data path seen from the owner, and index in an array or 0


def value_path(key: str) -> str:
    """Data path of a shape key's value, seen from its shape keys."""
    return f'key_blocks["{bpy.utils.escape_identifier(key)}"].value'


def remember(
    owner: bpy.types.ID, action: bpy.types.Action, slot: bpy.types.ActionSlot, places: Iterable[Place]
) -> None:
    """Note the values of now, once, and those of places that were added since.

    On the action too: what an override of a library has beside its own properties is not saved.
    """
    if isinstance(owner, bpy.types.Key):
        places = [(value_path(block.name), 0) for block in owner.key_blocks]
    notes = noted(owner) | {_label(owner, place): rest_value(owner, place) for place in places}
    owner[REST_PROPERTY] = json.dumps(notes)
    by_slot = json.loads(action.get(REST_PROPERTY, "{}")) | {str(slot.handle): notes}
    action[REST_PROPERTY] = json.dumps(by_slot)


def noted(owner: bpy.types.ID) -> dict[str, float]:
    """The values before, by the names of shape keys or by places."""
    if REST_PROPERTY in owner:
        return json.loads(owner[REST_PROPERTY])
    for action, slot in _used(owner.animation_data):
        notes = json.loads(action.get(REST_PROPERTY, "{}")).get(str(slot.handle))
        if notes:
            return notes
    return {}


def _used(data: bpy.types.AnimData | None) -> Iterator[tuple[bpy.types.Action, bpy.types.ActionSlot]]:
    if data is not None:
        pairs = [(data.action, data.action_slot)]
        pairs += [(strip.action, strip.action_slot) for track in data.nla_tracks for strip in track.strips]
        yield from ((action, slot) for action, slot in pairs if action is not None and slot is not None)


def _label(owner: bpy.types.ID, place: Place) -> str:
    if isinstance(owner, bpy.types.Key):
        return next((block.name for block in owner.key_blocks if value_path(block.name) == place[0]), place[0])
    return f"{place[0]}|{place[1]}"


def rest_value(owner: bpy.types.ID, place: Place) -> float:
    """What a place is by itself: as noted, else as it is now."""
    value = noted(owner).get(_label(owner, place))
    return value_of(owner, place) if value is None else value


def rest_values(keys: bpy.types.Key) -> dict[str, float]:
    """What every shape key of a mesh is by itself."""
    return {block.name: block.value for block in keys.key_blocks} | noted(keys)


def value_of(owner: bpy.types.ID, place: Place) -> float:
    """The value of a place now."""
    value = owner.path_resolve(place[0])
    return float(value if isinstance(value, (int, float)) else value[place[1]])


def exists(owner: bpy.types.ID, place: Place) -> bool:
    """Whether the owner still has it."""
    try:
        value_of(owner, place)
    except (ValueError, IndexError, TypeError):
        return False
    return True


def restore(owner: bpy.types.ID, notes: dict[str, float]) -> None:
    """Give noted values back."""
    for label, value in notes.items():
        if isinstance(owner, bpy.types.Key):
            if label in owner.key_blocks:
                owner.key_blocks[label].value = value
        else:
            path, _, index = label.rpartition("|")
            if exists(owner, (path, int(index))):
                set_value(owner, (path, int(index)), value)


def set_value(owner: bpy.types.ID, place: Place, value: float) -> None:
    """Give a place a value."""
    path, index = place
    found = owner.path_resolve(path)
    if not isinstance(found, (int, float)):
        found[index] = value
        return
    value = round(value) if isinstance(found, int) else value
    if path.endswith('"]'):
        holder, name = parted_path(owner, path)
        holder[name] = value
    else:
        before, _, name = path.rpartition(".")
        setattr(owner.path_resolve(before) if before else owner, name, value)


def parted_path(owner: bpy.types.ID, path: str) -> tuple[bpy.types.bpy_struct, str]:
    """What holds a custom property, and its name, from its data path."""
    at = path.rindex('["')
    return owner.path_resolve(path[:at]) if at else owner, bpy.utils.unescape_identifier(path[at + 2 : -2])


def is_base(action: bpy.types.Action | None) -> bool:
    """Whether an action only holds values."""
    return action is not None and BASE_PROPERTY in action


def base_track(data: bpy.types.AnimData) -> bpy.types.NlaTrack | None:
    """The track that holds the values."""
    return next((track for track in data.nla_tracks if any(is_base(strip.action) for strip in track.strips)), None)


def add(owner: bpy.types.ID) -> bpy.types.NlaTrack:
    """Add an empty base on top of the tracks that there are; later ones come above it."""
    action = bpy.data.actions.new(TRACK_NAME)
    action[BASE_PROPERTY] = True
    slot = action.slots.new(id_type=owner.id_type, name=owner.name)
    action.layers.new("Layer").strips.new(type="KEYFRAME").channelbag(slot, ensure=True)
    track = owner.animation_data.nla_tracks.new()
    track.name = TRACK_NAME
    strip = track.strips.new(TRACK_NAME, 0, action)
    strip.action_slot, strip.extrapolation = slot, "HOLD"
    return track


def fill(owner: bpy.types.ID, places: set[Place], mute: bool) -> None:
    """Let the base hold the noted values of some places, and of no others."""
    track = base_track(owner.animation_data)
    (strip,) = track.strips
    track.mute = mute
    curves = strip.action.layers[0].strips[0].channelbag(strip.action_slot).fcurves
    for place in places - {(curve.data_path, curve.array_index) for curve in curves}:
        curves.new(place[0], index=place[1]).keyframe_points.insert(0, rest_value(owner, place))
    for curve in [curve for curve in curves if (curve.data_path, curve.array_index) not in places]:
        curves.remove(curve)


def remove(data: bpy.types.AnimData) -> None:
    """Take the base away."""
    track = base_track(data)
    if track is not None:
        action = track.strips[0].action
        data.nla_tracks.remove(track)
        if not action.users:
            bpy.data.actions.remove(action)
