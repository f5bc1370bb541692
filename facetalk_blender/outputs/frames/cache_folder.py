"""Cache folders: where they are made, one for each head, and whether they hold all its frames."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path

import bpy

from ....engine.shared.errors import NotWritable
from ...extension import user_folder
from .usd_frame import frame_path, is_frame_file

REMOVALS, REMOVAL_PAUSE = 5, 0.1
LONGEST_NAME = 60  # letters of a folder's name: paths of cache files hold 1023 bytes

_unfinished: set[Path] = set()  # folders whose frames are still being written


def missing_support() -> str:
    """Why this Blender cannot show cached frames, in one sentence that names the fix; empty when it can."""
    if bpy.app.build_options.usd:
        return ""
    return "This Blender was built without USD, which cached frames need; keep frames in the file."


def default_parent() -> Path:
    """Where folders of frames are made: beside the .blend file; while it is unsaved, in the extension's user folder."""
    if not bpy.data.filepath:
        return user_folder("frames")
    blend = Path(bpy.data.filepath)
    return blend.with_name(f"{blend.stem}_frames")


def new_folder(parent: Path, name: str, size: float) -> Path:
    """Make a folder for about `size` bytes of frames. Raises NotWritable when that is not possible."""
    safe = bpy.path.clean_name(name)[:LONGEST_NAME]
    try:
        parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(parent).free
        number = 1
        # The number also keeps names apart that systems reserve.
        while (folder := parent / f"{safe}_{number:02d}").exists():
            number += 1
        if free >= size:
            folder.mkdir()
            _unfinished.add(folder)
            return folder
    except OSError as error:
        raise not_writable(parent, error) from error
    raise NotWritable(
        f"The frames need about {_size_text(size)}, but {parent} has {_size_text(free)} left; free some, "
        "or save the .blend file elsewhere."
    )


def finished(folder: Path) -> None:
    """The frames of a new folder are complete, and stay."""
    _unfinished.discard(folder)


def remove(folder: Path) -> None:
    """Remove the frames of a new folder, and the folders that then are empty."""
    # What another program holds open stays; a folder is only removed when it is empty.
    with suppress(OSError):
        for path in [path for path in folder.iterdir() if is_frame_file(path)]:
            path.unlink()
        folder.rmdir()
        _unfinished.discard(folder)
        folder.parent.rmdir()


def remove_unfinished() -> None:
    """Remove all frames that are not complete: Blender ends."""
    for _ in range(REMOVALS):
        for folder in tuple(_unfinished):
            remove(folder)
        if _unfinished:  # a thread was writing one more
            time.sleep(REMOVAL_PAUSE)


def _size_text(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"


def not_writable(place: Path, error: OSError) -> NotWritable:
    """What to say when a folder cannot be written to."""
    return NotWritable(
        f"Cannot write to {place} ({error.strerror or error}); make room or save the .blend file in a folder that can "
        "be written, or keep the frames in the file. Nothing was left there."
    )


def missing_frames(folder: Path, count: int) -> int:
    """How many of the frames 1 to `count` a folder does not hold."""
    try:
        found = {path.name for path in folder.iterdir()}
    except OSError:
        return count
    return sum(frame_path(folder, number).name not in found for number in range(1, count + 1))
