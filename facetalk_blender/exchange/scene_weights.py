"""The ARKit weights of what speaks a strip at every frame: those of its take, with what was edited of its curves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import bpy
import numpy as np

from ...engine.shared.arkit import ARKIT_NAMES
from ...engine.shared.errors import EngineError
from ...engine.shared.style import Style
from .. import compat
from ..outputs import curve_action
from ..outputs.rest_track import value_path
from ..retargeting.channels import channel_values, values_at
from ..retargeting.matching import match_names
from ..retargeting.names import COMBINED
from ..sound import strip as sound_strip
from ..takes import take
from ..takes.head_rotation import rotations_of

EDITED = 0.006  # of a weight: more than the curves' own tolerance


@dataclass(frozen=True)
class SceneWeights:
    """Weights (F,) 0..1 by ARKit name, and rotations (F, 9) in radians of `take.ROTATIONS`, or None."""

    weights: dict[str, np.ndarray]
    rotations: np.ndarray | None = None


@dataclass(frozen=True)
class _Curve:
    """A curve of a shape key, the channel that the key follows, and its least and largest value."""

    channel: str
    gain: float
    curve: bpy.types.FCurve
    limits: tuple[float, float]


def scene_weights(
    scene: bpy.types.Scene, strip_name: str, items: list[bpy.types.Object], text: bpy.types.Text | None = None
) -> SceneWeights:
    """What items, or without items a take alone, do at every frame of the scene.

    A curve that somebody edited counts instead of the take's weight, on whichever mesh it is and however its key is
    called. Raises EngineError when there are no weights.
    """
    frames = np.arange(scene.frame_start, scene.frame_end + 1)
    actions = curve_action.shown_actions_of(scene, strip_name)
    used = [(item, action, slot) for item in items for action, slot in _uses(item) if action in actions]
    holder = used[0][1] if used else items[0] if items else text
    strip = sound_strip.find_strip(scene, strip_name)
    start, end = compat.handles(strip) if strip is not None else (frames[0], frames[0])
    channels, rotations = _of_take(strip, holder, frames) if strip is not None else ({}, None)
    weights = {name: channels[name] for name in ARKIT_NAMES if name in channels}
    inside = (frames >= start) & (frames < end)
    for item, action, slot in used:
        for link in _curves(item, action, slot):
            weights |= _edited(link, channels.get(link.channel), frames, inside)
    if not weights:
        raise EngineError("There are no ARKit weights for this strip; export Alembic or USD instead.")
    return SceneWeights({name: np.clip(values, 0.0, 1.0) for name, values in weights.items()}, rotations)


def _uses(item: bpy.types.Object) -> Iterable[tuple[bpy.types.Action, bpy.types.ActionSlot]]:
    keys = item.data.shape_keys if item.type == "MESH" else None
    return list(curve_action.uses(keys)) if keys is not None else []


def _of_take(
    strip: bpy.types.SoundStrip, holder: bpy.types.ID, frames: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """Every channel (F,) of the take that something was made of, in the style of that; none when it cannot be read."""
    try:
        stored = take.load(holder).styled(Style(**_noted(holder, take.STYLE_PROPERTY)))
    except (EngineError, TypeError):
        return {}, None
    if stored.weights is None:
        return {}, None
    rate = sound_strip.frames_per_second(strip.id_data)
    zero = sound_strip.frame_of_audio(strip, float(stored.settings.get("audio_start", 0.0)))
    start, end = compat.handles(strip)
    resting = curve_action.rest_frames(rate)
    known = np.arange(start - resting, end + resting)

    def at_frames(columns: np.ndarray) -> list[np.ndarray]:
        shown = values_at(columns, stored.rate, (np.arange(start, end) - zero) / rate)
        return [np.interp(frames, known, curve_action.with_rest(column, 0.0, resting)) for column in shown.T]

    channels = channel_values(stored.weights, stored.weight_names, (*ARKIT_NAMES, *COMBINED))
    columns = at_frames(np.stack(list(channels.values()), axis=1))
    rotations = rotations_of(stored)
    turned = None if rotations is None else np.stack(at_frames(rotations), axis=1)
    return {name: np.clip(column, 0.0, 1.0) for name, column in zip(channels, columns, strict=True)}, turned


def _curves(item: bpy.types.Object, action: bpy.types.Action, slot: bpy.types.ActionSlot) -> Iterator[_Curve]:
    blocks = item.data.shape_keys.key_blocks
    by_path = {curve.data_path: curve for curve in curve_action.curves_of(action, slot)}
    for key, channel, gain in _links(action, slot, list(blocks.keys())):
        curve = by_path.get(value_path(key))
        if curve is not None and key in blocks and gain > 0:
            yield _Curve(channel, gain, curve, (blocks[key].slider_min, blocks[key].slider_max))


def _links(action: bpy.types.Action, slot: bpy.types.ActionSlot, keys: list[str]) -> Iterable[tuple[str, str, float]]:
    """Key, channel and gain: as the curves were made, or by the keys' names where that was not noted."""
    noted = _noted(action, curve_action.LINKS_PROPERTY).get(str(slot.handle))
    try:
        return [(str(key), str(channel), float(gain)) for key, channel, gain in noted]
    except (TypeError, ValueError):
        return [(key, match.channel, 1.0) for key, match in match_names([keys]).items()]


def _noted(holder: bpy.types.ID, name: str) -> dict:
    try:
        return dict(json.loads(holder.get(name, "{}")))
    except (ValueError, TypeError):
        return {}


def _edited(link: _Curve, of_take: np.ndarray | None, frames: np.ndarray, inside: np.ndarray) -> dict[str, np.ndarray]:
    """Weights that a curve says instead of the take's; none when it says the same."""
    parts = [name for name, _ in COMBINED.get(link.channel, ((link.channel, 1.0),)) if name in ARKIT_NAMES]
    shown = np.array([link.curve.evaluate(frame) for frame in frames])
    if of_take is not None:
        expected = np.clip(of_take * link.gain, *link.limits)
        if not (np.abs(shown - expected)[inside] > EDITED).any():
            return {}
    return dict.fromkeys(parts, shown / link.gain)
