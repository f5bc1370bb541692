"""What the benchmarks share: how times are taken, what is said of the machine, and tables."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from evaluation.shared.reports import table


def seconds_of(run: Callable[[], object], device: torch.device | str = "cpu") -> np.ndarray:
    """Wall and CPU seconds (2,) of one call; CPU is summed over threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
    return np.array([time.perf_counter() - wall, time.process_time() - cpu])


def median_seconds(run: Callable[[], object], runs: int, device: torch.device | str = "cpu") -> np.ndarray:
    """Median wall and CPU seconds (2,) of several calls, after one that does not count."""
    run()
    return np.median([seconds_of(run, device) for _ in range(runs)], axis=0)


def spread(values: Sequence[float]) -> str:
    """The median of values, and the least and the greatest in brackets."""
    return f"{np.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


def conditions(threads: int | None, medians: str, device: torch.device | str = "cpu") -> str:
    """One line: the machine, versions, threads (None: the tables give them) and of what medians are, e.g. "3 runs"."""
    machine = f"{_processor()}, {os.cpu_count()} cores"
    if torch.device(device).type == "cuda":
        machine += f" and {torch.cuda.get_device_name(device)}"
    parts = [machine, platform.system(), f"Python {platform.python_version()}", f"torch {torch.__version__}"]
    parts += [] if threads is None else [f"threads: {threads}"]
    return "; ".join([*parts, f"medians of {medians}"])


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table under its title."""
    print("", title, "", *table(header, rows), sep="\n", flush=True)


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
