"""Surfaces of many expressions, in order, by extractors that take every n-th frame, one core for each.

Cores that work on one frame together wait for each other; on frames of their own they do not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future

import numpy as np

from .extract import Surface, SurfaceExtractor, estimated_bytes, free_bytes
from .parallel import chunk_threads, single_threads

# An extractor carries its band over as many frames as there are extractors: with more of them it evaluates more points.
MOST_EXTRACTORS = 8


def extract_in_turn(extractor: SurfaceExtractor, expressions: np.ndarray) -> Iterator[Surface]:
    """Surfaces of expression codes (F, E), in order. The first is made by all cores together, so it comes soon.

    Raises what `SurfaceExtractor.extract` raises.
    """
    count = _extractors(extractor, len(expressions) - 1)
    for expression in expressions[: 1 if count > 1 else None]:
        yield extractor.extract(expression)
    if count > 1:
        yield from _shared([extractor, *(extractor.copy() for _ in range(count - 1))], expressions[1:])


def _shared(extractors: list[SurfaceExtractor], expressions: np.ndarray) -> Iterator[Surface]:
    count, threads = len(extractors), single_threads(len(extractors))

    def start(frame: int) -> Future[Surface]:
        return threads.submit(extractors[frame % count].extract, expressions[frame])

    running = deque(start(frame) for frame in range(min(count, len(expressions))))
    try:
        for frame in range(len(expressions)):
            surface = running.popleft().result()
            if frame + count < len(expressions):
                running.append(start(frame + count))
            yield surface
    finally:  # also when nobody wants the rest: what runs may not outlive its caller
        for future in running:
            if not future.cancel():
                future.exception()


def _extractors(extractor: SurfaceExtractor, frames: int) -> int:
    """How many extractors share the frames that follow the first; fewer where memory does not suffice."""
    if extractor.head.device.type != "cpu":
        return 1
    free = free_bytes(extractor.head.device)
    fitting = MOST_EXTRACTORS if free is None else free // estimated_bytes(extractor.band.resolution)
    return max(1, min(chunk_threads(), frames, fitting, MOST_EXTRACTORS))
