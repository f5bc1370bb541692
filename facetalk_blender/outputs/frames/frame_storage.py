"""Where frame meshes are kept: the choice before they are made, and what has become of a result's frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy

from ...sound.strip_link import SCENE_PROPERTY
from ..result import FRAMES_PROPERTY, results_of_take
from . import cache_folder, frames_in_cache, frames_in_file, usd_frame
from .frame_timing import Timing
from .recent_answer import RecentAnswer

SHARE_OF_MEMORY = usd_frame.BYTES_PER_VERTEX / frames_in_file.BYTES_PER_VERTEX  # what files take of it
DEFAULT_LIMIT = 1.5e9
MISSING_FRAMES: RecentAnswer[int] = RecentAnswer()  # by folder and number of frames


@dataclass(frozen=True)
class FrameStorage:
    """choice: "AUTOMATIC", "FILE" or "CACHE"; limit: bytes of memory up to which "AUTOMATIC" keeps frames in the file.

    folder: in which folders of frames are made; empty: see `cache_folder.default_parent`.
    coherent: whether frames in the file are made alike (`frame_coherence`), which takes time and makes small files
    where these are compressed as a whole.
    """

    choice: str = "AUTOMATIC"
    limit: float = DEFAULT_LIMIT
    folder: str = ""
    coherent: bool = False

    def in_cache(self, size: float) -> bool:
        """Whether frames that take `size` bytes of memory go to a cache folder."""
        if self.choice == "AUTOMATIC":
            return size > self.limit and not cache_folder.missing_support()
        return self.choice == "CACHE"

    def parent(self) -> Path:
        """In which folder a folder of frames is made."""
        return Path(self.folder) if self.folder else cache_folder.default_parent()

    def new_folder(self, name: str, size: float) -> Path:
        """Make a folder for frames that would take `size` bytes of memory. Raises EngineError."""
        return cache_folder.new_folder(self.parent(), name, SHARE_OF_MEMORY * size)


def result_with_frames(text: bpy.types.Text | None) -> bpy.types.Object | None:
    """The frame meshes that were made from a take, if there are any."""
    if text is None:
        return None
    made = results_of_take(text[SCENE_PROPERTY], text)
    return next((item for item in made if FRAMES_PROPERTY in item or frames_in_cache.player(item)), None)


def is_cached(owner: bpy.types.Object) -> bool:
    """Whether the frames of a result are in a cache folder."""
    return frames_in_cache.player(owner) is not None


def place(owner: bpy.types.Object) -> str:
    """Where the frames of a result are, for people."""
    if not is_cached(owner):
        return "Frames are in the file"
    path = frames_in_cache.player(owner).cache_file.filepath
    return f"Frames are in {Path(path.removeprefix('//')).parent}"


def cache_problem(owner: bpy.types.Object) -> str:
    """Why a cached result cannot be shown, in one sentence that names the fix; empty when it can."""
    first, timing = frames_in_cache.cached_path(owner), Timing.of_owner(owner)
    if first is None or timing is None:
        return "The player of this head was changed; use Make Output."
    asked = first.parent, timing.count
    missing = MISSING_FRAMES.get(asked, lambda: cache_folder.missing_frames(*asked))
    if missing:
        what = "The frames" if missing == timing.count else f"{missing} of {timing.count} frames"
        return f"{what} are missing in {first.parent}; use Find Frames, or make them again with Make Output."
    return cache_folder.missing_support()
