"""What lives as long as Blender runs: the warm engine process and the generation under way. Nothing of it is saved."""

from __future__ import annotations

import sys
from pathlib import Path

from bpy.app.handlers import persistent

from .engine_client import EngineClient
from .generation import Generation

ROOT = Path(__file__).resolve().parents[1]

_client: EngineClient | None = None
_client_python = ""
_generation: Generation | None = None


def client(engine_python: str = "") -> EngineClient:
    """The warm engine, started anew when the interpreter has changed.

    engine_python: an interpreter that can import torch; empty takes Blender's own with the extension's wheels.
    """
    global _client, _client_python
    if _client is None or _client_python != engine_python:
        stop_engine()
        folders = () if engine_python else tuple(path for path in sys.path if ".local" in Path(path).parts)
        _client = EngineClient(engine_python or sys.executable, ROOT, folders)
        _client_python = engine_python
    return _client


def stop_engine() -> None:
    """End the engine process, if any."""
    global _client
    if _client is not None:
        _client.stop()
    _client = None


def generation() -> Generation | None:
    """The generation under way, or the last one."""
    return _generation


def set_generation(new: Generation | None) -> None:
    """Make a generation the current one."""
    global _generation
    _generation = new


def busy() -> bool:
    """Whether a generation is under way."""
    return _generation is not None and _generation.running


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
