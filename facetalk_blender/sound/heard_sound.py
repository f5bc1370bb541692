"""The sound of a clip as the engine gets it: its file, the content that is packed, or samples that Blender decoded."""

from __future__ import annotations

from collections.abc import Iterator

import aud
import bpy
import numpy as np

from ...engine.shared.errors import EngineError
from . import decoding
from .strip import Clip

MISSING_SECONDS = 0.2  # by which a container's length may be off


class HeardSound:
    """The engine reads the file itself; where it cannot, or reads another sound, `decode` has Blender do it.

    readable: whether the engine may be asked to read it. Keeps no reference to Blender's data.
    """

    def __init__(self, strip: bpy.types.SoundStrip, clip: Clip):
        packed = strip.sound.packed_file
        self._clip = clip
        self._content = None if packed is None else np.frombuffer(packed.data, np.uint8)
        self._sound = decoding.sound_of(strip, clip.path)
        self._decoding: decoding.Decoding | None = None
        self.readable = decoding.plays_as_read(self._sound)

    @property
    def decoded(self) -> bool:
        """Whether Blender decodes it, or has done so."""
        return self._decoding is not None

    def question(self) -> tuple[dict, dict]:
        """Fields and arrays that tell the engine what to hear."""
        fields, clip = {"audio": str(self._clip.path)}, self._clip
        if self._decoding is not None:
            return fields | {"samples_rate": self._decoding.rate}, {"samples": self._decoding.samples}
        fields |= {"start": clip.audio_start, "duration": clip.duration}
        fields["whole_seconds"] = decoding.seconds_of(self._sound)
        return fields, {} if self._content is None else {"file": self._content}

    def decode(self) -> Iterator[None]:
        """Decode the part that is heard, in pieces of a few milliseconds. Raises EngineError when Blender cannot."""
        self._content = None
        try:
            self._decoding = decoding.Decoding(self._sound, self._clip.audio_start, self._clip.duration)
            yield from self._decoding.pieces()
        except aud.error as error:
            raise EngineError(f"Blender cannot decode {self._clip.path.name}; convert it to WAV.") from error

    def note(self) -> str:
        """What the artist should know of the sound that was decoded; empty when nothing."""
        if self._decoding is None:
            return ""
        seconds = len(self._decoding.samples) / self._decoding.rate
        if seconds > self._clip.duration - MISSING_SECONDS:
            return ""
        return (
            f"{self._clip.path.name} can be read for {seconds:.1f} of {self._clip.duration:.1f} seconds only, "
            "the head is still after them; export the sound again."
        )
