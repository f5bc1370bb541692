"""What lives as long as Blender runs: the warm engine process and the generation under way. Nothing of it is saved."""

from __future__ import annotations

import sys
from pathlib import Path

from bpy.app.handlers import persistent

from ..engine_access.background_task import BackgroundTask
from ..engine_access.client import EngineClient
from ..engine_access.runtime import OWN, EngineCheck, Runtime, find_runtime
from ..extension import user_folder
from ..outputs.removal import remove_unfinished
from .generation import Generation, State

ROOT = Path(__file__).resolve().parents[2]

_client: EngineClient | None = None
_client_runtime: Runtime | None = None
_generation: Generation | None = None
_refusal = ""
_engine_task: BackgroundTask | None = None


def engine_runtime(engine_python: str = "") -> Runtime:
    """The Python that runs the engine.

    engine_python: the one to take; empty takes the installed runtime, else Blender's own with the extension's wheels.
    Raises EngineError when the named one is not there.
    """
    wheel_folders = tuple(path for path in sys.path if ".local" in Path(path).parts)
    return find_runtime(engine_python, user_folder("runtime"), Runtime(sys.executable, wheel_folders, OWN))


def client(engine_python: str = "") -> EngineClient:
    """The warm engine, started anew when the runtime has changed. Raises EngineError as `engine_runtime` does."""
    global _client, _client_runtime
    runtime = engine_runtime(engine_python)
    if _client is None or _client_runtime != runtime:
        stop_engine()
        _client = EngineClient(runtime.python, ROOT, runtime.library_folders)
        _client_runtime = runtime
    return _client


def stop_engine() -> None:
    """End the engine process, if any."""
    global _client
    if _client is not None:
        _client.stop()
    _client = None


def engine_alive() -> bool:
    """Whether an engine process runs."""
    return _client is not None and _client.alive


def engine_task() -> BackgroundTask | None:
    """The installation or check of the engine under way, or the last one."""
    return _engine_task


def set_engine_task(new: BackgroundTask | None) -> None:
    """Make a task the current one; the one before it ends."""
    global _engine_task
    if _engine_task is not None:
        _engine_task.cancel()
    _engine_task = new


def engine_report() -> list[str]:
    """Lines of the last check of the engine; empty when there was none."""
    return _engine_task.report if isinstance(_engine_task, EngineCheck) else []


def generation() -> Generation | None:
    """The generation under way, or the last one."""
    return _generation


def set_generation(new: Generation | None) -> None:
    """Make a generation the current one."""
    global _generation, _refusal
    _generation, _refusal = new, ""


def refuse(reason: str) -> None:
    """Keep why a generation could not even begin, until the next one."""
    global _refusal
    _refusal = reason


def last_error() -> str:
    """Why the last generation failed or could not begin; empty when it went well."""
    failed = _generation is not None and _generation.state is State.FAILED
    return _refusal or (_generation.error if failed else "")


def busy() -> bool:
    """Whether a generation is under way."""
    return _generation is not None and _generation.running


def busy_reason() -> str:
    """Why the engine cannot be asked for something else now; empty when it can."""
    return "A head is being generated; wait for it or cancel it." if busy() else ""


@persistent
def release_engine(*_arguments) -> None:
    """Handler: hand the engine's memory, a GPU's too, back before a render."""
    if not busy():
        stop_engine()


@persistent
def end_generation(*_arguments) -> None:
    """Handler: another file is about to be opened, so the generation under way has lost its scene."""
    if _generation is not None:
        _generation.cancel()
    set_generation(None)


@persistent
def start_head_again(*_arguments) -> None:
    """Handler: an undo or redo may have taken frames of the head that is being made."""
    if _generation is not None:
        _generation.start_head_again()


@persistent
def remove_unfinished_heads(*_arguments) -> None:
    """Handler: the file was saved while a head was being made; its take can make it again."""
    remove_unfinished()
