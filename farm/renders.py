"""Videos and scenes as jobs: each is one run of Blender without a window."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from engine.shared.errors import EngineError
from farm.job import Job

BATCH = Path(__file__).parents[1] / "facetalk_blender" / "batch.py"


def program(blender: str | None, installed: bool = False) -> list[str]:
    """The beginning of a command line that runs the batch job.

    blender: the application; None is the bpy of this Python. installed: whether the application has the extension.

    Raises EngineError when there is no Blender of either kind.
    """
    if blender and installed:
        return [blender, "--background", "--command", "facetalk"]
    if blender:
        # Factory settings: an enabled extension would be there twice.
        script = ["--factory-startup", "--background", "--python", str(BATCH), "--"]
        return [blender, *script, "--engine-python", sys.executable]
    if importlib.util.find_spec("bpy") is None:
        raise EngineError("Rendering needs Blender; name the application with --blender /path/to/blender.")
    return [sys.executable, str(BATCH), "--"]


def render(job: Job) -> None:
    """Make the video or scene of a job: settings `program` and `options`, words of the batch command."""
    words = [*job.settings["program"], *job.settings["options"]]
    try:
        ended = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise EngineError(f"{words[0]} cannot be started here: {error.strerror}; check --blender.") from error
    if ended.returncode:
        errors = [line for line in ended.stderr.splitlines() if line.startswith("Error: ")]
        reason = errors[-1].removeprefix("Error: ") if errors else f"Blender ended with code {ended.returncode}."
        raise EngineError(reason)
