"""What a generation costs on this computer: measured at every run, remembered, and shown before the next.

Costs are kept per device, output, resolution and model bundle in a file of the extension's user folder.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ...engine.shared.files import replaced
from ...engine.shared.hostile_files import UNREADABLE, read_json
from ...engine.shared.options import RESOLUTIONS, STARTER
from ..extension import user_folder

FILE_NAME = "costs.json"


@dataclass(frozen=True)
class Cost:
    """Measured or assumed cost.

    start: seconds until an engine that does not run yet can sample. sampling: seconds per second of sound.
    base: seconds that a result takes however few frames it has. frame: seconds per frame.
    size: bytes of memory per frame; base_size: and of the rest.
    """

    start: float
    sampling: float
    frame: float
    size: float
    base: float = 0.0
    base_size: float = 0.0

    def seconds(self, frames: int) -> float:
        """Of a result, once its take is there."""
        return self.base + self.frame * frames

    def warm_seconds(self, duration: float, frames: int) -> float:
        """Of a take and its result, of an engine that is warm. duration: of the sound, seconds."""
        return self.sampling * duration + self.seconds(frames)

    def bytes(self, frames: int) -> float:
        """Memory of a result."""
        return self.base_size + self.size * frames


ENGINE = "ENGINE_"  # before an output's name: the engine's part of it, whose answers are thrown away, see `pace`
# Measured in one go on two cores with the starter model, so that the ratios hold on other computers too.
ASSUMED = {
    ("FRAME_MESHES", 64): Cost(6.2, 0.09, 0.14, 3.8e6, 1.2, 3.9e6),
    ("FRAME_MESHES", 128): Cost(6.2, 0.09, 0.37, 8.5e6, 1.2, 8.5e6),
    ("FRAME_MESHES", 256): Cost(6.2, 0.09, 2.0, 34e6, 5.0, 35e6),
    ("SHAPE_KEYS", 0): Cost(6.2, 0.09, 0.0017, 0.23e6, 1.1, 3.2e6),
    ("EXPRESSION_CURVES", 0): Cost(6.2, 0.09, 0.001, 0.003e6, 1.25, 15.5e6),
    ("ENGINE_FRAME_MESHES", 0): Cost(6.2, 0.09, 0.085, 2.0e6, 0.2),
    ("ENGINE_SHAPE_KEYS", 0): Cost(6.2, 0.09, 0.0007, 0.0, 0.06),
    ("ENGINE_EXPRESSION_CURVES", 0): Cost(6.2, 0.09, 0.0, 0.0, 0.084),
}
OUTPUTS = ("FRAME_MESHES", "SHAPE_KEYS", "EXPRESSION_CURVES")
PAUSES = 2 / 3  # of Blender's part, what passes between two ticks of the timer, however quick the computer
LARGEST_SHARE = 1.5  # by which that part grows: where the engine is far slower, it is the model that is large
# What Blender's part of a mesh takes, as the costs of the lowest resolution tell it.
_COARSEST = ASSUMED["FRAME_MESHES", min(RESOLUTIONS)]
MESH_SECONDS_A_BYTE = (_COARSEST.frame - ASSUMED["ENGINE_FRAME_MESHES", 0].frame) / _COARSEST.size
PACE_FRAMES = 100  # of which the time tells how quick this computer is: an output's base alone is little and uneven


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

    @property
    def engine(self) -> Workload:
        """The engine's part of its output."""
        return replace(self, output=ENGINE + self.output, resolution=0)


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

    def known(self, workload: Workload) -> bool:
        """Whether a cost rests on something that was measured on this computer."""
        return self.remembered(workload) is not None or self._alike(workload) is not None

    def expected(self, workload: Workload) -> Cost:
        """The cost to expect: measured here, else as much above or below the assumed one as others were here."""
        cost = self.remembered(workload)
        if cost is not None:
            return cost
        assumed, alike = ASSUMED[workload.kind], self._alike(workload)
        if alike is None:
            return assumed
        return _scaled(assumed, self.remembered(alike), ASSUMED[alike.kind], alike == workload.engine)

    def _alike(self, workload: Workload) -> Workload | None:
        """What was measured here and tells most of a workload: the same output, else the engine's part of it."""
        same = [
            replace(workload, output=output, resolution=resolution)
            for output, resolution in ASSUMED
            if output == workload.output
        ]
        found = (other for other in (*same, workload.engine) if self.remembered(other) is not None)
        return next(found, None)

    def update(self, workload: Workload, **measured: float) -> None:
        """Keep those parts of a cost that a run has measured."""
        self.remember(workload, replace(self.expected(workload), **measured))

    def remember(self, workload: Workload, cost: Cost) -> None:
        """Keep a measured cost; where the folder cannot be written, until Blender ends."""
        self.remember_all({workload: cost})

    def remember_all(self, measured: dict[Workload, Cost]) -> None:
        """Keep measured costs."""
        costs = self._all()
        costs |= {workload.name: cost for workload, cost in measured.items()}
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


def _scaled(assumed: Cost, measured: Cost, guessed: Cost, engine_alone: bool) -> Cost:
    """An assumed cost, as much greater or less as another one that was measured here.

    engine_alone: whether that is the engine's part of the same output. What Blender does comes on top: for keys it is
    the greater part, in short ticks; for meshes it grows with their size.
    """
    pace = measured.seconds(PACE_FRAMES) / guessed.seconds(PACE_FRAMES)
    if not engine_alone:
        return Cost(
            start=measured.start,
            sampling=measured.sampling,
            frame=pace * assumed.frame,
            size=measured.size / guessed.size * assumed.size,
            base=pace * assumed.base,
            base_size=assumed.base_size,
        )
    share = min(PAUSES + (1 - PAUSES) * pace, LARGEST_SHARE)
    if guessed.size:
        larger, blender = measured.size / guessed.size, MESH_SECONDS_A_BYTE * assumed.size
        size, frame = larger * assumed.size, pace * (assumed.frame - blender) + share * larger * blender
    else:
        size, frame = assumed.size, measured.frame + share * (assumed.frame - guessed.frame)
    base = measured.base + share * (assumed.base - guessed.base)
    return replace(assumed, start=measured.start, sampling=measured.sampling, frame=frame, base=base, size=size)


def _path() -> Path:
    return user_folder("measured") / FILE_NAME


def _read(path: Path) -> dict[str, Cost]:
    try:
        stored = read_json(path)
        return {name: Cost(**{key: float(value) for key, value in cost.items()}) for name, cost in stored.items()}
    except UNREADABLE:
        return {}
