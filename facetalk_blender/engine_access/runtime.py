"""The engine runtime: which Python runs the engine, and what it has. No bpy here.

In this order: the interpreter that the preferences name; the environment that *Install Engine Runtime* made; Blender's
own Python with the wheels of the extension.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ...engine.shared import __version__
from ...engine.shared.errors import EngineError
from ...engine.shared.options import DEVICE, STARTER
from .background_task import BackgroundTask
from .programs import engine_environment, find_program, python_command
from .wheel_lock import this_python

INSTALLED_FILE = "installed.json"
NAMED, INSTALLED, OWN = "the Python named in the preferences", "the installed runtime", "Blender's own Python"


@dataclass(frozen=True)
class Runtime:
    """An interpreter for the engine.

    python: its path; library_folders: folders with more packages for it; source: where it was found, in words.
    """

    python: str
    library_folders: tuple[str, ...]
    source: str


def find_runtime(named: str, runtime_folder: Path, own: Runtime) -> Runtime:
    """The interpreter that runs the engine.

    named: path or command of the preferences, or empty; runtime_folder: where runtimes are installed.
    own: Blender's Python. Raises EngineError when the named one is not there.
    """
    if named:
        found = find_program(named)
        if found is None:
            raise EngineError(
                f"There is no Python at '{named}'; check it in the preferences, where it has to be a whole path "
                "or the name of a program, or empty the field."
            )
        return Runtime(found, (), NAMED)
    installed = environment_python(runtime_folder / this_python())
    if installed.is_file() and (runtime_folder / this_python() / INSTALLED_FILE).is_file():
        return Runtime(str(installed), (), INSTALLED)
    return own


def environment_python(folder: Path) -> Path:
    """Where the interpreter of an installed runtime lies."""
    windows = folder / "environment" / "Scripts" / "python.exe"
    return windows if windows.parent.is_dir() else folder / "environment" / "bin" / "python"


class EngineCheck(BackgroundTask):
    """Asks a runtime what it has; `report` is the answer, line by line, once it has ended without `error`."""

    def __init__(self, runtime: Runtime, engine_parent_folder: Path, bundle: str, device: str):
        super().__init__()
        self.text = "Checking the engine"
        self.report: list[str] = []
        self.problem = ""
        self._runtime = runtime
        self._engine_parent_folder = engine_parent_folder
        self._bundle = bundle
        self._device = device

    def work(self) -> None:
        """Put the runtime's answer into words."""
        self.report, self.problem = ask_runtime(
            self, self._runtime, self._engine_parent_folder, self._bundle, self._device
        )


def ask_runtime(
    task: BackgroundTask, runtime: Runtime, engine_parent_folder: Path, bundle: str = STARTER, device: str = DEVICE
) -> tuple[list[str], str]:
    """What `engine.check` says in a runtime: lines for people, and the first problem with its fix, or "".

    Raises EngineError when the runtime cannot even say that.
    """
    folders = (str(engine_parent_folder), *runtime.library_folders)
    arguments = ("--bundle", bundle, "--device", device)
    command = python_command(runtime.python, "engine.check", *arguments, folders=folders)
    try:
        result = task.run_program(command, engine_environment(), engine_parent_folder)
    except OSError as error:
        raise EngineError(f"The Python '{runtime.python}' cannot be started; name another one.") from error
    try:
        facts = json.loads(result.stdout.splitlines()[-1])
        problem = facts["problem"] or _version_problem(facts["engine"])
        return _report_lines(runtime, facts, problem), problem
    except (IndexError, ValueError, KeyError, TypeError) as error:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise EngineError(
            f"The Python '{runtime.python}' cannot run the engine ({reason}); "
            "install the engine runtime or name a Python 3.11 or newer."
        ) from error


def _version_problem(version: str) -> str:
    if version == __version__:
        return ""
    return f"The engine has version {version}, the extension {__version__}; restart Blender so that they fit."


def _capture_line(facts: dict) -> str:
    packages = facts["optional"]
    missing = [name for name, version in packages.items() if version == "missing"]
    if not missing:
        return "Capture from Video: " + ", ".join(f"{name} {version}" for name, version in packages.items())
    command = f"{facts['executable']} -m pip install {' '.join(missing)}"
    return f"Capture from Video: lacks {', '.join(missing)}; {command}"


def _report_lines(runtime: Runtime, facts: dict, problem: str) -> list[str]:
    lines = [
        f"Engine {facts['engine']}: {'not ready' if problem else 'ready'}",
        f"Python {facts['python']}: {runtime.source}, {facts['executable']}",
        "Packages: " + ", ".join(f"{name} {version}" for name, version in facts["packages"].items()),
    ]
    if facts.get("optional"):
        lines.append(_capture_line(facts))
    if facts["device"]:
        lines.append(f"Device: {facts['device']}, {facts['device_name']}")
    if facts["memory"]:
        lines.append(f"Memory: {facts['memory'] / 1e9:.1f} GB, {facts['free_memory'] / 1e9:.1f} GB free")
    if facts["bundle"]:
        lines.append(f"Model: {facts['bundle']}")
    return lines + ([f"To do: {problem}"] if problem else [])
