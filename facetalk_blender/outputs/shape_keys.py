"""Shape Keys: one object of fixed topology, one absolute shape key per code frame, played by evaluation time.

The first key and the last one are the head at rest, to which playback goes outside the clip.
"""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from ..blender_data.datablocks import resolve
from ..sound.strip import Clip
from ..sound.strip_link import STRIP_PROPERTY
from .take_driver import drive_by_take
from .template_head import TemplateWriter

REST_KEY = "Rest"
REST_SECONDS = 0.15  # within which playback comes from and goes to the head at rest
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
        self._written += 1
        return _new_key(owner, f"Frame {index:04d}")

    def finish(self) -> Iterator[None]:
        """Drive the evaluation time, and remove earlier results of the same take."""
        scene = resolve(bpy.data.scenes, self._scene)
        _new_key(self.result(), REST_KEY)  # a new key has the shape of the mesh itself
        drive_evaluation_time(self.result(), scene, self._clip.audio_start, self._written, self._code_rate)
        yield from super().finish()


def drive_evaluation_time(
    owner: bpy.types.Object, scene: bpy.types.Scene, audio_start: float, code_count: int, code_rate: float
) -> None:
    """Let `eval_time` follow the strip, at one key per code frame; a muted strip shows the head at rest.

    owner: the result; audio_start: the second of the sound file that its first code frame shows. Before the take and
    after it the head goes to rest; where a handle hides a part of the take, it rests at once.
    """
    end = (code_count - 1) / code_rate
    # The first key is the neutral head, so code frame i lies at (i + 1) times the spacing.
    key_at = {-REST_SECONDS: 0, 0.0: 1, end: code_count, end + REST_SECONDS: code_count + 1}
    points = [(second, number * KEY_SPACING) for second, number in key_at.items()]
    drive_by_take(owner.data.shape_keys, "eval_time", scene, owner[STRIP_PROPERTY], audio_start, end, points)


def _new_key(owner: bpy.types.Object, name: str) -> bpy.types.ShapeKey:
    block = owner.shape_key_add(name=name, from_mix=False)
    # Catmull-Rom passes through every key and is smooth between them, like the codes themselves.
    block.interpolation = "KEY_CATMULL_ROM"
    return block
