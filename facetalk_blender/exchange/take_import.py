"""What was recorded elsewhere becomes a take of a sound strip: the engine makes its codes."""

from __future__ import annotations

import time
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import bpy

from ...engine.shared.errors import EngineError
from ...engine.shared.protocol import Message
from ..blender_data.datablocks import DataBlockLost, resolve
from ..engine_access.client import EngineClient
from ..generation.conversation import Conversation, failure
from ..generation.job import TICK_SECONDS, Job, State
from ..sound import strip as sound_strip
from ..sound.digest import DIGESTS
from ..takes import take

UNUSABLE = "The engine sent an unusable answer; check that it fits the extension."
UNFIT = (AttributeError, KeyError, TypeError, ValueError)  # what answers to another request raise


class TakeImport(Job):
    """One import. The strip is looked up at every tick, never held. Subclasses make the take of the engine's answer."""

    def __init__(
        self,
        client: EngineClient,
        strip: bpy.types.SoundStrip,
        source: str,
        engine_choice: tuple[str, str],
        audio_start: float = 0.0,
    ):
        """source: the file's name. engine_choice: bundle and device. audio_start: second of the sound at its beginning.

        Raises EngineError when the strip cannot be used or the engine cannot be started.
        """
        super().__init__(State.LOAD)
        problem = sound_strip.strip_problem(strip)
        if problem:
            raise EngineError(problem)
        self._scene, self._strip = strip.id_data.session_uid, strip.name
        self._source, self._audio_start = source, audio_start
        self._bundle = Path(engine_choice[0]).name
        self._answer: Message | None = None
        self._made: take.Take | None = None
        self._content: Future[str] | None = None
        self._storing: Generator[bool, None, bpy.types.Text] | None = None
        self._text = 0
        self._engine = Conversation(client, *engine_choice)

    def take_of(self, answer: Message) -> take.Take:
        """The take of the engine's answer. Raises KeyError or ValueError for one that is no answer to the request."""
        raise NotImplementedError

    def tick(self, seconds: float = TICK_SECONDS) -> bool:
        """Take what the engine has answered; then keep it as a take in the file."""
        deadline = time.perf_counter() + seconds
        try:
            while self.running and time.perf_counter() < deadline:
                if self._content is not None:
                    if not self._store():
                        break
                    continue
                message = self._engine.poll()
                if message is None:
                    break
                self._receive(message)
        except DataBlockLost:
            self._fail("The sound strip was deleted during the import; choose another and import again.")
        return self.running

    def cancel(self) -> None:
        """Give it up; there is no take yet."""
        if self.running:
            self._engine.cancel()
            self._storing = None  # which removes what is written
            self.state = State.CANCELLED

    def start_again(self) -> None:
        """Write the text again: an undo may have taken it."""
        self._storing = None

    def take_text(self) -> bpy.types.Text | None:
        """The take, once it is in the file."""
        return next((text for text in bpy.data.texts if text.session_uid == self._text), None)

    def _receive(self, message: Message) -> None:
        if message.kind == "progress":
            self.stage_text, self.fraction = str(message.fields["stage"]), float(message.fields["fraction"])
        elif message.kind == "error":
            self._fail(failure(message))
        elif message.kind == "cancelled":
            self.state = State.CANCELLED
        elif message.kind == "take":
            self._answer = message
        elif message.kind == "done":
            try:
                self._made = self.take_of(self._answer)
            except UNFIT:
                self._fail(UNUSABLE)
                return
            worker = ThreadPoolExecutor(max_workers=1)
            self._content = worker.submit(take.content_of, self._made)
            worker.shutdown(wait=False)

    def _store(self) -> bool:
        """Write a piece of the take; False when there is nothing to do just now. Raises DataBlockLost."""
        if self._storing is None:
            try:
                self._storing = self._begin_storing()
            except UNFIT:
                self._fail(UNUSABLE)
        if self._storing is None:
            return False
        try:
            next(self._storing)
        except StopIteration as stored:
            text = stored.value
            text[take.IMPORTED_PROPERTY] = self._source
            self._text = text.session_uid
            self.notes.append(f"{self._source} is a take now; Make Output shows it.")
            self.state, self.fraction = State.DONE, 1.0
        return True

    def _begin_storing(self) -> Generator[bool, None, bpy.types.Text] | None:
        """The pieces of the take; None while another thread makes its text or reads the sound."""
        scene = resolve(bpy.data.scenes, self._scene)
        strip = sound_strip.find_strip(scene, self._strip)
        if strip is None:
            raise DataBlockLost
        digest = DIGESTS.of(strip)
        if digest is None or not self._content.done():
            return None
        part = (self._audio_start, self._audio_start + self._made.duration)
        return take.storing(self._content.result(), 0, scene, self._strip, digest, part)

    def _fail(self, reason: str) -> None:
        self.error, self.state = reason, State.FAILED
