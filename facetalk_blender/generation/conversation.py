"""Questions to the engine, one after the other, and the answers to the last of them."""

from __future__ import annotations

from ...engine.shared.errors import EngineError
from ...engine.shared.protocol import Message
from ..engine_access.client import EngineClient

UNUSABLE = (KeyError, ValueError, IndexError, TypeError, AttributeError, OverflowError)  # raised by a bad answer


class Conversation:
    """Asks the engine, and receives what answers the last question; the tails of cancelled ones are dropped."""

    def __init__(self, client: EngineClient, bundle: str, device: str):
        """bundle, device: of every question. Raises EngineError when the engine cannot be started."""
        self._client = client
        self._common = {"bundle": bundle, "device": device}
        self._question = 0
        try:
            client.start()
        except OSError as error:
            raise EngineError("The engine's Python could not be started; check it in the preferences.") from error

    @property
    def alive(self) -> bool:
        """Whether the engine runs."""
        return self._client.alive

    @property
    def silent_seconds(self) -> float:
        """How long nothing has been heard of the engine while it was waited for."""
        return self._client.silent_seconds

    def ask(self, kind: str, fields: dict, arrays: dict | None = None) -> None:
        """Ask the next question."""
        self._question = self._client.request(kind, self._common | fields, arrays)

    def poll(self, seconds: float = 0.0) -> Message | None:
        """The next message that answers, waiting at most `seconds` for each; None when none has come."""
        while (message := self._client.wait(seconds) if seconds else self._client.poll()) is not None:
            if message.request == self._question:
                return message
        return None

    def cancel(self) -> None:
        """Give the last question up."""
        self._client.cancel(self._question)

    def stop(self) -> None:
        """End the engine, which can no longer be relied on."""
        self._client.stop()


def failure(message: Message) -> str:
    """What a message of kind "error" says."""
    return str(message.fields.get("message", "The engine failed without a reason."))
