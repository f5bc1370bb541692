"""When a sound strip is heard as Blender mixes it, and why nobody hears it."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from .. import compat

VOLUMES_LOOKED_AT = 500  # at most, of an animated volume


def metas_around(strip: bpy.types.Strip) -> Iterator[bpy.types.MetaStrip]:
    """The meta strips that a strip lies in, the innermost first."""
    while (meta := strip.parent_meta()) is not None:
        yield meta
        strip = meta


def heard_frames(strip: bpy.types.Strip) -> tuple[int, int]:
    """First frame at which a strip is heard and the frame after the last, which the meta strips around it limit."""
    limits = [compat.handles(part) for part in (strip, *metas_around(strip))]
    start, end = max(first for first, _ in limits), min(last for _, last in limits)
    return start, max(start, end)


def silence(strip: bpy.types.SoundStrip) -> str:
    """Why nobody hears a strip, in one sentence that names the fix; empty when it is heard."""
    scene = strip.id_data
    if not scene.use_audio:
        return f"The audio of the scene {scene.name} is muted; unmute it in the timeline's Playback menu."
    if not scene.audio_volume and not _animated(scene, "audio_volume"):
        return f"The volume of the scene {scene.name} is 0; raise it in the scene's Audio settings."
    for part in (strip, *metas_around(strip)):
        if problem := _silence_of(part):
            return problem
    start, end = heard_frames(strip)
    if start >= end:
        return f"The strip {strip.name} lies outside the handles of its meta strip; move them over it."
    if _volume_is_zero(strip, start, end):
        return f"The volume of the strip {strip.name} is 0 while it plays; raise it in the sequencer."
    return ""


def hidden_silence(strip: bpy.types.SoundStrip) -> bool:
    """Whether nobody hears a strip because of a channel or a volume, which drivers of its scene cannot follow."""
    start, end = heard_frames(strip)
    parts = (strip, *metas_around(strip))
    return any(_silence_around(part) for part in parts) or (start < end and _volume_is_zero(strip, start, end))


def is_muted(strip: bpy.types.SoundStrip) -> bool:
    """Whether nobody hears a strip by itself: what the scene's own audio settings mute may be only for work."""
    return any(part.mute for part in (strip, *metas_around(strip))) or hidden_silence(strip)


def _silence_of(part: bpy.types.Strip) -> str:
    if part.mute:
        return f"The {_kind(part)} {part.name} is muted; unmute it in the sequencer."
    return _silence_around(part)


def _silence_around(part: bpy.types.Strip) -> str:
    channel = (part.parent_meta() or part.id_data.sequence_editor).channels[part.channel]
    if channel.mute:
        lying = f"in which the {_kind(part)} {part.name} lies"
        return f"{channel.name}, {lying}, is muted; unmute that channel in the sequencer."
    # Since 5.2.
    if part.type == "META" and not getattr(part, "volume", 1.0) and not _volume_curve(part):
        return f"The volume of the meta strip {part.name} is 0; raise it in the sequencer."
    return ""


def _kind(part: bpy.types.Strip) -> str:
    return "meta strip" if part.type == "META" else "strip"


def _volume_is_zero(strip: bpy.types.SoundStrip, start: int, end: int) -> bool:
    curve = _volume_curve(strip)
    if curve is None:
        return not strip.volume and not _driven(strip.id_data, strip.path_from_id("volume"))
    step = max((end - start) // VOLUMES_LOOKED_AT, 1)
    keys = (key.co[0] for key in curve.keyframe_points if start <= key.co[0] < end)
    return not any(curve.evaluate(frame) > 0.0 for frame in (*range(start, end, step), *keys))


def _volume_curve(strip: bpy.types.Strip) -> bpy.types.FCurve | None:
    return _curve(strip.id_data, strip.path_from_id("volume"))


def _animated(scene: bpy.types.Scene, path: str) -> bool:
    return _curve(scene, path) is not None or _driven(scene, path)


def _driven(scene: bpy.types.Scene, path: str) -> bool:
    data = scene.animation_data
    return data is not None and data.drivers.find(path) is not None


def _curve(scene: bpy.types.Scene, path: str) -> bpy.types.FCurve | None:
    """The animation of a property of the scene by its action, if there is one that counts."""
    data = scene.animation_data
    if data is None or data.action is None or data.action_slot is None:
        return None
    strips = [strip for layer in data.action.layers for strip in layer.strips]
    bags = (strip.channelbag(data.action_slot) for strip in strips)
    curves = (bag.fcurves.find(path) for bag in bags if bag is not None)
    return next((curve for curve in curves if curve is not None and not curve.mute), None)
