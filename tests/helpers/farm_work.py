"""Jobs for tests: functions that Dask's workers import by their names."""

import os
import time
from pathlib import Path

from engine.shared.errors import EngineError
from engine.shared.files import replaced


def write_number(job):
    """Write the job's number, and the process that did so; jobs with `reason` fail, those with `wait` are slow once.

    A slow job says by a file beside its output that it has begun, and waits only where there was no such file.
    """
    if "reason" in job.settings:
        raise EngineError(job.settings["reason"])
    output = job.outputs[0]
    begun = Path(f"{output}.begun")
    if job.settings.get("wait") and not begun.exists():
        begun.write_text(str(os.getpid()))
        time.sleep(job.settings["wait"])
    with replaced(output) as part:
        part.write_text(f"{job.settings['number']} {os.getpid()}")
    with Path(f"{output}.runs").open("a") as runs:
        runs.write("x")


def write_nothing(job):
    """Make no output."""


def wait(job):
    """Keep the worker busy without the processor for the job's seconds."""
    time.sleep(job.settings["seconds"])
    job.outputs[0].touch()
