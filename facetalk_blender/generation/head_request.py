"""Asking the engine for a head while nothing is being generated: for the preview, and for its identity code."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from ...engine.shared.errors import EngineError
from ...engine.shared.options import STARTER
from ...engine.shared.protocol import Message
from ..settings.preferences import preferences
from . import session

POLL_SECONDS = 0.04
STOPPED = "The engine was needed for something else; try again."

Answered = Callable[[Message | None, str], None]

_current: HeadRequest | None = None


class HeadRequest:
    """One question. `answered` gets the engine's message, or None and one sentence that says what went wrong."""

    def __init__(self, context: bpy.types.Context, identity: str, with_template: bool, answered: Answered):
        """Raises EngineError when the engine cannot be asked now."""
        if session.busy():
            raise EngineError("A head is being generated; wait for it or cancel it.")
        chosen = preferences(context)
        self._client = session.client(bpy.path.abspath(chosen.engine_python))
        try:
            self._client.start()
        except OSError as error:
            raise EngineError("The engine's Python could not be started; check it in the preferences.") from error
        bundle = bpy.path.abspath(chosen.bundle) if chosen.bundle else STARTER
        fields = {"bundle": bundle, "device": chosen.device, "identity": identity, "with_template": with_template}
        self._number = self._client.request("head", fields)
        self._answered = answered

    def poll(self, seconds: float = 0.0) -> bool:
        """Take what has come, waiting at most `seconds`; True once it was answered."""
        if session.busy() or not self._client.alive:
            message = self._client.poll() if not session.busy() else None
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


def ask(context: bpy.types.Context, identity: str, with_template: bool, answered: Answered) -> None:
    """Ask for a head; a question that is still open is forgotten. In background mode, wait for the answer.

    Raises EngineError when the engine cannot be asked now.
    """
    global _current
    _current = HeadRequest(context, identity, with_template, answered)
    if bpy.app.background:
        while not _current.poll(0.2):
            pass
        _current = None
    elif not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=POLL_SECONDS)


def pending() -> bool:
    """Whether a question is open."""
    return _current is not None


def forget() -> None:
    """Give the open question up."""
    global _current
    _current = None


def _tick() -> float | None:
    global _current
    asked = _current
    if asked is not None and asked.poll() and _current is asked:
        _current = None
    return None if _current is None else POLL_SECONDS
