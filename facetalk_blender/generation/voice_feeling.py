"""What the voice of a strip sounds like: asked of the engine, as controls that a performance may begin with."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import bpy

from ...engine.shared.controls import ENERGY, LIMITS
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


LINES = 6  # of phrases that are told one by one


@dataclass(frozen=True)
class HeardPhrase:
    """start, end: scene frames, fractional. time: seconds of the clip at its start. controls: {name: number}."""

    start: float
    end: float
    time: float
    emotion: str
    controls: dict[str, float]


class VoiceFeeling(Job):
    """One question. controls: {name: number} once it is done; phrases: the same of each; text: what was heard.

    clip: what is heard of the strip.
    """

    def __init__(self, client: EngineClient, strip: bpy.types.SoundStrip, engine_choice: tuple[str, str]):
        """engine_choice: bundle and device. Raises EngineError when the strip cannot be heard."""
        super().__init__(State.LOAD)
        self.clip = sound_strip.clip_of(strip)
        self._sound = HeardSound(strip, self.clip)
        self._decoding: Iterator[float] | None = None if self._sound.readable else self._sound.decode()
        self._answer: Message | None = None
        self.controls: dict[str, float] = {}
        self.phrases: list[HeardPhrase] = []
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
            self.controls = _numbers(fields["controls"])
            self.phrases = [self._phrase(dict(one)) for one in fields["phrases"]]
            self.text = heard_text(str(fields["emotion"]), dict(fields["deviations"]))
        except (AttributeError, KeyError, TypeError, ValueError):
            self._fail(UNUSABLE)
            return
        self.notes.append(self.text)
        self.text = "\n".join([self.text, *phrase_lines(self.phrases)])
        self.state, self.fraction = State.DONE, 1.0

    def _phrase(self, fields: dict) -> HeardPhrase:
        start, end = (number(fields, name, 0, self.clip.duration + 1) for name in ("start", "end"))
        frames = self.clip.frame_of(start), self.clip.frame_of(max(start, end))
        return HeardPhrase(*frames, start, str(fields["emotion"]), _numbers(fields["controls"]))

    def _fail(self, reason: str) -> None:
        self.error, self.state = reason, State.FAILED


def _numbers(controls: dict) -> dict[str, float]:
    return {name: number(controls, name, *LIMITS[name]) for name in controls}


def phrase_lines(phrases: list[HeardPhrase]) -> list[str]:
    """When the voice sounds otherwise than before, e.g. "0:04 anger 0.6, energy +0.3"; none for a single phrase."""
    lines: list[str] = []
    before = None
    for phrase in phrases if len(phrases) > 1 else ():
        if phrase.emotion != before:
            amount = f" {phrase.controls[phrase.emotion]:.1f}" if phrase.emotion in phrase.controls else ""
            energy = f", energy {phrase.controls[ENERGY]:+.1f}" if ENERGY in phrase.controls else ""
            lines.append(f"{int(phrase.time) // 60}:{int(phrase.time) % 60:02d} {phrase.emotion}{amount}{energy}")
        before = phrase.emotion
    return [*lines[:LINES], f"and {len(lines) - LINES} changes more"] if len(lines) > LINES else lines


def heard_text(emotion: str, deviations: dict[str, float]) -> str:
    """What was heard in words: the emotion, and what is unlike people who read."""
    unlike = [words[deviations[name] < 0] for name, words in WORDS.items() if abs(deviations.get(name, 0)) >= SHOWN]
    return f"Sounds like {emotion}: {', '.join(unlike) or 'as people who read'}."
