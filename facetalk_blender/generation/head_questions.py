"""The one question about a head that may be open, and the timer that waits for its answer."""

from __future__ import annotations

import bpy

from ...engine.shared.errors import EngineError
from .conversation import Conversation
from .head_request import Answered, HeadRequest
from .session import EngineChoice, session

POLL_SECONDS = 0.04


def ask(choice: EngineChoice, identity: str, with_template: bool, answered: Answered) -> None:
    """Ask for a head; a question that is still open is forgotten. In background mode, wait for the answer.

    Raises EngineError when the engine cannot be asked now.
    """
    if session.busy():
        raise EngineError(session.busy_reason())
    engine = Conversation(session.client(choice.python), choice.bundle, choice.device)
    fields = {"identity": identity, "with_template": with_template}
    session.question = HeadRequest(engine, fields, session.busy, answered)
    if bpy.app.background:
        while not session.question.poll(0.2):
            pass
        session.question = None
    elif not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=POLL_SECONDS)


def pending() -> bool:
    """Whether a question is open."""
    return session.question is not None


def forget() -> None:
    """Give the open question up."""
    session.question = None


def _tick() -> float | None:
    asked = session.question
    if asked is not None and asked.poll() and session.question is asked:
        session.question = None
    return None if session.question is None else POLL_SECONDS
