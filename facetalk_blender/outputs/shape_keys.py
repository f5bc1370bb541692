"""Shape Keys: one object of fixed topology, one absolute shape key per code frame, played by evaluation time."""

from __future__ import annotations

import bpy
import numpy as np

from ...engine.protocol import Message
from .. import playback
from ..sound_strip import Clip
from . import result
from .template_head import write_template

KEY_SPACING = 10.0  # evaluation time from one absolute key to the next, fixed by Blender


class ShapeKeys(result.ResultWriter):
    """Writes one generation."""

    request_kind = "shape_keys"

    def __init__(self, scene: bpy.types.Scene, clip: Clip, text: bpy.types.Text, code_count: int, code_rate: float):
        super().__init__(scene, clip, text)
        self._code_rate = code_rate
        self.frame_count = code_count

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
        """Drive the evaluation time, remove earlier results of the same take and return the object."""
        scene = result.resolve(bpy.data.scenes, self._scene)
        drive_evaluation_time(self.result().data.shape_keys, scene, self._clip, self._written, self._code_rate)
        return super().finish()

    def _add_key(self, owner: bpy.types.Object, name: str, positions: np.ndarray) -> None:
        block = owner.shape_key_add(name=name, from_mix=False)
        # Catmull-Rom passes through every key and is smooth between them, like the codes themselves.
        block.interpolation = "KEY_CATMULL_ROM"
        block.points.foreach_set("co", np.ascontiguousarray(positions, np.float32).ravel())


def drive_evaluation_time(
    keys: bpy.types.Key, scene: bpy.types.Scene, clip: Clip, code_count: int, code_rate: float
) -> None:
    """Let `eval_time` follow the strip, at one key per code frame; a muted strip shows the neutral head."""
    file_time = "(clamp(frame, left, right - 1) - start + trim) * base / fps - delay"
    code = f"clamp(({file_time} - {clip.audio_start:.6f}) * {code_rate:g}, 0, {code_count - 1})"
    # The first key is the neutral head, so code frame i lies at (i + 1) times the spacing.
    expression = f"(1 - mute) * {KEY_SPACING:g} * (1 + {code})"
    playback.drive(keys, "eval_time", scene, clip.strip_name, expression)
