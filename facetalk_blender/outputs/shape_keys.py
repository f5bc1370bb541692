"""Shape Keys: one object of fixed topology, one absolute shape key per code frame, played by evaluation time."""

from __future__ import annotations

import bpy
import numpy as np

from ...engine.protocol import Message
from .. import compat, playback
from ..sound_strip import Clip
from . import result
from .template_head import write_template

KEY_SPACING = 10.0  # evaluation time from one absolute key to the next, fixed by Blender


class ShapeKeys(result.ResultWriter):
    """Writes one generation."""

    request_kind = "shape_keys"

    def __init__(self, scene: bpy.types.Scene, clip: Clip, code_count: int, code_rate: float):
        super().__init__(scene, clip)
        self._code_rate = code_rate
        self.frame_count = code_count

    def prepare(self, seconds: float) -> bool:
        """Nothing to make room for."""
        return True

    def write(self, message: Message) -> None:
        """Take the "template" or "positions" of the engine. Raises ResultLost when the object was deleted meanwhile."""
        owner = self.result()
        if message.kind == "template":
            write_template(owner, message)
            owner.data.shape_keys.use_relative = False
        elif message.kind == "positions":
            self._add_key(owner, f"Frame {self._written:04d}", message.arrays["vertices"])
            self._written += 1

    def finish(self) -> bpy.types.Object:
        """Key the evaluation time, replace earlier results and return the object."""
        owner = self.result()
        scene = result.resolve(bpy.data.scenes, self._scene)
        key_evaluation_time(owner.data.shape_keys, self._clip, self._written, self._code_rate)
        playback.remember_strip(owner.data.shape_keys, scene, self._clip)
        result.replace_earlier(scene, owner)
        return owner

    def _add_key(self, owner: bpy.types.Object, name: str, positions: np.ndarray) -> None:
        block = owner.shape_key_add(name=name, from_mix=False)
        # Catmull-Rom passes through every key and is smooth between them, like the codes themselves.
        block.interpolation = "KEY_CATMULL_ROM"
        block.points.foreach_set("co", np.ascontiguousarray(positions, np.float32).ravel())


def key_evaluation_time(keys: bpy.types.Key, clip: Clip, code_count: int, code_rate: float) -> None:
    """Key `eval_time` linearly from the first code frame to the last, in an action of its own."""
    moments = (0.0, max((code_count - 1) / code_rate, 1e-3))
    # The first key is the neutral head, so code frame i lies at (i + 1) times the spacing.
    values = [KEY_SPACING * (1.0 + moment * code_rate) for moment in moments]
    action = bpy.data.actions.new(f"{keys.user.name} Evaluation Time")
    keys.animation_data_create().action = action
    curve = compat.evaluation_time_curve(keys)
    curve.keyframe_points.add(2)
    for point, moment, value in zip(curve.keyframe_points, moments, values, strict=True):
        point.co = (clip.frame_of(moment), value)
        point.interpolation = "LINEAR"
    curve.update()
