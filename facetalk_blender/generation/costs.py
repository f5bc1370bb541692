"""What a generation costs on this computer: measured at every run, remembered, and told before the next.

Costs are kept per device, output, resolution and model bundle in a file of the extension's user folder.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

from ...engine.shared.options import STARTER
from ..extension import user_folder

FILE_NAME = "costs.json"


@dataclass(frozen=True)
class Cost:
    """Measured or assumed cost.

    start: seconds until an engine that does not run yet can sample.
    sampling: seconds per second of sound. frame: seconds per frame. size: bytes of memory per frame.
    """

    start: float
    sampling: float
    frame: float
    size: float


# Until the first run on this computer: measured on two cores with the starter model.
ASSUMED = {
    ("FRAME_MESHES", 64): Cost(4.0, 0.1, 0.03, 2.5e6),
    ("FRAME_MESHES", 128): Cost(4.0, 0.1, 0.09, 10e6),
    ("FRAME_MESHES", 256): Cost(4.0, 0.1, 0.5, 41e6),
    ("SHAPE_KEYS", 0): Cost(4.0, 0.1, 0.01, 0.3e6),
    ("EXPRESSION_CURVES", 0): Cost(4.0, 0.1, 0.003, 0.1e6),
}


@dataclass(frozen=True)
class Job:
    """What a cost belongs to. output and resolution: see `generation.Settings`; bundle: "starter" or a folder."""

    device: str
    output: str
    resolution: int
    bundle: str = STARTER

    @property
    def kind(self) -> tuple[str, int]:
        """Which of the assumed costs it has: only frame meshes depend on the resolution."""
        return self.output, self.resolution if self.output == "FRAME_MESHES" else 0

    @property
    def name(self) -> str:
        """Under which its cost is remembered."""
        own = "" if self.bundle == STARTER else f" {self.bundle}"
        return f"{self.device} {self.kind[0]} {self.kind[1]}{own}"


def remembered(job: Job) -> Cost | None:
    """The cost measured last on this computer."""
    return _read().get(job.name)


def expected(job: Job) -> Cost:
    """The cost to expect: measured here, else assumed, as much quicker or slower as other resolutions were here."""
    cost = remembered(job)
    if cost is not None:
        return cost
    assumed = ASSUMED[job.kind]
    for output, resolution in ASSUMED:
        other = replace(job, output=output, resolution=resolution)
        if output == job.output and (measured := remembered(other)):
            pace = measured.frame / ASSUMED[other.kind].frame
            return replace(measured, frame=pace * assumed.frame, size=assumed.size)
    return assumed


def remember(job: Job, cost: Cost) -> None:
    """Keep a measured cost; where the folder cannot be written, until Blender ends."""
    costs = _read()
    costs[job.name] = cost
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps({name: asdict(cost) for name, cost in costs.items()}, indent=1), "utf-8")
        part.replace(path)
    except OSError:
        pass


def _path() -> Path:
    return user_folder("measured") / FILE_NAME


@lru_cache(maxsize=1)
def _read() -> dict[str, Cost]:
    try:
        stored = json.loads(_path().read_text("utf-8"))
        return {name: Cost(**{key: float(value) for key, value in cost.items()}) for name, cost in stored.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
