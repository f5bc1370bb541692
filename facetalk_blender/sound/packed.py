"""Contents of packed sounds: Blender copies the whole of one whenever it is asked for it, which is done once.

The copy cannot be divided: 0.2 s for ten minutes of 16-bit stereo. Who needs it at the same time shares it, and it is
gone when nobody does; its first bytes, which tell how long a WAV file is, are remembered.
"""

from __future__ import annotations

import weakref

import bpy
import numpy as np

from .plain_wav import HEAD_BYTES


def key_of(sound: bpy.types.Sound) -> tuple:
    """What tells the packed content of a sound from others, without looking at it."""
    return "packed", sound.session_uid, sound.packed_file.size


class PackedContents:
    """Contents by the sound they are packed in."""

    def __init__(self):
        self._contents: weakref.WeakValueDictionary[tuple, np.ndarray] = weakref.WeakValueDictionary()
        self._heads: dict[tuple, bytes] = {}

    def of(self, sound: bpy.types.Sound) -> np.ndarray:
        """All bytes of a sound that is packed, uint8."""
        key = key_of(sound)
        content = self._contents.get(key)
        if content is None:
            content = self._contents[key] = np.frombuffer(sound.packed_file.data, np.uint8)
            self._heads[key] = content[:HEAD_BYTES].tobytes()
        return content

    def head(self, sound: bpy.types.Sound) -> bytes:
        """The first bytes of a sound that is packed, up to HEAD_BYTES."""
        key = key_of(sound)
        if key not in self._heads:
            self.of(sound)
        return self._heads[key]

    def clear(self) -> None:
        """Forget all."""
        self._contents.clear()
        self._heads.clear()


CONTENTS = PackedContents()


def content_of(sound: bpy.types.Sound | None) -> np.ndarray | None:
    """All bytes of a sound, uint8, if it is packed. Whoever keeps them spares others the copying."""
    return CONTENTS.of(sound) if sound is not None and sound.packed_file is not None else None
