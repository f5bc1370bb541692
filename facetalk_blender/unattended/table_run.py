"""Many jobs of a table: `blender --command facetalk batch jobs.csv`.

They run in the engine's Python (`python -m farm`), which starts Blender for each video, here or on a cluster.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
from pathlib import Path

import bpy

from ..engine_access.programs import engine_environment, python_command, typed_program
from ..generation.session import session

WORD = "batch"


def run(words: list[str], installed: bool) -> int:
    """Run the jobs and return the exit code of `python -m farm`.

    words: what follows `batch`. installed: whether this Blender has the extension, rather than running its sources.
    """
    parser = argparse.ArgumentParser(prog=f"facetalk {WORD}", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("table", type=Path, help="CSV file with a row for each job")
    add("--scheduler", metavar="ADDRESS", help="Dask scheduler, e.g. tcp://host:8786 (default: this machine)")
    add("--workers", help="processes on this machine")
    add("--again", action="store_true", help="make finished outputs again")
    add("--engine-python", type=typed_program, default="", help="interpreter that can import torch, and Dask for many")
    options = parser.parse_args(words)
    arguments = [str(options.table.resolve()), *(["--again"] if options.again else [])]
    for name in ("scheduler", "workers"):
        arguments += [f"--{name}", getattr(options, name)] if getattr(options, name) else []
    if bpy.app.binary_path:
        arguments += ["--blender", bpy.app.binary_path, *(["--installed"] if installed else [])]
    runtime = session.runtime(options.engine_python)
    folders = (str(session.engine_root), *runtime.library_folders)
    command = python_command(runtime.python, "farm", *arguments, folders=folders)
    with subprocess.Popen(command, env=engine_environment(), stdin=subprocess.DEVNULL) as process:
        # What interrupts Blender interrupts the jobs; they end by themselves and say so.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: process.send_signal(signal.SIGINT))
        return process.wait()
