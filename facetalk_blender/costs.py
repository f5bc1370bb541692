"""What a generation costs on this computer: measured at every run, remembered, and told before the next.

Costs are kept per device, output and resolution in a file of the extension's user folder.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from .user_folder import user_folder

FILE_NAME = "costs.json"


@dataclass(frozen=True)
class Cost:
    """Measured or assumed cost.

    start: seconds from the request to the first code, a cold engine's worst case left out.
    sampling: seconds per second of sound. frame: seconds per frame. size: bytes of memory per frame.
    """

    start: float
    sampling: float
    frame: float
    size: float


# Until the first run on this computer: measured on two cores with the starter model.
ASSUMED = {
    ("FRAME_MESHES", 64): Cost(4.0, 0.1, 0.03, 1.5e6),
    ("FRAME_MESHES", 128): Cost(4.0, 0.1, 0.09, 6e6),
    ("FRAME_MESHES", 256): Cost(4.0, 0.1, 0.5, 24e6),
    ("SHAPE_KEYS", 0): Cost(4.0, 0.1, 0.01, 0.3e6),
    ("EXPRESSION_CURVES", 0): Cost(4.0, 0.1, 0.003, 0.1e6),
}


def key(device: str, output: str, resolution: int) -> str:
    """Under which name a cost is remembered; only frame meshes depend on the resolution."""
    return f"{device} {output} {resolution if output == 'FRAME_MESHES' else 0}"


def remembered(name: str) -> Cost | None:
    """The cost measured last on this computer under that name."""
    return _read().get(name)


def expected(device: str, output: str, resolution: int) -> Cost:
    """The cost to expect: measured here, else assumed."""
    assumed = ASSUMED.get((output, resolution)) or ASSUMED["SHAPE_KEYS", 0]
    return remembered(key(device, output, resolution)) or assumed


def remember(name: str, cost: Cost) -> None:
    """Keep a measured cost; where the folder cannot be written, until Blender ends."""
    costs = _read()
    costs[name] = cost
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
