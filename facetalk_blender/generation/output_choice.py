"""Which writer the options ask for, and what the engine is asked to send it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import bpy
import numpy as np

from ..look import appearance, face_detail
from ..look.material import material_pieces
from ..look.skin_traits import set_traits
from ..outputs.curves import expression_curves
from ..outputs.frames.frame_meshes import FrameMeshes
from ..outputs.frames.frames_in_cache import kept_files
from ..outputs.frames.frames_in_file import kept_meshes
from ..outputs.result_writer import ResultWriter
from ..outputs.shape_keys import ShapeKeys
from ..takes.head_rotation import pose_of
from ..takes.take import STYLE_PROPERTY
from .options import Options
from .strip_take import StripTake

REST_CODES = 8  # after a take, in which the face goes to rest
RAMP = np.array([1.0, 1.0, 0.84, 0.5, 0.16, 0.0, 0.0, 0.0, 0.0], np.float32)  # of the last code, one more than that
CONTEXT_CODES = 8  # beyond a range of new codes, how many more the interpolation between codes still feels


class OutputChoice:
    """Makes writers for a take. Raises EngineError when targets of curves cannot be used."""

    def __init__(self, options: Options):
        self._options = options
        on_targets = options.output == "EXPRESSION_CURVES" and options.curves.targets
        self._plans = expression_curves.plans(options.curves) if on_targets else []

    def materials(self) -> Iterator[None]:
        """Make the materials and node groups of a head, unless there will be none."""
        if not self._plans:
            yield from material_pieces()
            yield from face_detail.group_pieces()

    def writer(
        self, spoken: StripTake, frames: range, frame_size: float, bundle: str
    ) -> tuple[ResultWriter, dict, dict]:
        """A new writer, and fields and arrays of the question whose answers it writes.

        frames: of the scene. frame_size: bytes that one is expected to take. bundle: its name.
        Raises DataBlockLost when the scene or the take is gone, and EngineError when there is no room.
        """
        scene, text = spoken.follow_strip(), spoken.text()
        options, taken = self._options, spoken.take
        arrays = {"codes": taken.codes} | ({} if taken.pose is None else {"pose": taken.pose})
        if options.output == "SHAPE_KEYS":
            writer = ShapeKeys(scene, spoken.clip, text, len(taken.codes), taken.rate)
        elif options.output == "EXPRESSION_CURVES":
            common = (scene, spoken.clip, text, taken.styled(options.style), options.curves)
            writer = expression_curves.writer(*common, self._plans)
        else:
            arrays = {name: _with_rest(rows) for name, rows in arrays.items()}
            writer = self._frame_meshes(scene, text, spoken, frames, frame_size * len(frames), bundle)
            arrays["times"] = writer.times
        if isinstance(writer, ResultWriter):
            appearance.set_colors(writer.result(), options.skin_color, options.eye_color)
            set_traits(writer.result(), options.skin_traits)
            writer.result()[STYLE_PROPERTY] = json.dumps(asdict(options.style))
            pose = pose_of(taken.styled(options.style))
            writer.pose = None if pose is None else (pose, taken.rate)
        fields = {"rate": taken.rate, "resolution": options.resolution, "identity": options.identity}
        return writer, fields | {"style": asdict(options.style)}, arrays

    def _frame_meshes(
        self,
        scene: bpy.types.Scene,
        text: bpy.types.Text,
        spoken: StripTake,
        frames: range,
        size: float,
        bundle: str,
    ) -> FrameMeshes:
        storage, look = self._options.storage, self._look(spoken, bundle)
        # In the file, or in a new folder of a cache.
        folder = storage.new_folder(text.name, size) if storage.in_cache(size) else None
        kept = self._kept_frames(scene, spoken, frames, look, cached=folder is not None)
        whole = frames == range(spoken.clip.frame_start, spoken.clip.frame_end)
        rest_time = (len(spoken.take.codes) + REST_CODES) / spoken.take.rate if whole else None
        return FrameMeshes(scene, spoken.clip, text, frames, look, folder, kept, rest_time, storage.coherent)

    def _kept_frames(
        self, scene: bpy.types.Scene, spoken: StripTake, frames: range, look: str, cached: bool
    ) -> dict[int, int] | dict[int, Path]:
        """Frames of the source's head that show the same codes and are kept in the same way, by scene frame."""
        if not spoken.new_codes:
            return {}
        first, last = spoken.new_codes
        rate = spoken.take.rate
        context = CONTEXT_CODES + self._options.style.reach(rate)
        low, high = first - context, last + context
        outside = [frame for frame in frames if not low <= spoken.clip.time_of(frame) * rate <= high]
        find = kept_files if cached else kept_meshes
        return find(scene, spoken.source(), outside, look)

    def _look(self, spoken: StripTake, bundle: str) -> str:
        """What two heads must share to share meshes."""
        options = self._options
        facts = (options.resolution, options.identity, options.skin_color, options.eye_color, bundle)
        facts += (options.style,) if options.style.changes else ()
        return " ".join(map(str, (*facts, spoken.clip.frame_zero, spoken.clip.frames_per_second)))


def _with_rest(codes: np.ndarray) -> np.ndarray:
    """Codes or poses (N, D) with those that lead from the last one to rest."""
    return np.concatenate([codes, RAMP[:, None] * codes[-1]])
