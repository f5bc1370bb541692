"""Asking the engine for a head while nothing is being generated: for the preview, and for its identity code."""

from __future__ import annotations

from collections.abc import Callable

from ...engine.shared.errors import EngineError
from ...engine.shared.protocol import Message
from ..engine_access.client import EngineClient

STOPPED = "The engine was needed for something else; try again."

Answered = Callable[[Message | None, str], None]


class HeadRequest:
    """One question. `answered` gets the engine's message, or None and one sentence that says what went wrong."""

    def __init__(self, client: EngineClient, fields: dict, interrupted: Callable[[], bool], answered: Answered):
        """fields: of the question. interrupted: whether the engine is needed for something else now.

        Raises EngineError when the engine cannot be started.
        """
        self._client, self._interrupted, self._answered = client, interrupted, answered
        try:
            client.start()
        except OSError as error:
            raise EngineError("The engine's Python could not be started; check it in the preferences.") from error
        self._number = client.request("head", fields)

    def poll(self, seconds: float = 0.0) -> bool:
        """Take what has come, waiting at most `seconds`; True once it was answered."""
        interrupted = self._interrupted()
        if interrupted or not self._client.alive:
            message = self._client.poll() if not interrupted else None
            if message is None:
                return self._end(None, STOPPED)
        else:
            message = self._client.wait(seconds) if seconds else self._client.poll()
        if message is None or message.request != self._number:
            return False
        if message.kind == "error":
            return self._end(None, str(message.fields.get("message", "The engine failed without a reason.")))
        return self._end(message, "") if message.kind == "head" else False

    def _end(self, message: Message | None, problem: str) -> bool:
        self._answered(message, problem)
        return True
