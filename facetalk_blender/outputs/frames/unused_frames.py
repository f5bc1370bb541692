"""Folders of frames beside the .blend file that nothing in it shows any more: found, and deleted on request.

Only what lies in the file's own `NAME_frames` folder, holds nothing but frames and can be read as FaceTalk's counts.
Folders of unsaved files are never offered: nothing says which file shows them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import bpy

from .cache_folder import default_parent
from .recent_answer import RecentAnswer
from .usd_frame import frame_path, is_frame_file, is_shared_file, read_frame

LIKELY: RecentAnswer[bool] = RecentAnswer()  # by the folder beside the file and those that are shown


@dataclass(frozen=True)
class UnusedFolder:
    """A folder of frames that can go. files: its names; size: bytes on disk."""

    path: Path
    files: tuple[str, ...]
    size: int

    @property
    def frames(self) -> int:
        """How many frames go with it."""
        return sum(not is_shared_file(Path(name)) for name in self.files)


def likely() -> bool:
    """Whether there may be some; quick enough to be drawn, since it is looked up at most every few seconds."""
    if not bpy.data.filepath:
        return False
    asked = default_parent(), frozenset(_shown())
    return LIKELY.get(asked, lambda: any(_measured(path) for path in _unshown()))


def unused_folders() -> list[UnusedFolder]:
    """All that can go, by name. Reads a frame of each, to be sure that it is FaceTalk's."""
    measured = [_measured(path) for path in _unshown()]
    return [folder for folder in measured if folder is not None and _is_ours(folder)]


def delete(folder: UnusedFolder) -> None:
    """Delete its files, the folder, and the one around it when that is empty then. Raises OSError; the rest stays."""
    LIKELY.clear()
    for name in folder.files:
        (folder.path / name).unlink(missing_ok=True)
    folder.path.rmdir()
    with suppress(OSError):
        folder.path.parent.rmdir()


def _shown() -> set[str]:
    """The folders that anything in the file shows, an artist's own objects and linked ones included."""
    paths = (bpy.path.abspath(cache.filepath, library=cache.library) for cache in bpy.data.cache_files)
    return {_place(Path(path).parent) for path in paths}


def _unshown() -> list[Path]:
    """Folders beside the file that nothing shows."""
    if not bpy.data.filepath:
        return []
    shown = _shown()
    try:
        folders = sorted(path for path in default_parent().iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return []
    return [path for path in folders if _place(path) not in shown]


def _place(path: Path) -> str:
    return os.path.normcase(os.path.realpath(path))


def _measured(path: Path) -> UnusedFolder | None:
    """A folder that holds nothing but frames; None of others."""
    names, size = [], 0
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if not entry.is_file(follow_symlinks=False) or not is_frame_file(Path(entry.name)):
                    return None
                names.append(entry.name)
                size += entry.stat().st_size
    except OSError:
        return None
    return UnusedFolder(path, tuple(sorted(names)), size) if names else None


def _is_ours(folder: UnusedFolder) -> bool:
    """Whether a frame of it, the first one if that is there, was written by FaceTalk."""
    first = frame_path(folder.path, 1)
    try:
        read_frame(first if first.name in folder.files else folder.path / folder.files[0])
    except (OSError, ValueError):
        return False
    return True
