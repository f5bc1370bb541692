"""A sound strip as a clip: which file, which part of it, and which scene frame is which moment of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import bpy

from ...engine.shared.errors import EngineError
from ...engine.shared.options import MAXIMUM_SECONDS
from .. import compat
from . import audibility, decoding, plain_wav
from .packed import CONTENTS

SHORTEST_CLIP = 0.1  # seconds
CONTEXT_SECONDS = 2.0  # of sound around a moment, which its codes depend on
CHANNELS = 128  # of Blender's sequencer


@dataclass(frozen=True)
class Clip:
    """The audible part of a sound strip.

    strip_name: name of the strip in its scene.
    path: the sound file.
    audio_start, duration: the part of the file that is heard, seconds.
    frame_zero: scene frame (may be fractional) at which audio_start is heard.
    frame_start, frame_end: first audible scene frame and the frame after the last.
    frames_per_second: the scene's rate.
    """

    strip_name: str
    path: Path
    audio_start: float
    duration: float
    frame_zero: float
    frame_start: int
    frame_end: int
    frames_per_second: float

    def time_of(self, frame: float) -> float:
        """Seconds from the start of the clip that are heard at a scene frame."""
        return (frame - self.frame_zero) / self.frames_per_second

    def frame_of(self, time: float) -> float:
        """Scene frame, fractional, at which a moment of the clip is heard."""
        return self.frame_zero + time * self.frames_per_second


def sound_strips(scene: bpy.types.Scene) -> list[bpy.types.SoundStrip]:
    """All sound strips of a scene, those inside meta strips included."""
    editor = scene.sequence_editor
    return [] if editor is None else [strip for strip in editor.strips_all if strip.type == "SOUND"]


def find_strip(scene: bpy.types.Scene, name: str) -> bpy.types.SoundStrip | None:
    """The scene's sound strip of that name, or None."""
    return next((strip for strip in sound_strips(scene) if strip.name == name), None)


def load_sound(scene: bpy.types.Scene, path: str | Path, frame: int, channel: int = 1) -> bpy.types.SoundStrip:
    """Lay a sound file on a new strip, in the first channel from `channel` on that has room.

    path: `//` begins at the opened file. It is stored as the preference Relative Paths says.
    Raises EngineError when Blender cannot read it.
    """
    path = Path(bpy.path.abspath(str(path)))
    name = _readable(path.name)
    if not path.is_file():
        raise EngineError(f"There is no sound file {_readable(str(path))}; choose an existing file.")
    if _readable(str(path)) != str(path):
        raise EngineError(f"Blender cannot store the name {_readable(str(path))}; rename the file or its folders.")
    if os.sep == "/" and "\\" in str(path):
        raise EngineError(f"Blender takes the backslash in {name} for a folder; rename the file or its folders.")
    strips = compat.strip_collection(scene.sequence_editor_create())
    try:
        strip = strips.new_sound(path.stem, str(path), channel, frame)
    except RuntimeError as error:
        raise EngineError(f"{name} is not a sound file that Blender can read; convert it to WAV.") from error
    if not _seconds(strip, path):
        strips.remove(strip)
        raise EngineError(f"{name} has no sound; choose another file or convert it to WAV.")
    if bpy.data.filepath and bpy.context.preferences.filepaths.use_relative_paths:
        strip.sound.filepath = _relative(path)
    # A new strip may lie over others, which nobody could tell apart in the sequencer.
    while strip.channel < CHANNELS and any(_overlap(strip, other) for other in strips if other != strip):
        strip.channel += 1
    return strip


def _seconds(strip: bpy.types.SoundStrip, path: Path) -> float:
    """Length of a strip's whole sound; 0 when it cannot be read."""
    if strip.sound.packed_file is None:
        plain = plain_wav.seconds_of_file(path)
    else:
        plain = plain_wav.seconds_of(CONTENTS.head(strip.sound), strip.sound.packed_file.size)
    return decoding.seconds_of(decoding.sound_of(strip, path)) if plain is None else plain


def _readable(text: str) -> str:
    """A path as text that can be shown and stored; what is no UTF-8 becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _relative(path: Path) -> str:
    """A path from the opened file, as Blender writes it; the path itself where there is no way, as between drives."""
    try:
        return bpy.path.relpath(str(path))
    except ValueError:
        return str(path)


def _overlap(strip: bpy.types.Strip, other: bpy.types.Strip) -> bool:
    (start, end), (other_start, other_end) = compat.handles(strip), compat.handles(other)
    return strip.channel == other.channel and start < other_end and other_start < end


def selected_names(scene: bpy.types.Scene) -> list[str]:
    """Names of the selected sound strips, in the order in which they are heard."""
    selected = [strip for strip in sound_strips(scene) if strip.select]
    return [strip.name for strip in sorted(selected, key=lambda strip: compat.handles(strip)[0])]


def choice_problem(scene: bpy.types.Scene, name: str) -> str:
    """Why the strip of that name cannot speak, in one sentence that names the fix; empty when it can."""
    if scene.library is not None or scene.override_library is not None:
        return f"The scene {scene.name} is linked from another file; open that file, or make the scene local."
    if not sound_strips(scene):
        return _elsewhere(scene) or "This scene has no sound strip; load a sound."
    strip = find_strip(scene, name)
    if strip is None:
        gone = f"The sound strip {name} is gone; " if name else ""
        return f"{gone}{'c' if gone else 'C'}hoose a sound strip, or load a sound."
    return strip_problem(strip)


def _elsewhere(scene: bpy.types.Scene) -> str:
    """Where the sound of a scene without sound strips lies; empty when it has none."""
    for strip in scene.sequence_editor.strips_all if scene.sequence_editor else ():
        if strip.type == "SCENE" and strip.scene is not None and sound_strips(strip.scene):
            return f"The sound of the strip {strip.name} lies in the scene {strip.scene.name}; generate in that scene."
    return ""


def strip_problem(strip: bpy.types.SoundStrip) -> str:
    """Why no clip can be made of a strip, in one sentence that names the fix; empty when it can."""
    if strip.sound is None:
        return f"The strip {strip.name} has no sound; choose another strip."
    if strip.sound.packed_file is None and not sound_path(strip).is_file():
        return f"The file of the strip {strip.name} is missing; find it with File > External Data."
    if len(strip.retiming_keys) > 0:
        return f"The strip {strip.name} is retimed; remove its retiming keys or render it to a new sound file."
    if silent := audibility.silence(strip):
        return silent
    start, end = audibility.heard_frames(strip)
    if (end - start) / frames_per_second(strip.id_data) < SHORTEST_CLIP:
        return f"The strip {strip.name} is shorter than {SHORTEST_CLIP} seconds; lengthen it."
    return ""


def length_problem(clip: Clip) -> str:
    """Why a clip is too long to be spoken at once, in one sentence that names the fix; empty when it is not."""
    if clip.duration <= MAXIMUM_SECONDS:
        return ""
    return f"The strip {clip.strip_name} plays more than {MAXIMUM_SECONDS / 60:.0f} minutes; cut it into parts."


def whole_problem(scene: bpy.types.Scene, name: str) -> str:
    """Why the strip of that name cannot speak from end to end; as `choice_problem`."""
    if problem := choice_problem(scene, name):
        return problem
    strip = find_strip(scene, name)
    start, end = heard_part(strip)
    if end - start <= MAXIMUM_SECONDS:
        return ""
    try:
        return length_problem(clip_of(strip))  # the file may be shorter than its strip
    except EngineError as error:
        return str(error)


def clip_of(strip: bpy.types.SoundStrip) -> Clip:
    """The clip of a strip.

    At frame F Blender plays the moment (F - content start + trim) / rate - sound offset of the file.
    Raises EngineError when the strip cannot be used.
    """
    problem = strip_problem(strip)
    if problem:
        raise EngineError(problem)
    rate = frames_per_second(strip.id_data)
    start, end = audibility.heard_frames(strip)
    path = sound_path(strip)
    frame_of_first_sample = frame_of_audio(strip, 0.0)
    audio_start = max((start - frame_of_first_sample) / rate, 0.0)
    length = _seconds(strip, path)
    duration = min((end - frame_of_first_sample) / rate, length) - audio_start
    if duration < SHORTEST_CLIP:
        raise EngineError(f"No sound is heard inside the strip {strip.name}; move its handles over its sound.")
    frame_zero = frame_of_first_sample + audio_start * rate
    return Clip(strip.name, path, audio_start, duration, frame_zero, start, end, rate)


def clip_of_part(strip: bpy.types.SoundStrip, audio_start: float, duration: float) -> Clip:
    """The clip of a strip, its times counted from a moment of the file that was chosen before (a take's).

    Raises EngineError when the strip cannot be used.
    """
    clip = clip_of(strip)
    frame_zero = clip.frame_of(audio_start - clip.audio_start)
    return replace(clip, audio_start=audio_start, duration=duration, frame_zero=frame_zero)


def part_around(clip: Clip, frames: range) -> Clip:
    """The part of a clip that some of its scene frames need: their sound, and some before and after it."""
    start = max(clip.time_of(frames[0]) - CONTEXT_SECONDS, 0.0)
    end = min(clip.time_of(frames[-1] + 1) + CONTEXT_SECONDS, clip.duration)
    return replace(clip, audio_start=clip.audio_start + start, duration=end - start, frame_zero=clip.frame_of(start))


def heard_part(strip: bpy.types.SoundStrip) -> tuple[float, float]:
    """From which second to which second of its file a strip is set to play; the file may be shorter."""
    first, rate = frame_of_audio(strip, 0.0), frames_per_second(strip.id_data)
    start, end = audibility.heard_frames(strip)
    return max((start - first) / rate, 0.0), (end - first) / rate


def frame_of_audio(strip: bpy.types.SoundStrip, seconds: float) -> float:
    """Scene frame at which a moment of the strip's file is heard, or would be if no handle hid it."""
    start = compat.content_start(strip) - compat.content_trim_start(strip)
    return start + (strip.sound_offset + seconds) * frames_per_second(strip.id_data)


def sound_path(strip: bpy.types.SoundStrip) -> Path:
    """The strip's sound file, whether it exists or not."""
    return Path(bpy.path.abspath(strip.sound.filepath, library=strip.sound.library))


def frames_per_second(scene: bpy.types.Scene) -> float:
    """The scene's frame rate, Hz."""
    return scene.render.fps / scene.render.fps_base
