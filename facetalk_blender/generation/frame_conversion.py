"""Moves the frames of a finished result from the file to a cache folder or back, in pieces, without the engine."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from pathlib import Path

import bpy
import numpy as np

from ...engine.shared.errors import EngineError
from ..blender_data.datablocks import DataBlockLost, resolve
from ..look.appearance import COLOR_ATTRIBUTE, Look
from ..outputs.frames import frames_in_cache, frames_in_file
from ..outputs.frames.frame_storage import FrameStorage
from ..outputs.frames.frame_timing import Timing
from ..outputs.frames.frame_unpacking import add_unpacking
from ..outputs.frames.frame_writer import PLAYER_NAME, FrameWriter
from ..outputs.frames.frames_in_cache import FramesInCache
from ..outputs.frames.frames_in_file import FRAME_PROPERTY, FramesInFile
from ..outputs.frames.region_groups import look_below
from ..outputs.frames.usd_frame import VALUE_ATTRIBUTES, FrameMesh, frame_path, read_frame
from ..outputs.result import FRAMES_PROPERTY
from ..outputs.result_writer import BYTES_PER_VERTEX
from .job import Job, State

PIECE_SECONDS = 0.003
TICK_SECONDS = 0.008


class Conversion(Job):
    """One run. The object stays, with all an artist gave it.

    Until all frames are there, the result is as it was, and so it is after a failure or `cancel`. Files of a cache are
    never removed: other .blend files may show them.
    """

    def __init__(self, scene: bpy.types.Scene, owner: bpy.types.Object, storage: FrameStorage):
        """To a cache when the frames are in the file, else back. Raises EngineError when that is not possible."""
        super().__init__(State.SURFACES)
        timing, self._cached = Timing.of_owner(owner), frames_in_cache.player(owner) is not None
        if timing is None or PLAYER_NAME not in owner.modifiers or not (self._cached or _objects(owner)):
            raise EngineError("The player of this head was changed; use Make Output.")
        self.stage_text = "Moving frames into the file" if self._cached else "Moving frames to a cache folder"
        self.result_name = owner.name
        self._owner, self._count = owner.session_uid, timing.count
        place = (scene, owner, timing)
        self._store: FrameWriter
        if self._cached:
            first = frames_in_cache.cached_path(owner)
            self._folder = first.parent
            self._sources = [frame_path(self._folder, number + 1) for number in range(timing.count)]
            self._store = FramesInFile(*place)
        else:
            frames = _objects(owner)
            self._sources = [item.session_uid for item in frames]
            size = BYTES_PER_VERTEX * len(frames[0].data.vertices) * len(frames)
            self._folder = storage.new_folder(owner.name, size)
            self._store = FramesInCache(*place, self._folder)
        self._deadline = 0.0
        self._work = self._steps()

    def tick(self, seconds: float = TICK_SECONDS) -> bool:
        """Work for about `seconds`, in pieces of a few milliseconds; False once it has ended."""
        self._deadline = time.perf_counter() + seconds
        try:
            while self.running and time.perf_counter() < self._deadline and next(self._work):
                pass
        except StopIteration:
            self.state, self.fraction = State.DONE, 1.0
        except DataBlockLost:
            self._fail("The head or one of its frames was deleted; undo that, or use Make Output.")
        except EngineError as error:
            self._fail(str(error))
        except (OSError, ValueError) as error:
            self._fail(f"A frame in {self._folder} cannot be read ({error}); use Make Output. The head is as it was.")
        return self.running

    def cancel(self) -> None:
        """Leave everything as it was."""
        if self.state is State.FINISH:
            self.run()  # the earlier frames may be gone already
        elif self.running:
            self._store.discard()
            self.state = State.CANCELLED

    def start_again(self) -> None:
        """An undo or redo may have taken what is being made."""
        if self.running:
            self._fail("Undo ended it, and the head is as it was; start it again.")

    def _fail(self, reason: str) -> None:
        self._store.discard()
        self.state, self.error = State.FAILED, reason

    def _steps(self) -> Iterator[bool]:
        """The work; False: nothing to do just now."""
        while not self._store.prepare(PIECE_SECONDS):
            yield True
        for position, source in enumerate(self._sources):
            while not self._store.ready:
                self._store.work(self._deadline)
                yield False
            if isinstance(source, Path):
                self._store.add(position, read_frame, source)
            else:
                frame = yield from _read_pieces(source)
                self._store.add(position, lambda frame: frame, frame)
            self.fraction = position / self._count
        while not self._store.work(self._deadline):
            yield False
        self.state = State.FINISH
        yield from self._exchange()

    def _exchange(self) -> Iterator[bool]:
        owner = resolve(bpy.data.objects, self._owner)
        place, removal = owner.modifiers.find(PLAYER_NAME), iter(())
        if self._cached:
            frames_in_cache.remove_player(owner)
        else:
            removal = frames_in_file.remove_player(owner)
            next(removal)
        self._store.attach()
        owner.modifiers.move(owner.modifiers.find(PLAYER_NAME), place)
        if not self._cached:
            add_unpacking(owner)
        look_below(owner)
        yield False
        for _ in self._store.finish():
            yield False
        for _ in removal:
            yield True
        self.notes = [f"The frames are in {self._folder} now."]
        if self._cached:
            self.notes = [f"The files in {self._folder} were kept, since another .blend file may show them."]


def _objects(owner: bpy.types.Object) -> list[bpy.types.Object]:
    """The frames in the file, in order."""
    frames = owner.get(FRAMES_PROPERTY)
    objects = frames.objects if isinstance(frames, bpy.types.Collection) else ()
    return sorted(objects, key=lambda item: item.get(FRAME_PROPERTY, 0))


def _read_pieces(uid: int) -> Generator[bool, None, FrameMesh]:
    """What the object of a frame shows: a piece of work per item."""
    mesh = resolve(bpy.data.objects, uid).data
    vertices, corners = np.empty((len(mesh.vertices), 3), "f4"), np.empty(len(mesh.loops), "i4")
    starts, slots = np.empty(len(mesh.polygons), "i4"), np.zeros(len(mesh.polygons), "i4")
    mesh.attributes["position"].data.foreach_get("vector", vertices.ravel())
    mesh.attributes[".corner_vert"].data.foreach_get("value", corners)
    if "material_index" in mesh.attributes:
        mesh.attributes["material_index"].data.foreach_get("value", slots)
    yield True
    mesh = resolve(bpy.data.objects, uid).data
    if len(corners) == 3 * len(starts):  # triangles, since none has fewer; asking Blender takes many times longer
        starts[:] = np.arange(0, len(corners), 3)
    else:
        mesh.polygons.foreach_get("loop_start", starts)
    values = {}
    for name in VALUE_ATTRIBUTES:
        if name in mesh.attributes:
            width, member = (4, "color") if name == COLOR_ATTRIBUTE else (3, "vector")
            values[name] = np.empty((len(vertices), width), "f4")
            mesh.attributes[name].data.foreach_get(member, values[name].ravel())
    yield True
    return FrameMesh(vertices, corners, starts, Look(values, slots))
