"""From a sound strip to its take: read from the file, or sampled by the engine and then kept in the file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import bpy

from ...engine.shared.errors import EngineError
from ...engine.shared.hostile_files import number
from ...engine.shared.options import MAXIMUM_SECONDS
from ...engine.shared.protocol import Message
from ..blender_data.datablocks import DataBlockLost, resolve
from ..sound import strip as sound_strip
from ..sound import strip_link
from ..sound.digest import DIGESTS
from ..sound.heard_sound import HeardSound
from ..sound.packed import content_of
from ..takes import take
from .options import Options


class StripTake:
    """A strip and its take.

    clip: what is heard of the strip. take: None until it was sampled. new_codes: positions (start, end) in the source's
    codes that are sampled again, end excluded; None when all are. sound: what the engine hears, if it has to.
    """

    def __init__(
        self,
        strip: bpy.types.SoundStrip,
        source: bpy.types.Text | None = None,
        frame_range: tuple[int, int] | None = None,
        frames: range | None = None,
    ):
        """source, frame_range: see `Generation`. frames: the scene frames that are wanted; None is all.

        Raises EngineError when strip, take or range cannot be used."""
        self.take = take.load(source) if source else None
        # Kept to the end, so that Blender copies a packed sound once.
        content = content_of(strip.sound) if self.take is None or frame_range else None
        self.clip = sound_strip.clip_of(strip) if self.take is None else _clip_of_take(strip, self.take)
        if self.take is None:
            self.clip = _short_enough(self.clip, frames)
        self.new_codes = self._code_range(*frame_range) if frame_range else None
        self._source = source.session_uid if source else None
        self._text = None if frame_range or source is None else source.session_uid
        self._text_is_new = False
        self._scene = strip.id_data.session_uid
        self._digest, self._part = DIGESTS.of(strip), sound_strip.heard_part(strip)
        if source:
            self._digest, self._part = source[take.SOUND_PROPERTY], tuple(source[take.PART_PROPERTY])
        self.sound = HeardSound(strip, self.clip) if self.take is None or self.new_codes else None
        del content
        self._link = ""
        self.sampled = False  # whether the engine has sent a take

    @property
    def stored(self) -> bool:
        """Whether the file has, or had, the take."""
        return self._text is not None

    def connect(self, strip: bpy.types.SoundStrip) -> None:
        """From now on the strip is found again whatever its name becomes."""
        self._link = strip_link.connect(strip.id_data, strip.name)

    def scene(self) -> bpy.types.Scene:
        """The strip's scene. Raises DataBlockLost when it is gone."""
        return resolve(bpy.data.scenes, self._scene)

    def found_scene(self) -> bpy.types.Scene | None:
        """The strip's scene, if it is there."""
        return next((scene for scene in bpy.data.scenes if scene.session_uid == self._scene), None)

    def text(self) -> bpy.types.Text:
        """The take in the file. Raises DataBlockLost when it is gone."""
        return resolve(bpy.data.texts, self._text)

    def source(self) -> bpy.types.Text:
        """The take that this one is made of. Raises DataBlockLost when it is gone."""
        return resolve(bpy.data.texts, self._source)

    def found_text(self) -> bpy.types.Text | None:
        """The take in the file, if it is there."""
        return next((text for text in bpy.data.texts if text.session_uid == self._text), None)

    def follow_strip(self) -> bpy.types.Scene:
        """Learn the name that the strip has now; its scene. Raises DataBlockLost when that is gone."""
        scene = self.scene()
        self.clip = replace(self.clip, strip_name=strip_link.linked_name(scene, self._link) or self.clip.strip_name)
        return scene

    def request(self, options: Options) -> tuple[dict, dict]:
        """Fields and arrays of the question to the sampler."""
        fields, arrays = self.sound.question()
        fields |= options.sampler()
        keyed = options.keyed_controls.items()
        over_time = {name: [[self.clip.time_of(frame), value] for frame, value in curve] for name, curve in keyed}
        fields["controls"] = options.controls | over_time
        if not self.new_codes:
            return fields, arrays
        pose = {} if self.take.pose is None else {"keep_pose": self.take.pose}
        return fields | {"resample": list(self.new_codes)}, arrays | {"keep": self.take.codes} | pose

    def receive(self, message: Message, options: Options, bundle: str) -> None:
        """Keep what was sampled. bundle: its name. Raises KeyError, ValueError or TypeError for an unusable answer."""
        facts = options.facts(bundle) | {"provenance": message.fields.get("provenance", {})}
        facts |= {
            "sound": self.clip.path.name,
            "audio_start": self.clip.audio_start,
            "duration": self.clip.duration,
        }
        take.check(message.arrays, message.fields["weight_names"])
        self.sampled = True
        self.take = take.Take(
            rate=number(message.fields, "rate", 1, 1000),
            seed=int(message.fields["seed"]),
            weight_names=message.fields["weight_names"],
            settings=facts,
            codes=message.arrays["codes"],
            # Of a model whose codes have no such reading, these are left out.
            weights=message.arrays.get("weights"),
            lip_opening_mm=message.arrays.get("lip_opening_mm"),
            pose=message.arrays.get("pose"),
        )

    def store(self) -> Iterator[bool]:
        """Have the take in the file, whatever becomes of the head: True for a piece, False while a thread works."""
        if self.found_text() is not None:
            return
        worker = ThreadPoolExecutor(max_workers=1)
        content = worker.submit(take.content_of, self.take)
        worker.shutdown(wait=False)
        while not content.done():
            yield False
        while (digest := self._digest or self._digest_now()) is None:
            yield False
        scene = self.follow_strip()
        text = yield from take.storing(
            content.result(), self.take.seed, scene, self.clip.strip_name, digest, self._part
        )
        self._text = text.session_uid
        self._text_is_new = True

    def _digest_now(self) -> str | None:
        strip = sound_strip.find_strip(self.follow_strip(), self.clip.strip_name)
        if strip is None:
            raise DataBlockLost
        return DIGESTS.of(strip)

    def notes(self) -> list[str]:
        """What the artist should know of the sound."""
        note = self.sound.note() if self.sound else ""
        return [note] if note else []

    def remove_new_text(self) -> None:
        """Remove the take from the file, unless it was there before."""
        text = self.found_text() if self._text_is_new else None
        if text is not None:
            bpy.data.texts.remove(text)

    def _code_range(self, first: int, last: int) -> tuple[int, int]:
        """Positions of the codes that scene frames first..last show: (start, end), end excluded."""
        count, rate = len(self.take.codes), self.take.rate
        start = max(math.floor(self.clip.time_of(first) * rate), 0)
        end = min(math.ceil(self.clip.time_of(last) * rate) + 1, count)
        if end <= start:
            raise EngineError("The chosen frames lie outside the take; move the range over the sound strip.")
        return start, end


def _short_enough(clip: sound_strip.Clip, frames: range | None) -> sound_strip.Clip:
    """A clip that can be sampled at once: of a longer one, the part of the frames that are wanted."""
    if frames and clip.duration > MAXIMUM_SECONDS:
        clip = sound_strip.part_around(clip, frames)
    if problem := sound_strip.length_problem(clip):
        raise EngineError(problem)
    return clip


def _clip_of_take(strip: bpy.types.SoundStrip, source: take.Take) -> sound_strip.Clip:
    start = float(source.settings.get("audio_start", 0.0))
    return sound_strip.clip_of_part(strip, start, float(source.settings.get("duration", source.duration)))
