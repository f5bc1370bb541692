"""Pointwise work in chunks, one thread and one core for each.

Products of a few thousand points are too small to be divided among threads well: what lies between them would run on
one core, and every product would wait for the slower thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Barrier, local
from typing import TypeVar, cast

import torch
from torch import Tensor

Parts = TypeVar("Parts", bound=tuple[Tensor, ...])
_undivided = local()


@contextmanager
def undivided_operations() -> Iterator[None]:
    """Within it each operation of this thread runs on one core; only chunks are shared among torch's threads.

    Threads that divide many small operations wait for each other longer than they work, on a busy machine above all.
    """
    threads, divided, around = chunk_threads(), torch.get_num_threads(), getattr(_undivided, "threads", None)
    if divided == 1:  # nothing to change, and a change would be that of threads that start later
        yield
        return
    single_threads(threads)
    _undivided.threads = threads
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(divided)
        _undivided.threads = around


def chunk_threads() -> int:
    """How many chunks of this thread run at a time on a CPU."""
    return getattr(_undivided, "threads", None) or torch.get_num_threads()


def in_chunks(function: Callable[[Tensor], Parts], points: Tensor, size: int) -> Parts:
    """function(points (P, ...)), a tuple of tensors (P, ...), without gradients, in chunks of at most `size` points.

    On a CPU as many chunks at a time as torch has threads.
    """
    threads = chunk_threads() if points.device.type == "cpu" else 1
    rounds = -(-len(points) // (size * threads))
    chunks = points.split(max(1, -(-len(points) // max(1, rounds * threads))))

    def run(chunk: Tensor) -> Parts:
        with torch.no_grad():  # a setting of each thread
            return function(chunk)

    results = single_threads(threads).map(run, chunks) if len(chunks) > 1 and threads > 1 else map(run, chunks)
    joined = tuple(torch.cat(parts) for parts in zip(*results, strict=True))
    return cast(Parts, joined)  # as many tensors as the function gives


@cache
def single_threads(threads: int) -> ThreadPoolExecutor:
    """A pool of threads whose own operations are not divided any further."""
    before = torch.get_num_threads()
    started = Barrier(threads + 1)

    def start() -> None:
        torch.set_num_threads(1)
        torch.get_num_threads()  # a thread takes over the setting of the process when it first asks
        started.wait()

    pool = ThreadPoolExecutor(threads, "points", start)
    for _ in range(threads):
        pool.submit(int)
    started.wait()
    torch.set_num_threads(before)  # for threads that start later
    return pool
