"""Frame Meshes: one mesh of any topology per scene frame, kept in the file or in a cache folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np

from ....engine.shared.protocol import Message
from ...blender_data.mesh_building import corners_of
from ...hair.worn import remember_places
from ...look import appearance, face_detail
from ...look.material import dress_object
from ...look.refinement import refined
from ...sound.strip import Clip
from .. import head_pose
from ..result_writer import ResultWriter
from .frame_timing import REST, Timing
from .frame_writer import LOOK_PROPERTY, FrameWriter
from .frames_in_cache import FramesInCache
from .frames_in_file import FramesInFile
from .region_groups import add_groups, move_groups_below
from .usd_frame import FrameMesh


class FrameMeshes(ResultWriter):
    """Writes one generation.

    look: two results of the same look may share meshes.
    rest_time: seconds of the take at which the head rests, to be shown outside the clip; None makes no such frame.
    folder: of the cache; None keeps the meshes in the file.
    coherent: whether frames in the file are made alike, see `FrameStorage`.
    kept: by scene frame, what is used again instead of asking for new ones: session_uids of meshes, or cached files.
    """

    request_kind = "surfaces"

    def __init__(
        self,
        scene: bpy.types.Scene,
        clip: Clip,
        text: bpy.types.Text,
        frames: range,
        look: str = "",
        folder: Path | None = None,
        kept: dict[int, int] | dict[int, Path] | None = None,
        rest_time: float | None = None,
        coherent: bool = False,
    ):
        super().__init__(scene, clip, text)
        owner = self.result()
        owner[LOOK_PROPERTY] = look
        dress_object(owner)
        self._scene_frames = frames
        wanted = [*frames] if rest_time is None else [*frames, REST]
        used = {position: kept[frame] for position, frame in enumerate(wanted) if kept and frame in kept}
        timing = Timing.of_clip(clip, frames, rest_time is not None)
        self._times = [clip.time_of(frame) for frame in frames]
        if rest_time is not None:
            self._times.append(rest_time)
        self._asked = [position for position in range(timing.count) if position not in used]
        place = (scene, owner, timing)
        self._frame_writer: FrameWriter
        if folder:
            self._frame_writer = FramesInCache(*place, folder, used)
        else:
            self._frame_writer = FramesInFile(*place, used, coherent)
        self._attached = False

    @property
    def frame_count(self) -> int:
        """How many frames this output has when complete."""
        return len(self._scene_frames)

    @property
    def times(self) -> np.ndarray:
        """Seconds from the start of the take, of every frame that is asked for; (F,) float64."""
        return np.array([self._times[position] for position in self._asked], np.float64)

    @property
    def written(self) -> int:
        """How many frames are stored. The last one counts once the head at rest is there too."""
        stored, timing = self._frame_writer.written, self._frame_writer.timing
        return stored - timing.rest if stored >= timing.spoken else stored

    @property
    def ready(self) -> bool:
        """Whether another message can be taken; else the engine waits."""
        return self._frame_writer.ready

    def prepare(self, seconds: float) -> bool:
        """Make room for frames for at most about `seconds`; True once there is room for all."""
        self._attach()
        return self._frame_writer.prepare(seconds)

    def write(self, message: Message) -> None:
        """Take a "surface" of the engine; `work` stores it."""
        if message.kind != "surface":
            return
        if "template_rest" in message.arrays:
            remember_places(self.result(), message.arrays["template_rest"])
        position = self._asked[int(message.fields["index"])]
        colors = appearance.colors_of(self.result())
        self._frame_writer.add(position, _frame_of_message, message.fields, message.arrays, colors)

    def work(self, deadline: float) -> bool:
        """Store frames until the deadline; True when none is left.

        Raises DataBlockLost when an object was deleted, EngineError when files cannot be written.
        """
        idle = self._frame_writer.work(deadline)
        self._attach()
        return idle

    def size(self) -> int:
        """About how many bytes of memory the meshes take."""
        return self._frame_writer.size()

    def finish(self) -> Iterator[None]:
        """Drop the room of frames that never came, and remove earlier results of the same take."""
        yield from self._frame_writer.finish()
        yield from super().finish()
        for name in (head_pose.MODIFIER_NAME, face_detail.MODIFIER_NAME):
            move_groups_below(self.result(), name)

    def discard(self) -> None:
        """Remove everything that was written; results that it had hidden are as the artist left them."""
        super().discard()
        self._frame_writer.discard()

    def _attach(self) -> None:
        if not self._attached and self._frame_writer.showable:
            self._frame_writer.attach()
            add_groups(self.result())
            self._attached = True


def _frame_of_message(
    fields: dict, arrays: dict[str, np.ndarray], colors: tuple[appearance.Color, appearance.Color]
) -> FrameMesh:
    """A "surface" of the engine. NumPy only: a worker thread calls it."""
    regions = appearance.Regions.of_message(fields, arrays)
    corners_of(arrays["faces"], len(arrays["vertices"]))  # raises when a corner is none of the vertices
    vertices, faces, regions, ends = refined(arrays["vertices"], arrays["faces"], regions)
    corners, starts = corners_of(faces, len(vertices))
    look = appearance.Look.of(regions, faces, colors)
    return FrameMesh(vertices, corners, starts, look, ends)
