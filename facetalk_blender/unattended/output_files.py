"""The files that a run writes: checked before it begins, made beside their places, moved there when complete."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..outputs.frames.usd_frame import is_frame_file
from .outcome import BAD_INPUT, NOT_WRITABLE, BatchError

SUFFIXES = {"output": ".mp4", "blend": ".blend", "contact_sheet": ".png", "json": ".json"}

_parts: set[Path] = set()  # folders of what is not complete yet


def check(options: argparse.Namespace) -> None:
    """Make the paths of outputs whole. Raises BatchError where one cannot be written."""
    for name, suffix in SUFFIXES.items():
        path = getattr(options, name)
        if path is not None:
            path = path.resolve()
            setattr(options, name, path)
            _check(path, suffix, f"--{name.replace('_', '-')}")
    frames = frames_folder(options)
    if frames.exists() and not all(path.is_dir() or is_frame_file(path) for path in frames.rglob("*")):
        raise BatchError(f"{frames} holds other files than frames; choose another name for --blend.", NOT_WRITABLE)


def _check(path: Path, suffix: str, option: str) -> None:
    if path.suffix.lower() != suffix:
        raise BatchError(f"{option} must end in {suffix}, not '{path.name}'.", BAD_INPUT)
    if path.is_dir():
        raise BatchError(f"{option} {path} is a folder; name a file in it.", NOT_WRITABLE)
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        message = f"Cannot write to {path.parent}; choose another folder for {option}."
        raise BatchError(message, NOT_WRITABLE) from error


def frames_folder(options: argparse.Namespace) -> Path:
    """Where the scene's frames are once it is complete."""
    scene = options.blend or options.output
    return scene.with_name(f"{scene.stem}_frames")


@contextmanager
def parts_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path` for what is not complete yet; it is always removed."""
    folder = Path(tempfile.mkdtemp(prefix=".facetalk-", dir=path.parent))
    _parts.add(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _parts.discard(folder)


def remove_parts() -> None:
    """Remove all that is not complete: the run is interrupted."""
    for folder in _parts:
        shutil.rmtree(folder, ignore_errors=True)


def move(part: Path, path: Path) -> None:
    """Move what is complete to its place, where it replaces an old file at once. Raises BatchError."""
    try:
        shutil.move(part, path)
    except OSError as error:
        raise BatchError(f"Cannot write {path} ({error.strerror}); choose another place.", NOT_WRITABLE) from error
