"""What panels ask the disk whenever they are drawn, looked up at most every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

LOOK_AGAIN_SECONDS = 2.0

Answer = TypeVar("Answer")


class RecentAnswer(Generic[Answer]):
    """The last answer to one kind of question."""

    def __init__(self):
        self._key: Hashable = None
        self._looked = 0.0
        self._answer: Answer | None = None

    def get(self, key: Hashable, look: Callable[[], Answer]) -> Answer:
        """The answer for a key, from `look` when there is none for it or it is a few seconds old."""
        if key != self._key or time.monotonic() - self._looked >= LOOK_AGAIN_SECONDS:
            self._answer = look()
            self._key, self._looked = key, time.monotonic()
        return self._answer

    def clear(self) -> None:
        """Forget it."""
        self._key = self._answer = None
