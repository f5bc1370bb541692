"""What a request to the engine process must hold, so that one that was garbled is refused as a whole."""

from __future__ import annotations

import math

import numpy as np

from .errors import EngineError
from .protocol import Message

Number = (int, float)
Nothing = type(None)
TYPES: dict[str, tuple[type, ...]] = {
    "bundle": (str,),
    "device": (str,),
    "audio": (str,),
    "video": (str,),
    "face": (int,),
    "start": Number,
    "duration": (*Number, Nothing),
    "seed": (int,),
    "steps": (int, Nothing),
    "guidance": (*Number, Nothing),
    "control_guidance": (*Number, Nothing),
    "controls": (dict,),
    "strength": Number,
    "refine": (bool,),
    "resample": (list,),
    "rate": Number,
    "style": (dict,),
    "resolution": (int, str),
    "identity": (str, Nothing),
    "with_template": (bool,),
    "model": (str,),
    "sources": (list,),
    "output": (str,),
    "anchors": (str, Nothing),
}
NEEDED = {
    "sample": ("audio",),
    "capture": ("video",),
    "feeling": ("audio",),
    "surfaces": ("rate", "codes", "times"),
    "shape_keys": ("rate", "codes"),
    "import": ("model", "sources", "output"),
}
DIMENSIONS = {"codes": 2, "times": 1, "keep": 2, "keep_pose": 2, "pose": 2}
LARGEST_INTEGER = 1 << 62


def check_request(request: Message) -> None:
    """Raises EngineError for a request that lacks something or holds something of another type."""
    for name in NEEDED.get(request.kind, ()):
        if name not in request.fields and name not in request.arrays:
            raise _misfit(request, f"it has no {name}")
    for name, value in request.fields.items():
        if name in TYPES and not _fits(name, value):
            raise _misfit(request, f"its {name} is {str(value)[:40]!r}")
    for name, dimensions in DIMENSIONS.items():
        array = request.arrays.get(name)
        if array is not None and (array.ndim != dimensions or not array.size or not np.isfinite(array).all()):
            raise _misfit(request, f"its {name} are not finite numbers in {dimensions} dimensions")


def _fits(name: str, value: object) -> bool:
    types = TYPES[name]
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        return False
    if isinstance(value, list) and name == "resample":
        return len(value) == 2 and all(type(item) is int and 0 <= item < LARGEST_INTEGER for item in value)
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, str) for item in value)
    if isinstance(value, str):
        return "\0" not in value
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or abs(value) < LARGEST_INTEGER


def _misfit(request: Message, reason: str) -> EngineError:
    return EngineError(f"The request '{request.kind}' cannot be used ({reason}); update the extension.")
