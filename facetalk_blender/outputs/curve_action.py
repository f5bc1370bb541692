"""The action that moves a character: one for each take, with a slot for each mesh, armature or owner of properties.

It is recognised by its custom properties. Where one of these is animated already, the action comes as a track of its
own into its nonlinear animation, and what the artist made stays as it is. The curves of takes that are not shown wait
in muted tracks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np

from ..retargeting import reduction
from ..sound.strip import Clip
from ..sound.strip_link import LINK_PROPERTY, SCENE_PROPERTY, STRIP_PROPERTY, connect
from ..takes.take import TAKE_PROPERTY
from . import rest_track
from .rest_track import Place

# On the action: the moment of the sound file at which the take begins, seconds; that moment's frame; the scene's rate.
AUDIO_START_PROPERTY = "facetalk_audio_start"
FRAME_ZERO_PROPERTY = "facetalk_frame_zero"
RATE_PROPERTY = "facetalk_rate"
LINKS_PROPERTY = "facetalk_links"  # on the action: channel and gain of each key of each slot's handle, as JSON
ON_TARGETS_PROPERTY = "facetalk_on_targets"  # on an action: it moves meshes of the artist
PARKED_PROPERTY = "facetalk_parked"  # on such an action: another take of its strip is shown
REST_SECONDS = 0.15  # within which the keys come from and go to their values outside the clip


def name_for(text: bpy.types.Text) -> str:
    """What the action of a take is called."""
    return f"FaceTalk {text.name} Curves"


def new_action(scene: bpy.types.Scene, clip: Clip, text: bpy.types.Text) -> bpy.types.Action:
    """An empty action that knows its strip and its take."""
    action = bpy.data.actions.new(name_for(text))
    action.layers.new("Layer").strips.new(type="KEYFRAME")
    action[STRIP_PROPERTY], action[TAKE_PROPERTY] = clip.strip_name, text
    action[SCENE_PROPERTY], action[LINK_PROPERTY] = scene, connect(scene, clip.strip_name)
    action[AUDIO_START_PROPERTY] = clip.audio_start
    action[FRAME_ZERO_PROPERTY] = clip.frame_zero
    action[RATE_PROPERTY] = clip.frames_per_second
    return action


def new_curves(action: bpy.types.Action, slot: bpy.types.ActionSlot) -> bpy.types.bpy_prop_collection:
    """Where the curves of a slot of a new action are added."""
    return action.layers[0].strips[0].channelbag(slot, ensure=True).fcurves


def curves_of(action: bpy.types.Action, slot: bpy.types.ActionSlot) -> list[bpy.types.FCurve]:
    """The curves of a slot of any action."""
    strips = [strip for layer in action.layers for strip in layer.strips]
    bags = [bag for strip in strips if (bag := strip.channelbag(slot)) is not None]
    return [curve for bag in bags for curve in bag.fcurves]


def rest_frames(frames_per_second: float) -> int:
    """How many frames keys take from and to their values outside the clip."""
    return max(int(REST_SECONDS * frames_per_second + 1e-6), 1)


def with_rest(values: np.ndarray, rest: float, frames: int) -> np.ndarray:
    """Values (F,) with `frames` more at either side, (F + 2 frames,), that come smoothly from a value and go to it."""
    part = np.arange(frames) / frames
    part = part * part * (3 - 2 * part)
    return np.concatenate([rest + part * (values[0] - rest), values, rest + part[::-1] * (values[-1] - rest)])


@dataclass(frozen=True)
class CurveKeys:
    """Keys of a curve: frames (K,) from its first one on, values (K,), slopes (K,) per frame; None makes it linear."""

    frames: np.ndarray
    values: np.ndarray
    slopes: np.ndarray | None


def fitted(values: np.ndarray, tolerance: float | None) -> CurveKeys:
    """Keys for values (F,) at successive frames. NumPy only: any thread may call it, and for minutes one should.

    tolerance: the largest error of the fewer keys, or None for a key at every frame.
    """
    if tolerance is None:
        return CurveKeys(np.arange(len(values)), values, None)
    keys = reduction.key_frames(values, tolerance)
    return CurveKeys(keys, values[keys], reduction.key_slopes(values)[keys])


def write_curve(curves: bpy.types.bpy_prop_collection, place: Place, keys: CurveKeys, first_frame: int) -> None:
    """Add the curve of a place, whose frames count from first_frame."""
    count, dense = len(keys.frames), keys.slopes is None
    points = curves.new(place[0], index=place[1]).keyframe_points
    points.add(count)
    at = np.column_stack([keys.frames + first_frame, keys.values])  # (K, 2)
    points.foreach_set("co", at.astype(np.float32).ravel())
    points.foreach_set("interpolation", _enumeration("interpolation", "LINEAR" if dense else "BEZIER", count))
    if not dense and count > 1:
        # Handles of a third of the gap make time linear along the curve, hence the cubic that was fitted.
        thirds = np.diff(keys.frames) / 3
        for side, gap in (("left", -np.append(thirds[:1], thirds)), ("right", np.append(thirds, thirds[-1:]))):
            handles = at + np.column_stack([gap, gap * keys.slopes])
            points.foreach_set(f"handle_{side}_type", _enumeration("handle_left_type", "ALIGNED", count))
            points.foreach_set(f"handle_{side}", handles.astype(np.float32).ravel())


def _enumeration(name: str, value: str, count: int) -> list[int]:
    return [bpy.types.Keyframe.bl_rna.properties[name].enum_items[value].value] * count


def attach(owner: bpy.types.ID, action: bpy.types.Action, slot: bpy.types.ActionSlot) -> None:
    """Let the action move shape keys, bones or properties: as their action when nothing else does, else as a track."""
    places = [(curve.data_path, curve.array_index) for curve in curves_of(action, slot)]
    rest_track.remember(owner, action, slot, places)
    data = owner.animation_data_create()
    if _is_alone(data, action):
        data.action, data.action_slot = action, slot
    else:
        _push_down_own(owner)
        _add_track(owner, action, slot)
    _hold_rest(owner)


def _is_alone(data: bpy.types.AnimData, action: bpy.types.Action) -> bool:
    """Whether nothing else would move the keys."""
    others = (strip.action for track in data.nla_tracks for strip in track.strips if strip.action != action)
    others = [other for other in others if not rest_track.is_base(other)]
    return data.action is None and all(other is not None and PARKED_PROPERTY in other for other in others)


def _push_down_own(owner: bpy.types.ID) -> None:
    """Make an action of this extension a track: as the action, it would hold its last values over another's."""
    data = owner.animation_data
    if data.action is not None and STRIP_PROPERTY in data.action:
        earlier, slot = data.action, data.action_slot
        data.action = None
        _add_track(owner, earlier, slot)


def _add_track(owner: bpy.types.ID, action: bpy.types.Action, slot: bpy.types.ActionSlot) -> None:
    data = owner.animation_data
    if data.nla_tracks and rest_track.base_track(data) is None:
        rest_track.add(owner)
        for earlier in [track for track in data.nla_tracks if _is_own(track)]:
            # The base has to lie below it, but tracks are only added on top.
            strip, mute = earlier.strips[0], earlier.mute
            used = strip.action, strip.action_slot
            data.nla_tracks.remove(earlier)
            _new_track(data, *used).mute = mute
    _new_track(data, action, slot)


def _new_track(data: bpy.types.AnimData, action: bpy.types.Action, slot: bpy.types.ActionSlot) -> bpy.types.NlaTrack:
    track = data.nla_tracks.new()
    track.name = action.name
    start, end = slot_range(action, slot)
    strip = track.strips.new(action.name, round(start), action)
    strip.action_slot = slot
    set_action_range(strip, start, end)
    strip.frame_start, strip.frame_end = start, end
    return track


def set_action_range(strip: bpy.types.NlaStrip, start: float, end: float) -> None:
    """Which part of its action a strip plays. Blender keeps either end within the other at every moment."""
    strip.action_frame_start = min(start, strip.action_frame_start)
    strip.action_frame_end = end
    strip.action_frame_start = start


def _is_own(track: bpy.types.NlaTrack) -> bool:
    return any(strip.action is not None and STRIP_PROPERTY in strip.action for strip in track.strips)


def _hold_rest(owner: bpy.types.ID) -> None:
    """See to it that outside the strips of this extension the keys are what they were before.

    A track that is alone holds its ends, which are these values; below several, or those of the artist, lies a base.
    """
    data = owner.animation_data
    own = [track for track in data.nla_tracks if _is_own(track)]
    based = rest_track.base_track(data) is not None
    for strip in (strip for track in own for strip in track.strips):
        strip.extrapolation = "NOTHING" if based else "HOLD"
        # Lines that follow each other closely overlap by their rests: they blend there.
        length = min(rest_frames(strip.action[RATE_PROPERTY]), (strip.frame_end - strip.frame_start) / 2)
        strip.blend_in = strip.blend_out = length if based else 0.0
    if not own:
        rest_track.remove(data)
    elif based:
        rest_track.fill(owner, _held_places(owner, own), mute=all(track.mute for track in own))


def _held_places(owner: bpy.types.ID, own: list[bpy.types.NlaTrack]) -> set[Place]:
    """What tracks of this extension move and none of the artist does: in the gaps of those nothing may change."""
    moved: dict[bool, set[Place]] = {True: set(), False: set()}
    for track in owner.animation_data.nla_tracks:
        for strip in track.strips:
            known = strip.action is not None and strip.action_slot is not None and not rest_track.is_base(strip.action)
            if known and (track in own or not track.mute):
                found = curves_of(strip.action, strip.action_slot)
                moved[track in own].update((curve.data_path, curve.array_index) for curve in found)
    return {place for place in moved[True] - moved[False] if rest_track.exists(owner, place)}


def slot_range(action: bpy.types.Action, slot: bpy.types.ActionSlot) -> tuple[float, float]:
    """First and last keyed frame of a slot."""
    ranges = [curve.range() for curve in curves_of(action, slot)]
    return min(start for start, _ in ranges), max(end for _, end in ranges)


def uses(owner: bpy.types.ID) -> Iterator[tuple[bpy.types.Action, bpy.types.ActionSlot]]:
    """Actions of this extension that move something, each with its slot."""
    data = owner.animation_data
    if data is None:
        return
    if data.action is not None and STRIP_PROPERTY in data.action:
        yield data.action, data.action_slot
    for track in data.nla_tracks:
        for strip in track.strips:
            if strip.action is not None and STRIP_PROPERTY in strip.action:
                yield strip.action, strip.action_slot


def actions_of(scene: bpy.types.Scene, strip_name: str) -> list[bpy.types.Action]:
    """The actions made for a sound strip."""
    found = (item for item in bpy.data.actions if item.get(STRIP_PROPERTY) == strip_name)
    return [item for item in found if item.get(SCENE_PROPERTY) == scene]


def shown_actions_of(scene: bpy.types.Scene, strip_name: str) -> list[bpy.types.Action]:
    """Those that are not parked."""
    return [action for action in actions_of(scene, strip_name) if PARKED_PROPERTY not in action]


def actions_of_take(scene: bpy.types.Scene, text: bpy.types.Text) -> list[bpy.types.Action]:
    """The actions that were made of a take for meshes of the artist."""
    made = (action for action in actions_of(scene, text[STRIP_PROPERTY]) if ON_TARGETS_PROPERTY in action)
    return [action for action in made if action.get(TAKE_PROPERTY) == text]


def show_take(scene: bpy.types.Scene, text: bpy.types.Text) -> None:
    """Let the curves of a take move the artist's meshes, and those of the strip's other takes rest."""
    shown = actions_of_take(scene, text)
    for action in actions_of(scene, text[STRIP_PROPERTY]):
        if ON_TARGETS_PROPERTY in action and action not in shown:
            park(action)
    for action in shown:
        _unpark(action)


def park(action: bpy.types.Action) -> None:
    """Keep an action for later in a muted track of every mesh that it moves."""
    action[PARKED_PROPERTY] = True
    for owner, slot in moved(action):
        data = owner.animation_data
        if data.action == action:
            data.action = None
            _add_track(owner, action, slot)
        _set_mute(data, action, True)
        _hold_rest(owner)
        if all(PARKED_PROPERTY in used for used, _ in uses(owner)):
            rest_track.restore(owner, rest_track.noted(owner))


def _unpark(action: bpy.types.Action) -> None:
    action.pop(PARKED_PROPERTY, None)
    for owner, slot in moved(action):
        data = owner.animation_data
        if _is_alone(data, action):
            _remove_tracks(data, action)
            data.action, data.action_slot = action, slot
        elif data.action != action:
            _push_down_own(owner)
            _set_mute(data, action, False)
        _hold_rest(owner)


def owners() -> Iterator[bpy.types.ID]:
    """All that an action can move: shape keys, and what holds bones and properties."""
    yield from bpy.data.shape_keys
    yield from bpy.data.objects
    yield from bpy.data.armatures


def moved(action: bpy.types.Action) -> list[tuple[bpy.types.ID, bpy.types.ActionSlot]]:
    """What an action moves, or would if it were not parked, each with its slot."""
    return [(owner, slot) for owner in owners() for used, slot in uses(owner) if used == action]


def exchange(owner: bpy.types.ID, action: bpy.types.Action, copy: bpy.types.Action) -> None:
    """Have a copy of an action move its owner instead."""
    data = owner.animation_data
    holders = [data, *(strip for track in data.nla_tracks for strip in track.strips)]
    for holder in [holder for holder in holders if holder.action == action != copy]:
        handle = holder.action_slot.handle
        holder.action = copy
        holder.action_slot = next(slot for slot in copy.slots if slot.handle == handle)


def _set_mute(data: bpy.types.AnimData, action: bpy.types.Action, mute: bool) -> None:
    for track in data.nla_tracks:
        if any(strip.action == action for strip in track.strips):
            track.mute = mute


def _remove_tracks(data: bpy.types.AnimData, action: bpy.types.Action) -> None:
    for track in list(data.nla_tracks):
        for strip in [strip for strip in track.strips if strip.action == action]:
            track.strips.remove(strip)
            if not track.strips:
                data.nla_tracks.remove(track)


def remove_action(action: bpy.types.Action) -> None:
    """Take an action away from every mesh that it moves, bring those back to where they were, and delete it."""
    for owner, _ in moved(action):
        data, notes = owner.animation_data, rest_track.noted(owner)
        if data.action == action:
            data.action = None
        _remove_tracks(data, action)
        _hold_rest(owner)
        if not any(uses(owner)):
            _restore(owner, notes)
    bpy.data.actions.remove(action)


def _restore(owner: bpy.types.ID, notes: dict[str, float]) -> None:
    rest_track.restore(owner, notes)
    owner.pop(rest_track.REST_PROPERTY, None)
    data = owner.animation_data
    if data.action is None and not data.nla_tracks and not data.drivers:
        owner.animation_data_clear()
