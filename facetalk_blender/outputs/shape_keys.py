"""Shape Keys: one object of fixed topology, one absolute shape key per code frame, played by evaluation time."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from ..blender_data.datablocks import resolve
from ..sound import playback
from ..sound.strip import Clip
from ..sound.strip_link import STRIP_PROPERTY
from .template_head import TemplateWriter

KEY_SPACING = 10.0  # evaluation time from one absolute key to the next, fixed by Blender


class ShapeKeys(TemplateWriter):
    """Writes one generation."""

    request_kind = "shape_keys"

    def __init__(self, scene: bpy.types.Scene, clip: Clip, text: bpy.types.Text, code_count: int, code_rate: float):
        super().__init__(scene, clip, text)
        self._code_rate = code_rate
        self.frame_count = code_count

    def add_key(self, owner: bpy.types.Object, index: int) -> bpy.types.ShapeKey:
        """Add the absolute key of a code frame."""
        owner.data.shape_keys.use_relative = False
        block = owner.shape_key_add(name=f"Frame {index:04d}", from_mix=False)
        # Catmull-Rom passes through every key and is smooth between them, like the codes themselves.
        block.interpolation = "KEY_CATMULL_ROM"
        self._written += 1
        return block

    def finish(self) -> Iterator[None]:
        """Drive the evaluation time, and remove earlier results of the same take."""
        scene = resolve(bpy.data.scenes, self._scene)
        drive_evaluation_time(self.result(), scene, self._clip.audio_start, self._written, self._code_rate)
        yield from super().finish()


def drive_evaluation_time(
    owner: bpy.types.Object, scene: bpy.types.Scene, audio_start: float, code_count: int, code_rate: float
) -> None:
    """Let `eval_time` follow the strip, at one key per code frame; a muted strip shows the neutral head.

    owner: the result; audio_start: the second of the sound file that its first code frame shows.
    """
    file_time = "(clamp(frame, left, right - 1) - start + trim) * base / fps - delay"
    code = f"clamp(({file_time} - {audio_start:.6f}) * {code_rate:g}, 0, {code_count - 1})"
    # The first key is the neutral head, so code frame i lies at (i + 1) times the spacing.
    expression = f"(1 - mute) * {KEY_SPACING:g} * (1 + {code})"
    playback.drive(owner.data.shape_keys, "eval_time", scene, owner[STRIP_PROPERTY], expression)
