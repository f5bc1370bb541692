"""What both places for the frames of frame meshes share: meshes in the file, files in a cache folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import bpy

from ...blender_data.datablocks import resolve
from ...blender_data.piece_queue import PieceQueue
from .frame_timing import Timing
from .usd_frame import FrameMesh

PLAYER_NAME = "FaceTalk Player"  # of the modifier that shows the frames
LOOK_PROPERTY = "facetalk_look"  # on a result of frame meshes: two of the same look may share meshes


class FrameWriter:
    """Stores the frames of one object and shows them with a modifier. Data-blocks are looked up at every call."""

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

    def add(self, position: int, load: Callable[..., FrameMesh], *arguments) -> None:
        """Add a frame, which `load(*arguments)` makes in a worker thread; `work` stores it."""
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

    def _rest(self) -> int:
        """Position of the head at rest; of the first frame when it has not come, or is not wanted."""
        return self.timing.count - 1 if self.timing.rest and self.written == self.timing.count else 0

    def _resolve_owner(self) -> bpy.types.Object:
        return resolve(bpy.data.objects, self._owner)
