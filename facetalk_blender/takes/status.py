"""What stands between a take and making something of it: its strip, its sound, the range of frames."""

from __future__ import annotations

import bpy

from ..sound import strip as sound_strip
from ..sound.digest import DIGESTS
from ..sound.strip_link import SCENE_PROPERTY, STRIP_PROPERTY
from . import take

TOLERANCE = 0.05  # seconds that a handle may stand outside the take without being mentioned


def strip_of(text: bpy.types.Text) -> bpy.types.SoundStrip | None:
    """The sound strip that a take speaks, if it is still there."""
    return sound_strip.find_strip(text[SCENE_PROPERTY], text[STRIP_PROPERTY])


def strip_problem(text: bpy.types.Text) -> str:
    """Why nothing can be made of a take, in one sentence that names the fix; empty when it can."""
    strip = strip_of(text)
    if strip is None:
        return f"The strip {text[STRIP_PROPERTY]} of this take is gone; rename a strip to that, or generate anew."
    return sound_strip.strip_problem(strip)


def change_of_sound(text: bpy.types.Text) -> str:
    """How the sound differs from the one that the take speaks, and what to do; empty when it does not.

    Quick enough to be drawn: a file is read by another thread, and until that has ended nothing is said.
    """
    strip = strip_of(text)
    if strip is None or strip.sound is None:
        return ""
    digest = DIGESTS.of(strip)
    if digest and digest != text[take.SOUND_PROPERTY]:
        return "The sound has changed since this take was made; generate again."
    start, end = text[take.PART_PROPERTY]
    new_start, new_end = sound_strip.heard_part(strip)
    if new_start < start - TOLERANCE or new_end > end + TOLERANCE:
        return "The strip now plays sound that this take does not cover; generate again, or trim it back."
    return ""


def frame_range(scene: bpy.types.Scene) -> tuple[int, int] | None:
    """The range to regenerate, first and last frame: the preview range, else from one selected marker to the other."""
    if scene.use_preview_range:
        return scene.frame_preview_start, scene.frame_preview_end
    frames = sorted(marker.frame for marker in scene.timeline_markers if marker.select)
    return (frames[0], frames[1]) if len(frames) == 2 and frames[0] < frames[1] else None


def sampling_problem(text: bpy.types.Text) -> str:
    """Why a take cannot be sampled again, in one sentence that names the fix; empty when it can."""
    imported = take.IMPORTED_PROPERTY in text
    return "This take was imported, so no seed makes it; use Generate for one of the sound." if imported else ""


def range_problem(text: bpy.types.Text) -> str:
    """Why the range of a take cannot be regenerated, in one sentence that names the fix; empty when it can."""
    reason = strip_problem(text) or sampling_problem(text)
    if reason:
        return reason
    strip = strip_of(text)
    digest = DIGESTS.of(strip)
    if digest and digest != text[take.SOUND_PROPERTY]:
        return "The sound has changed since this take was made, so its frames cannot stay; generate again."
    frames = frame_range(text[SCENE_PROPERTY])
    if frames is None:
        return "Set a preview range, or select two timeline markers, around the frames to regenerate."
    return ""


def next_seed(text: bpy.types.Text) -> int:
    """The smallest seed above the take's that no take of its strip has."""
    scene, strip = text[SCENE_PROPERTY], text[STRIP_PROPERTY]
    used = {int(other[take.SEED_PROPERTY]) for other in take.takes_of(scene) if other[STRIP_PROPERTY] == strip}
    seed = int(text[take.SEED_PROPERTY]) + 1
    while seed in used:
        seed += 1
    return seed
