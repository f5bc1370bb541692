"""The files that a run writes: checked before it begins, made beside their places, moved there when complete."""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import bpy

from ...engine.shared.files import owned, sweep
from ..outputs.frames.usd_frame import is_frame_file
from . import long_compression
from .outcome import BAD_INPUT, NOT_WRITABLE, BatchError, reason_of

SUFFIXES = {"output": ".mp4", "blend": ".blend", "contact_sheet": ".png", "json": ".json"}

PARTS_PREFIX = ".facetalk-"
FULL_BYTES = 1 << 16

_parts: set[Path] = set()  # folders of what is not complete yet
placing = False  # outputs are being moved to their places, which must not be interrupted


def check(options: argparse.Namespace) -> None:
    """Make the paths of outputs whole. Raises BatchError where one cannot be written."""
    for name, suffix in SUFFIXES.items():
        path = getattr(options, name)
        if path is not None:
            path = path.resolve()
            setattr(options, name, path)
            check_path(path, suffix, f"--{name.replace('_', '-')}")
    frames = frames_folder(options)
    if frames.exists() and not all(path.is_dir() or is_frame_file(path) for path in frames.rglob("*")):
        raise BatchError(f"{frames} holds other files than frames; choose another name for --blend.", NOT_WRITABLE)


def check_path(path: Path, suffix: str, option: str) -> None:
    """Raises BatchError where a whole path cannot be written, or does not end in a suffix; option: what named it."""
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


class Outputs:
    """What a run makes: everything beside its place, which all of it gets in the end, or nothing.

    Raises BatchError where a file cannot be written.
    """

    def __init__(self):
        self._folders: dict[Path, Path] = {}
        self._complete: list[tuple[Path, Path]] = []

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        for folder in self._folders.values():
            shutil.rmtree(folder, ignore_errors=True)
            _parts.discard(folder)
        if isinstance(error, OSError):
            raise not_written(Path(error.filename or "the outputs"), error) from error

    def beside(self, path: Path) -> Path:
        """A folder for what is not complete yet, on the disk of `path`."""
        parent = path.parent
        if parent not in self._folders:
            sweep(parent, PARTS_PREFIX)
            self._folders[parent] = Path(tempfile.mkdtemp(prefix=owned(PARTS_PREFIX), dir=parent))
            _parts.add(self._folders[parent])
        return self._folders[parent]

    def add(self, part: Path, path: Path) -> None:
        """A file or folder is complete, and will be moved from `part` to `path`."""
        self._complete.append((part, path))

    def place(self) -> None:
        """Move all to their places, where they replace older ones; should that fail, the older ones stay."""
        global placing
        placing, kept = True, []
        try:
            for part, path in self._complete:
                older = self.beside(path) / f"older-{len(kept)}"
                kept.append((path, older))
                if path.exists():
                    _keep(path, older)
                part.replace(path)
        except OSError as error:
            for path, older in reversed(kept):
                _put_back(path, older)
            raise not_written(kept[-1][0], error) from error
        finally:
            placing = False


def _keep(path: Path, older: Path) -> None:
    try:
        older.hardlink_to(path)  # the old file stays in its place until the new one replaces it in one step
    except OSError:  # a folder, or a disk without links
        path.rename(older)


def _put_back(path: Path, older: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    if older.exists():
        older.replace(path)
    else:
        path.unlink(missing_ok=True)


def not_written(path: Path, error: OSError) -> BatchError:
    """An output that the disk does not take."""
    reason = error.strerror or error
    return BatchError(f"Cannot write {path} ({reason}); make room or choose another place.", NOT_WRITABLE)


def save_file(part: Path, path: Path) -> None:
    """Save a copy of the opened file to `part`, which is `path` in the end. Raises BatchError."""
    begin_saving(part, path)()


def begin_saving(part: Path, path: Path) -> Callable[[], None]:
    """Begin to save a copy of the opened file to `part`, which is `path` in the end; what is returned waits for it.

    The file may be changed meanwhile: a thread compresses what has been saved. Both raise BatchError.
    """
    whole = part.with_name(f"whole-{part.name}") if long_compression.available() else part
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(whole), compress=whole == part, copy=True, relative_remap=True)
    except RuntimeError as error:
        raise not_written(path, OSError(reason_of(error))) from error
    failed: list[OSError] = []

    def pack() -> None:
        try:
            long_compression.compress(whole, part)
            whole.unlink()
        except OSError as error:
            failed.append(error)

    def wait() -> None:
        if whole != part:
            packing.join()
        if failed:
            raise not_written(path, failed[0]) from failed[0]

    packing = Thread(target=pack, name="compression", daemon=True)
    if whole != part:
        packing.start()
    return wait


def check_room(folder: Path) -> None:
    """Raises BatchError when the disk of a folder is full: not all that writes tells that it was cut short."""
    if shutil.disk_usage(folder).free < FULL_BYTES:
        raise not_written(folder, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


def remove_parts() -> None:
    """Remove all that is not complete: the run is interrupted."""
    for folder in _parts:
        shutil.rmtree(folder, ignore_errors=True)
