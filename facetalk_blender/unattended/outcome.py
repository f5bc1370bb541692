"""How a run without a window ends, and how it tells what it does."""

from __future__ import annotations

import os
import shutil
import sys

import bpy

OK, BAD_INPUT, ENGINE_FAILED, NOT_WRITABLE, RENDER_FAILED, INTERRUPTED = 0, 2, 3, 4, 5, 130
EXIT_CODES = """\
Exit codes: 0 done; 2 unusable arguments or input; 3 the engine failed; 4 an output cannot be written;
5 the render failed; 130 interrupted. Outputs appear under their names only once they are complete.
"""


class BatchError(Exception):
    """The run cannot go on: one sentence that names the fix, and the exit code."""

    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.code = code


def say(text: str) -> None:
    """Tell how it goes."""
    print(f"FaceTalk: {text}", flush=True)


def reason_of(error: RuntimeError) -> str:
    """What an operator of Blender reported as an error."""
    return str(error).strip().removeprefix("Error: ").splitlines()[0]


def leave(code: int) -> None:
    """End Blender with an exit code: its own way out ignores a script's code, and pip's bpy may crash on it."""
    try:
        shutil.rmtree(bpy.app.tempdir, ignore_errors=True)
        sys.stdout.flush()
    finally:  # whatever is wrong with the output, e.g. that it is being written to when a signal comes
        os._exit(code)
