"""What both places for the frames of frame meshes share: meshes in the file, files in a cache folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import bpy

from ...blender_data.datablocks import resolve
from ...blender_data.piece_queue import PieceQueue
from ...sound.strip import Clip
from .frame_file import FrameMesh

PLAYER_NAME = "FaceTalk Player"  # of the modifier that shows the frames
TIMING_PROPERTY = "facetalk_timing"  # on a result of frame meshes, see `Timing`


@dataclass(frozen=True)
class Timing:
    """What the frames of an object are.

    first_heard: seconds in the sound file at which the first frame is heard; rate: frames per second;
    first_frame: scene frame of the first when it was made; count: how many there are.
    """

    first_heard: float
    rate: float
    first_frame: int
    count: int

    @classmethod
    def of_clip(cls, clip: Clip, frames: range) -> Timing:
        """The timing of scene frames of a clip."""
        first_heard = clip.audio_start + clip.time_of(frames[0])
        return cls(first_heard, clip.frames_per_second, frames[0], len(frames))

    @classmethod
    def of_owner(cls, owner: bpy.types.Object) -> Timing | None:
        """The timing that `keep` has kept."""
        kept = owner.get(TIMING_PROPERTY)
        return cls(kept[0], kept[1], int(kept[2]), int(kept[3])) if kept is not None and len(kept) == 4 else None

    def keep(self, owner: bpy.types.Object, count: int) -> None:
        """Keep it on an object that shows `count` frames."""
        owner[TIMING_PROPERTY] = [self.first_heard, self.rate, float(self.first_frame), float(count)]


class FrameStore:
    """Takes the frames of one object and shows them with a modifier. Data-blocks are looked up at every call."""

    def __init__(self, scene: bpy.types.Scene, owner: bpy.types.Object, timing: Timing):
        self.timing = timing
        self.written = 0
        self._scene = scene.session_uid
        self._owner = owner.session_uid
        self._queue = PieceQueue()

    @property
    def ready(self) -> bool:
        """Whether another frame can be taken."""
        return not self._queue.full

    @property
    def showable(self) -> bool:
        """Whether there is something for `attach` to show."""
        raise NotImplementedError

    def prepare(self, seconds: float) -> bool:
        """Make room for frames for at most about `seconds`; True once there is room for all."""
        return True

    def take(self, position: int, load: Callable[..., FrameMesh], *arguments) -> None:
        """Take a frame, which `load(*arguments)` makes in a worker thread; `work` stores it."""
        raise NotImplementedError

    def work(self, deadline: float) -> bool:
        """Store frames until the deadline; True when none is left. Raises DataBlockLost, and what `load` raises."""
        return self._queue.work(deadline)

    def attach(self) -> None:
        """Have the object show the frames."""
        raise NotImplementedError

    def size(self) -> int:
        """About how many bytes of memory the meshes of all frames take, shown one after the other."""
        raise NotImplementedError

    def finish(self) -> Iterator[None]:
        """End, with the frames that have come."""
        self._queue.end()
        self.timing.keep(self._resolve_owner(), self.written)
        yield

    def discard(self) -> None:
        """Remove what was stored."""
        self._queue.end()

    def _resolve_owner(self) -> bpy.types.Object:
        return resolve(bpy.data.objects, self._owner)
