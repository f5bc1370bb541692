"""Surfaces of many expressions, in order, by extractors that take groups of frames in turn, one core for each.

Cores that work on one frame together wait for each other; on frames of their own they do not. Frames of a group follow
each other, so a band is carried over a single frame; only the first of a group starts from one some frames before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from itertools import pairwise
from threading import Lock

import numpy as np

from ..parallel import chunk_threads, single_threads
from .extract import Surface, SurfaceExtractor, estimated_bytes, free_bytes

MOST_EXTRACTORS = 8
# Frames of a group; with many extractors fewer, as their surfaces wait in memory for those before them.
LONGEST_GROUP, MOST_AHEAD = 8, 24


def extract_in_turn(extractor: SurfaceExtractor, expressions: np.ndarray) -> Iterator[Surface]:
    """Surfaces of expression codes (F, E), in order. The first is made by all cores together, so it comes soon.

    Raises what `SurfaceExtractor.extract` raises.
    """
    count = _extractors(extractor, len(expressions) - 1)
    for expression in expressions[: 1 if count > 1 else None]:
        yield extractor.extract(expression)
    if count > 1:
        yield from _shared([extractor, *(extractor.copy() for _ in range(count - 1))], expressions[1:])


def groups(frames: int, count: int) -> list[range]:
    """Frames in groups that `count` extractors take in turn: as many for each, equally long but for one frame."""
    longest = max(1, min(LONGEST_GROUP, MOST_AHEAD // count))
    number = count * -(-frames // (count * longest))
    ends = [frames * end // number for end in range(number + 1)]
    return [range(*pair) for pair in pairwise(ends)]


def _shared(extractors: Sequence[SurfaceExtractor], expressions: np.ndarray) -> Iterator[Surface]:
    work = _GroupWork(extractors, expressions)
    try:
        for frame in range(len(expressions)):
            work.allow(frame + work.ahead)
            yield work.take(frame)
    finally:  # also when nobody wants the rest: what runs may not outlive its caller
        work.stop()


class _GroupWork:
    """Frames of several extractors. Each makes those of its groups one after the other, on a thread of the pool.

    No thread waits for what is asked for later: the pool serves others too.
    """

    def __init__(self, extractors: Sequence[SurfaceExtractor], expressions: np.ndarray):
        count = len(extractors)
        divided = groups(len(expressions), count)
        self.ahead = count * max(len(group) for group in divided)
        self.extractors, self.expressions, self.threads = extractors, expressions, single_threads(count)
        self.surfaces: dict[int, Future[Surface]] = {frame: Future() for frame in range(len(expressions))}
        self.waiting = [deque(frame for group in divided[own::count] for frame in group) for own in range(count)]
        self.running: list[Future[None] | None] = [None for _ in extractors]
        self.allowed, self.lock = 0, Lock()

    def allow(self, frames: int) -> None:
        """Frames before this one may be made."""
        with self.lock:
            self.allowed = frames
            for own, running in enumerate(self.running):
                if running is None:
                    self._go_on(own)

    def take(self, frame: int) -> Surface:
        """The surface of a frame, as soon as it is there; once only. Raises what its extractor raised."""
        surface = self.surfaces[frame].result()
        del self.surfaces[frame]
        return surface

    def stop(self) -> None:
        """No further frames; waits for those that are being made."""
        with self.lock:
            self.allowed = 0
        for running in self.running:  # none takes the place of another any more
            if running is not None and not running.cancel():
                running.result()

    def _go_on(self, own: int) -> None:
        """Let an extractor make its next frame, if it may; with the lock held."""
        waiting = self.waiting[own]
        allowed = bool(waiting) and waiting[0] < self.allowed
        self.running[own] = self.threads.submit(self._make, own, waiting.popleft()) if allowed else None

    def _make(self, own: int, frame: int) -> None:
        surface = self.surfaces[frame]
        try:
            surface.set_result(self.extractors[own].extract(self.expressions[frame]))
        except BaseException as error:  # the caller's to see
            surface.set_exception(error)
            return  # half a frame may be left in the extractor
        with self.lock:
            self._go_on(own)


def _extractors(extractor: SurfaceExtractor, frames: int) -> int:
    """How many extractors share the frames that follow the first; fewer where memory does not suffice."""
    if extractor.head.device.type != "cpu":
        return 1
    free = free_bytes(extractor.head.device)
    fitting = MOST_EXTRACTORS if free is None else free // estimated_bytes(extractor.band.resolution)
    return max(1, min(chunk_threads(), frames, fitting, MOST_EXTRACTORS))
