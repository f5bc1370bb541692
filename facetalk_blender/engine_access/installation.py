"""Making an isolated environment with the engine's packages, from the package index or from a folder. No bpy here.

<runtime folder>/cp311/
    environment/     the virtual environment
    downloads/       verified wheels; kept when the installation is interrupted, so that it goes on from there
    part/            what pip is working on
    installed.json   written last: the environment is complete, and these are its wheels
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ...engine.shared.errors import EngineError
from ...engine.shared.files import locked
from .background_task import BackgroundTask
from .programs import program_environment, python_command
from .runtime import INSTALLED, INSTALLED_FILE, Runtime, ask_runtime, environment_python
from .wheel_lock import Wheel

DOWNLOADS_START, DOWNLOADS_END, CHECK_START = 0.05, 0.7, 0.95


class RuntimeInstallation(BackgroundTask):
    """Downloads what is missing, verifies every file, installs, and tries the result out.

    folder: of this Python version's runtime; wheels: all that go into it.
    source: a folder that holds the wheels, or None for the package index that pip is configured for.
    engine_parent_folder: the folder that holds the `engine` package.
    """

    def __init__(self, folder: Path, wheels: list[Wheel], source: Path | None, engine_parent_folder: Path):
        super().__init__()
        self._folder = Path(folder)
        self._wheels = wheels
        self._source = None if source is None else Path(source).absolute()
        self._engine_parent_folder = engine_parent_folder
        self._python = ""
        self._title = ""

    def work(self) -> None:
        """Raises EngineError when a file is missing or wrong, or pip fails."""
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            with locked(self._folder.with_name(f".{self._folder.name}.lock")):
                self._install_all()
        except BlockingIOError as error:
            raise EngineError("Another Blender is installing the engine runtime; wait until it has ended.") from error

    def _install_all(self) -> None:
        if self._source is not None:
            self._check_source()
        (self._folder / "part").mkdir(exist_ok=True)
        self._make_environment()
        if self._source is None:
            self._download()
        self._clear_older_runtime()
        self._install()
        self._try_out()
        names = [wheel.file_name for wheel in self._wheels]
        Path(self._folder, INSTALLED_FILE).write_text(json.dumps({"wheels": names}, indent=1), "utf-8")
        for name in ("downloads", "part"):
            shutil.rmtree(self._folder / name, ignore_errors=True)

    def _check_source(self) -> None:
        self.text = "Verifying the folder's wheels"
        missing = []
        for wheel in self._wheels:
            self.check_cancelled()
            if not Path(self._source, wheel.file_name).is_file():
                missing.append(wheel.file_name)
            elif not wheel.lies_in(self._source):
                raise EngineError(f"'{wheel.file_name}' is damaged or another build; fetch it again.")
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise EngineError(f"The folder lacks {missing[0]}{more}; put the wheels there and try again.")

    def _make_environment(self) -> None:
        self.text = "Making an environment"
        self._python = str(environment_python(self._folder))
        if not self._has_pip():
            result = self._run_python(sys.executable, "venv", "--clear", str(self._folder / "environment"))
            self._python = str(environment_python(self._folder))
            if result.returncode or not self._has_pip():
                raise EngineError(
                    f"This Python cannot make environments ({_last_line(result)}); "
                    "name a Python that has the engine's packages instead."
                )
        self.fraction = DOWNLOADS_START

    def _has_pip(self) -> bool:
        """Whether the environment is there and whole, e.g. from an installation that was interrupted."""
        return Path(self._python).is_file() and self._run_python(self._python, "pip", "--version").returncode == 0

    def _download(self) -> None:
        downloads, part = self._folder / "downloads", self._folder / "part"
        downloads.mkdir(exist_ok=True)
        for number, wheel in enumerate(self._wheels):
            self.fraction = DOWNLOADS_START + (DOWNLOADS_END - DOWNLOADS_START) * number / len(self._wheels)
            self._title = f"Downloading {wheel.name} ({number + 1} of {len(self._wheels)})"
            self.text = self._title
            if wheel.lies_in(downloads):
                continue
            for leftover in part.iterdir():  # of a download that was cancelled
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            self._pip("download", ["--dest", str(downloads)], [wheel], self._show_received)

    def _show_received(self) -> None:
        received = 0
        for folder, _, file_names in os.walk(self._folder / "part"):
            for name in file_names:
                with suppress(FileNotFoundError):  # pip has just moved it
                    received += Path(folder, name).stat().st_size
        if received > 1e6:
            self.text = f"{self._title}, {received / 1e6:.0f} MB"

    def _clear_older_runtime(self) -> None:
        """Packages of an older version must not stay beside the new ones, which are all at hand by now."""
        complete = self._folder / INSTALLED_FILE
        if complete.exists():
            complete.unlink()
            shutil.rmtree(self._folder / "environment")
            self._make_environment()

    def _install(self) -> None:
        self.text = "Installing"
        self.fraction = DOWNLOADS_END
        source = str(self._source or self._folder / "downloads")
        self._pip("install", ["--no-index", "--find-links", source], self._wheels)

    def _pip(
        self, command: str, options: list[str], wheels: list[Wheel], on_poll: Callable[[], None] = lambda: None
    ) -> None:
        requirements = self._folder / "part" / "requirements.txt"
        requirements.write_text("".join(f"{wheel.requirement}\n" for wheel in wheels), "utf-8")
        run = [command, "--no-deps", "--only-binary", ":all:", "--require-hashes", "--disable-pip-version-check"]
        run += ["--no-input", "--progress-bar", "off", *options, "--requirement", str(requirements)]
        result = self._run_python(self._python, "pip", *run, on_poll=on_poll)
        if result.returncode:
            raise EngineError(_pip_problem(result, wheels))

    def _try_out(self) -> None:
        self.fraction = CHECK_START
        self.text = "Checking the engine"
        _, problem = ask_runtime(self, Runtime(self._python, (), INSTALLED), self._engine_parent_folder)
        if problem:
            raise EngineError(problem)

    def _run_python(
        self, python: str, module: str, *arguments: str, on_poll: Callable[[], None] = lambda: None
    ) -> subprocess.CompletedProcess:
        part = self._folder / "part"
        environment = program_environment(TMPDIR=str(part), TEMP=str(part), TMP=str(part))
        return self.run_program(python_command(python, module, *arguments), environment, part, on_poll)


def _pip_problem(result: subprocess.CompletedProcess, wheels: list[Wheel]) -> str:
    names = wheels[0].file_name if len(wheels) == 1 else "a package"
    text = result.stdout + result.stderr
    if "DO NOT MATCH THE HASHES" in text:
        return f"The index sent another file than {names}: its hash differs, so it was not used; try again later."
    if "No space left on device" in text:
        return "The disk is full; free some space and try again: what was downloaded is kept."
    if "No matching distribution" in text:
        return f"The package index cannot be reached or has no {names}; check the connection, or install from a folder."
    return f"pip failed at {names} ({_last_line(result)}); try again: what was downloaded is kept."


def _last_line(result: subprocess.CompletedProcess) -> str:
    lines = [line for line in (result.stdout + "\n" + result.stderr).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["no reason given"])[-1].removeprefix("ERROR: ")
