"""What a generation costs on this computer: measured at every run, remembered, and shown before the next.

Costs are kept per device, output, resolution and model bundle in a file of the extension's user folder.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ...engine.shared.files import replaced
from ...engine.shared.options import RESOLUTIONS, STARTER
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
_FRAMES = (Cost(4.0, 0.1, 0.03, 2.5e6), Cost(4.0, 0.1, 0.09, 10e6), Cost(4.0, 0.1, 0.5, 41e6))
ASSUMED = {("FRAME_MESHES", resolution): cost for resolution, cost in zip(RESOLUTIONS, _FRAMES, strict=True)} | {
    ("SHAPE_KEYS", 0): Cost(4.0, 0.1, 0.01, 0.3e6),
    ("EXPRESSION_CURVES", 0): Cost(4.0, 0.1, 0.003, 0.1e6),
}


@dataclass(frozen=True)
class Workload:
    """What a cost belongs to. output and resolution: see `Options`; bundle: "starter" or a folder."""

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


class Costs:
    """The costs measured on this computer; read from their file when first asked for."""

    def __init__(self):
        self._known: dict[str, Cost] | None = None

    def clear(self) -> None:
        """Forget what was read; the file stays."""
        self._known = None

    def remembered(self, workload: Workload) -> Cost | None:
        """The cost measured last on this computer."""
        return self._all().get(workload.name)

    def expected(self, workload: Workload) -> Cost:
        """The cost to expect: measured here, else assumed, as much quicker or slower as other resolutions were here."""
        cost = self.remembered(workload)
        if cost is not None:
            return cost
        assumed = ASSUMED[workload.kind]
        for output, resolution in ASSUMED:
            other = replace(workload, output=output, resolution=resolution)
            if output == workload.output and (measured := self.remembered(other)):
                pace = measured.frame / ASSUMED[other.kind].frame
                return replace(measured, frame=pace * assumed.frame, size=assumed.size)
        return assumed

    def update(self, workload: Workload, **measured: float) -> None:
        """Keep those parts of a cost that a run has measured."""
        self.remember(workload, replace(self.expected(workload), **measured))

    def remember(self, workload: Workload, cost: Cost) -> None:
        """Keep a measured cost; where the folder cannot be written, until Blender ends."""
        costs = self._all()
        costs[workload.name] = cost
        path = _path()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replaced(path) as part:
                part.write_text(json.dumps({name: asdict(cost) for name, cost in costs.items()}, indent=1), "utf-8")
        except OSError:
            pass

    def _all(self) -> dict[str, Cost]:
        if self._known is None:
            self._known = _read(_path())
        return self._known


def _path() -> Path:
    return user_folder("measured") / FILE_NAME


def _read(path: Path) -> dict[str, Cost]:
    try:
        stored = json.loads(path.read_text("utf-8"))
        return {name: Cost(**{key: float(value) for key, value in cost.items()}) for name, cost in stored.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
