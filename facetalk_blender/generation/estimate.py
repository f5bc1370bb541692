"""What a generation will take, shown before it is started."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from ...engine.shared.options import STARTER
from ...engine.shared.units import CODE_RATE
from .. import compat
from ..outputs.frames.frame_storage import SHARE_OF_MEMORY, FrameStorage
from ..sound import strip as sound_strip
from .costs import Workload
from .job import time_text
from .session import session


@dataclass(frozen=True)
class Estimate:
    """frames of the result, seconds until it is complete, bytes of memory; measured: from what this computer took.

    cached: whether the frames go to a cache folder; size then is what they take on disk.
    """

    frames: int
    seconds: float
    size: float
    measured: bool
    cached: bool = False

    def __str__(self) -> str:
        measured = "" if self.measured else " (a guess until the first run)"
        return f"{self.frames} frames, {self.cost_text}{measured}"

    @property
    def cost_text(self) -> str:
        """Time and memory."""
        place = " in a cache folder" if self.cached else ""
        return f"about {time_text(self.seconds)}, {size_text(self.size)}{place}"


def estimate(
    scene: bpy.types.Scene,
    strip: bpy.types.SoundStrip,
    device: str,
    bundle: str,
    storage: FrameStorage,
    output: str = "",
) -> Estimate:
    """For the scene's settings and the preferences' device and bundle. Reads no file, so that a panel may show it.

    output: another than the scene's.
    """
    facetalk = scene.facetalk
    output = output or facetalk.output
    start, end = compat.handles(strip)
    seconds = (end - start) / sound_strip.frames_per_second(scene)
    workload = Workload(device, output, int(facetalk.resolution), bundle or STARTER)
    # Of shape keys, there is one for each of the model's codes.
    frames = round(CODE_RATE * seconds) if output == "SHAPE_KEYS" else end - start
    cost = session.costs.expected(workload)
    total = session.start_left(cost.start) + cost.warm_seconds(seconds, frames)
    measured = session.costs.known(workload)
    size = cost.bytes(frames)
    cached = output == "FRAME_MESHES" and storage.in_cache(size)
    return Estimate(frames, total, SHARE_OF_MEMORY * size if cached else size, measured, cached)


def size_text(size: float) -> str:
    """Bytes for people."""
    return f"{max(round(size / 1e6), 1)}\u00a0MB" if size < 1e9 else f"{size / 1e9:.1f}\u00a0GB"
