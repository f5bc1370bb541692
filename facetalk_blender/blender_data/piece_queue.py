"""Arrays made ready beside Blender's main thread, then written on it in pieces of a few milliseconds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

MESSAGES_AHEAD = 3
_END = object()


class PieceQueue:
    """Work in the order in which it came."""

    def __init__(self):
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="facetalk-mesh")
        self._waiting: deque[tuple[Callable[..., Iterator], Future]] = deque()
        self._pieces: Iterator | None = None

    @property
    def full(self) -> bool:
        """Whether the engine should wait."""
        return len(self._waiting) >= MESSAGES_AHEAD

    def add(self, write: Callable[..., Iterator], prepare: Callable, *arguments) -> None:
        """Have `write(*prepare(*arguments))` done, a piece of work per item; `prepare` runs in a worker thread."""
        self._waiting.append((write, self._worker.submit(prepare, *arguments)))

    def work(self, deadline: float) -> bool:
        """Write until `time.perf_counter()` reaches the deadline; True when nothing is left.

        Raises what `prepare` and `write` raise.
        """
        while time.perf_counter() < deadline:
            if self._pieces is not None:
                if next(self._pieces, _END) is _END:
                    self._pieces = None
            elif self._waiting and self._waiting[0][1].done():
                write, prepared = self._waiting.popleft()
                self._pieces = write(*prepared.result())
            else:
                break
        return self._pieces is None and not self._waiting

    def end(self) -> None:
        """Drop what is left."""
        self._pieces = None
        self._waiting.clear()
        self._worker.shutdown(wait=True, cancel_futures=True)
