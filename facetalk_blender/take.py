"""A take in the .blend file: a text of JSON that stays with the head, so that nothing need be sampled again."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field

import bpy
import numpy as np

from ..engine.errors import EngineError

FORMAT = 1
TAKE_PROPERTY = "facetalk_take"
_ARRAYS = ("codes", "weights", "lip_opening_mm")


@dataclass(frozen=True)
class Take:
    """What the engine sampled.

    codes: (N, D) float32 expression codes; rate: codes per second; seed: the noise they came from.
    weights: (N, 52) float32 of weight_names; lip_opening_mm: (N,) float32; None when the model does not tell them.
    settings: JSON values, what the take was asked for and made with.
    """

    codes: np.ndarray
    rate: float
    seed: int
    weights: np.ndarray | None
    weight_names: list[str]
    lip_opening_mm: np.ndarray | None
    settings: dict = field(default_factory=dict)

    @property
    def duration(self) -> float:
        """Seconds of speech that the take covers."""
        return len(self.codes) / self.rate


def store(take: Take, owner: bpy.types.Object) -> None:
    """Keep the take in a text that the object points to."""
    content = {"format": FORMAT, "rate": take.rate, "seed": take.seed, "settings": take.settings}
    content["weight_names"] = take.weight_names
    for name in _ARRAYS:
        if getattr(take, name) is None:
            continue
        array = np.ascontiguousarray(getattr(take, name), "<f4")
        lines = base64.encodebytes(array.tobytes()).decode("ascii").split()
        content[name] = {"shape": list(array.shape), "base64_float32": lines}
    text = bpy.data.texts.new(f"{owner.name} Take")
    text.from_string(json.dumps(content, indent=1))
    owner[TAKE_PROPERTY] = text


def load(owner: bpy.types.Object) -> Take:
    """The take of an object. Raises EngineError when it has none or its text was changed beyond use."""
    text = owner.get(TAKE_PROPERTY)
    if not isinstance(text, bpy.types.Text):
        raise EngineError(f"{owner.name} has no take; generate it again.")
    try:
        content = json.loads(text.as_string())
        if content["format"] != FORMAT:
            raise ValueError("unknown format")
        arrays = {name: _array(content[name]) if name in content else None for name in _ARRAYS}
        if arrays["codes"] is None:
            raise ValueError("no codes")
        names = [str(name) for name in content["weight_names"]]
        rate, seed, settings = float(content["rate"]), int(content["seed"]), dict(content["settings"])
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(f"The text {text.name} is no readable take; generate {owner.name} again.") from error
    return Take(rate=rate, seed=seed, settings=settings, weight_names=names, **arrays)


def remove(owner: bpy.types.Object) -> None:
    """Forget the object's take."""
    text = owner.get(TAKE_PROPERTY)
    if isinstance(text, bpy.types.Text):
        bpy.data.texts.remove(text)


def _array(stored: dict) -> np.ndarray:
    data = base64.b64decode("".join(stored["base64_float32"]), validate=True)
    return np.frombuffer(data, "<f4").reshape(stored["shape"]).copy()
