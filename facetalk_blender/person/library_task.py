"""Writing the asset library of the persons in the background: another Blender makes it, this one stays usable."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import bpy

from ...engine.shared.errors import EngineError
from ..engine_access.background_task import BackgroundTask
from ..engine_access.programs import program_environment
from ..extension import EXTENSION

BATCH = Path(__file__).parents[1] / "batch.py"
PROGRESS = re.compile(r"FaceTalk: (.+) \((\d+) of (\d+)\)")


class LibraryTask(BackgroundTask):
    """Runs `facetalk persons`. Made on the main thread, which alone may ask Blender where it is."""

    def __init__(self, output: Path, names: tuple[str, ...] = (), engine_python: str = "", device: str = ""):
        """output: the library; names: of persons of the table, all without one.

        engine_python, device: as in the preferences, "" for what they are without them.
        """
        super().__init__()
        self.text = "Starting Blender"
        self.output = output
        words = ["persons", "--output", str(output)]
        words += [word for name in names for word in ("--person", name)]
        words += ["--engine-python", engine_python] if engine_python else []
        words += ["--device", device] if device else []
        self._command = [*_door(), *words]
        self._environment = program_environment()
        self._process: subprocess.Popen | None = None

    def work(self) -> None:
        """Run it to its end."""
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        reason = ""
        with subprocess.Popen(
            self._command, env=self._environment, text=True, encoding="utf-8", errors="replace", **streams
        ) as process:
            self._process = process
            if self._cancelling.is_set():
                process.terminate()
            for line in process.stdout:
                self._read(line)
                reason = line.removeprefix("Error: ").strip() if line.startswith("Error: ") else reason
        self.check_cancelled()
        if process.returncode:
            raise EngineError(reason or f"Blender ended with code {process.returncode}; see the system console.")

    def cancel(self) -> None:
        """End it; nothing is left behind."""
        super().cancel()
        if self._process is not None:
            self._process.terminate()

    def _read(self, line: str) -> None:
        found = PROGRESS.match(line)
        if found:
            name, number, count = found[1], int(found[2]), int(found[3])
            self.text, self.fraction = f"{name} ({number} of {count})", (number - 1) / count


def _door() -> list[str]:
    """The beginning of a command line for a run without a window."""
    if not bpy.app.binary_path:
        return [sys.executable, str(BATCH), "--"]
    if EXTENSION.startswith("bl_ext."):
        return [bpy.app.binary_path, "--background", "--command", "facetalk"]
    return [bpy.app.binary_path, "--background", "--factory-startup", "--python", str(BATCH), "--"]
