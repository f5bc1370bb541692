"""Asking the engine for a head while nothing is being generated: for the preview, and for its identity code."""

from __future__ import annotations

from collections.abc import Callable

from ...engine.shared.protocol import Message
from .conversation import Conversation, failure

STOPPED = "The engine was needed for something else; try again."

Answered = Callable[[Message | None, str], None]


class HeadRequest:
    """One question. `answered` gets the engine's message, or None and one sentence that says what went wrong."""

    def __init__(self, engine: Conversation, fields: dict, interrupted: Callable[[], bool], answered: Answered):
        """fields: of the question. interrupted: whether the engine is needed for something else now."""
        self._engine, self._interrupted, self._answered = engine, interrupted, answered
        engine.ask("head", fields)

    def poll(self, seconds: float = 0.0) -> bool:
        """Take what has come, waiting at most `seconds`; True once it was answered."""
        if self._interrupted():
            return self._end(None, STOPPED)
        alive = self._engine.alive
        message = self._engine.poll(seconds if alive else 0.0)
        if message is None:
            return not alive and self._end(None, STOPPED)
        if message.kind == "error":
            return self._end(None, failure(message))
        return message.kind == "head" and self._end(message, "")

    def _end(self, message: Message | None, problem: str) -> bool:
        self._answered(message, problem)
        return True
