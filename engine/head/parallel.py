"""Pointwise work in chunks, one thread and one core for each.

Products of a few thousand points are too small to be divided among threads well: what lies between them would run on
one core, and every product would wait for the slower thread.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier

import torch
from torch import Tensor


def in_chunks(function: Callable[[Tensor], tuple[Tensor, ...]], points: Tensor, size: int) -> tuple[Tensor, ...]:
    """function(points (P, ...)), a tuple of tensors (P, ...), without gradients, in chunks of at most `size` points.

    On a CPU as many chunks at a time as torch has threads.
    """
    threads = torch.get_num_threads() if points.device.type == "cpu" else 1
    rounds = -(-len(points) // (size * threads))
    chunks = points.split(max(1, -(-len(points) // max(1, rounds * threads))))

    def run(chunk: Tensor) -> tuple[Tensor, ...]:
        with torch.no_grad():  # a setting of each thread
            return function(chunk)

    results = _pool(threads).map(run, chunks) if len(chunks) > 1 and threads > 1 else map(run, chunks)
    return tuple(torch.cat(parts) for parts in zip(*results, strict=True))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads whose own operations are not divided any further."""
    started = Barrier(threads + 1)

    def start() -> None:
        torch.set_num_threads(1)
        torch.get_num_threads()  # a thread takes over the setting of the process when it first asks
        started.wait()

    pool = ThreadPoolExecutor(threads, "points", start)
    for _ in range(threads):
        pool.submit(int)
    started.wait()
    torch.set_num_threads(threads)  # for threads that start later
    return pool
