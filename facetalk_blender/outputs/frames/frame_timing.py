"""When the frames of a head are shown: kept on the object, so that its frames can be moved and used again."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from ...sound.strip import Clip

REST = -(1 << 30)  # stands for a scene frame outside the clip, at which the head rests
TIMING_PROPERTY = "facetalk_timing"  # on a result of frame meshes, see `Timing`


@dataclass(frozen=True)
class Timing:
    """What the frames of an object are.

    first_heard: seconds in the sound file at which the first frame is heard; rate: frames per second;
    first_frame: scene frame of the first when it was made; count: how many there are; rest: whether the last of them is
    the head at rest, which is shown outside the clip.
    """

    first_heard: float
    rate: float
    first_frame: int
    count: int
    rest: bool = False

    @property
    def spoken(self) -> int:
        """How many frames are heard."""
        return self.count - self.rest

    @classmethod
    def of_clip(cls, clip: Clip, frames: range, rest: bool = False) -> Timing:
        """The timing of scene frames of a clip, and of the head at rest after them."""
        first_heard = clip.audio_start + clip.time_of(frames[0])
        return cls(first_heard, clip.frames_per_second, frames[0], len(frames) + rest, rest)

    @classmethod
    def of_owner(cls, owner: bpy.types.Object) -> Timing | None:
        """The timing that `keep` has kept."""
        kept = owner.get(TIMING_PROPERTY)
        if kept is None or len(kept) not in (4, 5):  # without the last one in files of earlier versions
            return None
        return cls(kept[0], kept[1], *map(int, kept[2:4]), rest=len(kept) == 5 and bool(kept[4]))

    def keep(self, owner: bpy.types.Object, count: int) -> None:
        """Keep it on an object that shows `count` frames."""
        rest = self.rest and count == self.count
        owner[TIMING_PROPERTY] = [self.first_heard, self.rate, float(self.first_frame), float(count), float(rest)]
