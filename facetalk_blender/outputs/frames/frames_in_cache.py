"""Frames as files in a folder of their own, shown by Blender's Mesh Sequence Cache.

The cache file is a sequence whose frame is driven by the sound strip, so the head follows it as a head in the file
does. Nothing of the extension is needed to play, scrub or render.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import bpy

from ...blender_data.datablocks import resolve
from ...sound import playback
from ...sound.strip_link import STRIP_PROPERTY
from ..removal import remove_unused_players
from ..result import results_of_take
from . import cache_folder
from .frame_timing import REST, Timing
from .frame_unpacking import add_unpacking, remove_unpacking
from .frame_writer import LOOK_PROPERTY, PLAYER_NAME, FrameWriter
from .frames_in_file import BYTES_PER_VERTEX
from .region_groups import look_below
from .usd_frame import PRIM, FrameMesh, copy_frame, frame_path, write_frame

# The file that is heard now, counted from 1; the other names are the strip's and the scene's, see `playback.drive`.
NUMBER = (
    "floor(clamp((clamp(frame, left, right - 1) - ({start})) * {rate:.6f} * base / fps + 0.001, 0, {last})) + 1 "
    "if {shown} else {rest}"
)


def cached_path(owner: bpy.types.Object) -> Path | None:
    """The file that a cached result begins with; None of other objects."""
    modifier = player(owner)
    return Path(bpy.path.abspath(modifier.cache_file.filepath)) if modifier else None


def show_folder(owner: bpy.types.Object, folder: Path) -> None:
    """Have a cached result show the frames of another folder."""
    player(owner).cache_file.filepath = _relative(frame_path(folder, 1))
    add_unpacking(owner)
    look_below(owner)


def kept_files(scene: bpy.types.Scene, text: bpy.types.Text, frames: range, look: str) -> dict[int, Path]:
    """Files of scene frames in the cached result of a take; none when it looks otherwise."""
    for item in results_of_take(scene, text):
        first, timing = cached_path(item), Timing.of_owner(item)
        if first is not None and timing is not None and item.get(LOOK_PROPERTY) == look:
            by_frame = {f: frame_path(first.parent, f - timing.first_frame + 1) for f in frames}
            end = timing.first_frame + timing.spoken
            by_frame = {f: path for f, path in by_frame.items() if timing.first_frame <= f < end}
            by_frame |= {REST: frame_path(first.parent, timing.count)} if timing.rest else {}
            return {f: path for f, path in by_frame.items() if path.is_file()}
    return {}


def player(owner: bpy.types.Object) -> bpy.types.Modifier | None:
    """The modifier of a cached result that shows it; None of other objects."""
    found = owner.modifiers.get(PLAYER_NAME)
    return found if found is not None and found.type == "MESH_SEQUENCE_CACHE" and found.cache_file else None


def remove_player(owner: bpy.types.Object) -> None:
    """Take the modifier from a cached result; the files stay."""
    modifier = player(owner)
    cache = modifier.cache_file
    owner.modifiers.remove(modifier)
    remove_unpacking(owner)
    remove_unused_players([], [cache])


def part_player(owner: bpy.types.Object) -> None:
    """Give the copy of a cached result a cache file of its own; the files on disk are the same."""
    modifier = player(owner)
    if modifier is not None and modifier.cache_file.users > 1:
        modifier.cache_file = modifier.cache_file.copy()


def _relative(path: Path) -> str:
    if not bpy.data.filepath:
        return str(path)
    try:
        return bpy.path.relpath(str(path))
    except ValueError:  # on another drive
        return str(path)


class FramesInCache(FrameWriter):
    """A USD file for every frame in a new folder, see `cache_folder`. Work raises EngineError when writing fails.

    kept: files of an earlier cache by position, which are copied; these frames need not come.
    """

    def __init__(
        self,
        scene: bpy.types.Scene,
        owner: bpy.types.Object,
        timing: Timing,
        folder: Path,
        kept: dict[int, Path] | None = None,
    ):
        super().__init__(scene, owner, timing)
        self._folder = folder
        self._vertices = 0
        self._to_copy = list((kept or {}).items())

    @property
    def showable(self) -> bool:
        """Once there is a file: until others come, Blender shows the one that it has read last."""
        return frame_path(self._folder, 1).is_file()

    @property
    def ready(self) -> bool:
        """Whether another frame can be taken."""
        return super().ready and not self._to_copy

    def add(self, position: int, load: Callable[..., FrameMesh], *arguments) -> None:
        """Add a frame; a worker thread writes it."""
        self._queue.add(self._counted, _write, frame_path(self._folder, position + 1), load, *arguments)

    def work(self, deadline: float) -> bool:
        """Have frames written until the deadline; True when none is left."""
        while self._to_copy and super().ready:
            position, path = self._to_copy.pop()
            self._queue.add(self._counted, _copy, path, frame_path(self._folder, position + 1))
        try:
            return super().work(deadline) and not self._to_copy
        except OSError as error:
            raise cache_folder.not_writable(self._folder, error) from error

    def attach(self) -> None:
        """Add the modifier."""
        owner = self._resolve_owner()
        known = {cache.session_uid for cache in bpy.data.cache_files}
        path = frame_path(self._folder, 1)
        bpy.ops.cachefile.open(filepath=str(path))  # there is no other way to make one
        cache = next(cache for cache in bpy.data.cache_files if cache.session_uid not in known)
        cache.user_clear()  # the operator counts a user that is not there, so that nothing would ever remove it
        cache.name = owner.name
        cache.filepath = _relative(path)
        cache.is_sequence = cache.override_frame = True
        scene = resolve(bpy.data.scenes, self._scene)
        playback.drive(cache, "frame", scene, owner[STRIP_PROPERTY], self._number(self.timing.count - 1))
        modifier = owner.modifiers.new(PLAYER_NAME, "MESH_SEQUENCE_CACHE")
        modifier.cache_file, modifier.object_path = cache, f"/{PRIM}"
        add_unpacking(owner)

    def size(self) -> int:
        """About how many bytes of memory the meshes would take in the file."""
        return BYTES_PER_VERTEX * self._vertices * self.timing.count

    def finish(self) -> Iterator[None]:
        """Show no frames that never came."""
        yield from super().finish()
        cache = player(self._resolve_owner()).cache_file
        driver = cache.animation_data.drivers[0].driver
        driver.expression = self._number(self.written - 1)
        cache.update_tag()
        cache_folder.finished(self._folder)
        yield

    def discard(self) -> None:
        """Remove the files, and the folders that then are empty."""
        super().discard()
        cache_folder.remove(self._folder)

    def _counted(self, vertices: int) -> Iterator[None]:
        self._vertices = vertices or self._vertices
        self.written += 1
        yield

    def _number(self, last: int) -> str:
        """The driver's expression for files of which the last one has a position."""
        start = playback.FRAME_OF_FILE_TIME.format(self.timing.first_heard)
        shown = "frame >= left and frame < right and not mute" if self.timing.rest else "not mute"
        return NUMBER.format(start=start, rate=self.timing.rate, last=last, shown=shown, rest=self._rest() + 1)


def _write(path: Path, load: Callable[..., FrameMesh], *arguments) -> tuple[int]:
    """Write a frame; how many vertices it has. A worker thread calls it."""
    frame = load(*arguments)
    write_frame(path, frame.of_quads())
    return (len(frame.vertices),)


def _copy(source: Path, path: Path) -> tuple[int]:
    copy_frame(source, path)
    return (0,)
