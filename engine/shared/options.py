"""What a person may ask the engine for: model bundle, resolution, sampler, and the ranges of its numbers.

Panel, command lines, process and engine take them from here; any whole number is a seed. Standard library only:
Blender's process reads it too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .errors import EngineError

MAXIMUM_SECONDS = 3600.0  # of a recording's part that is sampled at once
STARTER = "starter"  # names the bundle that ships with the engine; any other name is a folder
DEVICE = "auto"  # a CUDA GPU when there is one, else the CPU
RESOLUTIONS = (64, 128, 256)  # cells along each side of the head's box
RESOLUTION = 128
EXACT_RESOLUTION = 256  # from here on, every frame's surface is that of the dense grid
TOLERANCE = 0.01  # below: how many cells a distance may be off that is carried from one frame to the next
TABLES_FOLDER = "FACETALK_TABLES"  # the environment variable that names the folder of distance tables
SAMPLERS = ("dpm++", "ddim", "ddpm")
SAMPLER = "dpm++"


def tolerance_of(resolution: int) -> float:
    """How many cells distances may be off at a resolution; 0 where they are exact."""
    return TOLERANCE if resolution < EXACT_RESOLUTION else 0.0


@dataclass(frozen=True)
class Range:
    """The values that a setting may have, from `least` to `greatest`, both among them."""

    name: str
    least: float
    greatest: float

    def __str__(self) -> str:
        return f"{self.least:g} to {self.greatest:g}"

    def holds(self, value: float) -> bool:
        """Whether a value lies in the range; NaN does not."""
        return self.least <= value <= self.greatest

    def check(self, value: float) -> None:
        """Raises EngineError when a value lies outside."""
        if not self.holds(value):
            shown = f"{value:g}" if math.isfinite(value) else "not a finite number"
            raise EngineError(f"The {self.name} is {shown}; choose a number from {self}.")


GUIDANCE = Range("guidance", 0.0, 20.0)  # w of Eq. 10; above 3 or so motion is exaggerated
STEPS = Range("number of sampling steps", 1, 1000)  # no schedule has more time steps
STRENGTH = Range("strength", 0.0, 3.0)  # factor on the sampled codes
