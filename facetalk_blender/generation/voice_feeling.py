"""What the voice of a strip sounds like: asked of the engine, as controls that a performance may begin with."""

from __future__ import annotations

import time
from collections.abc import Iterator

import bpy

from ...engine.shared.controls import LIMITS
from ...engine.shared.errors import EngineError
from ...engine.shared.hostile_files import number
from ...engine.shared.protocol import Message
from ..engine_access.client import EngineClient
from ..sound import strip as sound_strip
from ..sound.heard_sound import HeardSound
from .conversation import Conversation, failure
from .job import TICK_SECONDS, Job, State

UNUSABLE = "The engine sent an unusable answer; check that it fits the extension."
SHOWN = 0.8  # standard deviations from which a measure is named
WORDS = {
    "pitch": ("high", "low"),
    "range": ("lively", "flat"),
    "tilt": ("bright", "dull"),
    "dynamics": ("uneven", "even"),
    "rate": ("quick", "slow"),
    "pauses": ("with pauses", "without pauses"),
    "roughness": ("rough", "clear"),
}


class VoiceFeeling(Job):
    """One question. controls: {name: number} once it is done; text: what was heard, for people."""

    def __init__(self, client: EngineClient, strip: bpy.types.SoundStrip, engine_choice: tuple[str, str]):
        """engine_choice: bundle and device. Raises EngineError when the strip cannot be heard."""
        super().__init__(State.LOAD)
        self._sound = HeardSound(strip, sound_strip.clip_of(strip))
        self._decoding: Iterator[float] | None = None if self._sound.readable else self._sound.decode()
        self._answer: Message | None = None
        self.controls: dict[str, float] = {}
        self.text = ""
        self._engine = Conversation(client, *engine_choice)
        if self._decoding is None:
            self._ask()

    def tick(self, seconds: float = TICK_SECONDS) -> bool:
        """Decode what the engine cannot read, and take its answer."""
        deadline = time.perf_counter() + seconds
        try:
            while self.running and time.perf_counter() < deadline:
                if self._decoding is not None:
                    self._decode()
                    break  # another process works on it
                if (message := self._engine.poll()) is None:
                    break
                self._receive(message)
        except EngineError as error:
            self._fail(str(error))
        return self.running

    def cancel(self) -> None:
        """Give it up."""
        if self.running:
            self._engine.cancel()
            self.state = State.CANCELLED

    def start_again(self) -> None:
        """Nothing has been made that an undo could take."""

    def _ask(self) -> None:
        self._engine.ask("feeling", *self._sound.question())

    def _decode(self) -> None:
        if next(self._decoding, self) is self:
            self._decoding = None
            self._ask()

    def _receive(self, message: Message) -> None:
        if message.kind == "error" and not self._sound.decoded and message.fields.get("cause") == "sound":
            self._decoding = self._sound.decode()
        elif message.kind == "error":
            self._fail(failure(message))
        elif message.kind == "cancelled":
            self.state = State.CANCELLED
        elif message.kind == "feeling":
            self._answer = message
        elif message.kind == "done":
            self._finish()

    def _finish(self) -> None:
        try:
            fields = self._answer.fields
            self.controls = {name: number(fields["controls"], name, *LIMITS[name]) for name in fields["controls"]}
            self.text = heard_text(str(fields["emotion"]), dict(fields["deviations"]))
        except (AttributeError, KeyError, TypeError, ValueError):
            self._fail(UNUSABLE)
            return
        self.notes.append(self.text)
        self.state, self.fraction = State.DONE, 1.0

    def _fail(self, reason: str) -> None:
        self.error, self.state = reason, State.FAILED


def heard_text(emotion: str, deviations: dict[str, float]) -> str:
    """What was heard in words: the emotion, and what is unlike people who read."""
    unlike = [words[deviations[name] < 0] for name, words in WORDS.items() if abs(deviations.get(name, 0)) >= SHOWN]
    return f"Sounds like {emotion}: {', '.join(unlike) or 'as people who read'}."
