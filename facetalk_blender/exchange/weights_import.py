"""A recording of another program becomes a take of a sound strip."""

from __future__ import annotations

import bpy

from ...engine.shared.arkit import ARKIT_NAMES
from ...engine.shared.protocol import Message
from ..engine_access.client import EngineClient
from ..takes import take
from .recording import Recording
from .take_import import TakeImport


class WeightsImport(TakeImport):
    """One import of weights."""

    def __init__(
        self,
        client: EngineClient,
        strip: bpy.types.SoundStrip,
        recording: Recording,
        source: str,
        engine_choice: tuple[str, str],
        audio_start: float = 0.0,
    ):
        """As `TakeImport`. audio_start: second of the sound at the first row."""
        super().__init__(client, strip, source, engine_choice, audio_start)
        self._recording = recording
        self._engine.ask("weights", {"rate": recording.rate}, {"weights": recording.weights})

    def take_of(self, answer: Message) -> take.Take:
        """See `TakeImport`."""
        recording, arrays = self._recording, answer.arrays
        if len(arrays["codes"]) != len(recording.weights):
            raise ValueError("other codes than were asked for")
        settings = {"sound": "", "audio_start": self._audio_start, "duration": recording.duration}
        settings |= {"bundle": self._bundle, "imported": self._source, "program": recording.program}
        return take.Take(
            codes=arrays["codes"],
            rate=recording.rate,
            seed=0,
            weights=recording.weights,
            weight_names=list(ARKIT_NAMES),
            lip_opening_mm=arrays.get("lip_opening_mm"),
            settings=settings,
            rotations=recording.rotations,
        )
