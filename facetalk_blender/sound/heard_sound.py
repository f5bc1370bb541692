"""The sound of a clip as the engine gets it: its file, the content that is packed, or samples that Blender decoded."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from ...engine.shared.errors import EngineError
from . import decoding, plain_wav
from .decoding_process import DecodingProcess
from .packed import content_of
from .strip import Clip

MISSING_SECONDS = 0.2  # by which a container's length may be off


class HeardSound:
    """The engine reads the file itself; where it cannot, or reads another sound, `decode` has Blender do it.

    readable: whether the engine may be asked to read it. Keeps no reference to Blender's data.
    """

    def __init__(self, strip: bpy.types.SoundStrip, clip: Clip):
        self._clip = clip
        self._content = content_of(strip.sound)
        self._decoding: DecodingProcess | None = None
        head, size = self._head()
        self._seconds = plain_wav.seconds_of(head, size)
        self.readable = self._seconds is not None
        # To ask about other WAV files is slow too, and what is in them is seldom plain to the engine.
        if not self.readable and not plain_wav.is_wav(head):
            sound = decoding.sound_of(strip, clip.path)
            self.readable, self._seconds = decoding.plays_as_read(sound), decoding.seconds_of(sound)

    def _head(self) -> tuple[bytes, int]:
        """The beginning of the sound's content, and the size of all of it."""
        if self._content is not None:
            return self._content[: plain_wav.HEAD_BYTES].tobytes(), len(self._content)
        return plain_wav.head_of(self._clip.path)

    @property
    def decoded(self) -> bool:
        """Whether Blender decodes it, or has done so."""
        return self._decoding is not None

    def question(self) -> tuple[dict, dict]:
        """Fields and arrays that tell the engine what to hear."""
        fields, clip = {"audio": str(self._clip.path)}, self._clip
        if self._decoding is not None:
            return fields | {"samples_rate": self._decoding.rate}, {"samples": self._decoding.samples}
        fields |= {"start": clip.audio_start, "duration": clip.duration, "whole_seconds": self._seconds}
        return fields, {} if self._content is None else {"file": self._content}

    def decode(self) -> Iterator[float]:
        """Have the part that is heard decoded by another process; yields the share that is there, again and again.

        Raises EngineError when Blender cannot decode it.
        """
        content, self._content = self._content, None
        work = DecodingProcess(self._clip.path, content, self._clip.audio_start, self._clip.duration)
        self._decoding = work
        del content
        try:
            while work.running:
                yield work.share
        finally:
            work.end()
        if work.failed:
            raise EngineError(f"Blender cannot decode {self._clip.path.name}; convert it to WAV.")

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
