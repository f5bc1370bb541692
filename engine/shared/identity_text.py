"""How a head is asked for in one line of text: a base, and how far measured controls are moved from it.

    mean                     random:7                 /folder/of/code.npy
    mean+jaw_width=1.5       random:7+nose_length=-1,lip_fullness=0.5

A control's value is in standard deviations of what it measures over the model's people. Standard library only: both
processes import this module.
"""

from __future__ import annotations

import math
import re

_ADJUSTED = re.compile(r"(?P<base>.+?)\+(?P<controls>[a-z_]+=[^,+=]+(,[a-z_]+=[^,+=]+)*)", re.DOTALL)


def split_identity(text: str) -> tuple[str, dict[str, float]]:
    """The base and the control values in a text; a text without controls is all base.

    Raises ValueError when a value is not a finite number.
    """
    found = _ADJUSTED.fullmatch(text)
    if found is None:
        return text, {}
    values = {}
    for part in found["controls"].split(","):
        name, number = part.split("=")
        values[name] = float(number)
        if not math.isfinite(values[name]):
            raise ValueError(f"{name} is not finite")
    return found["base"], values


def join_identity(base: str, values: dict[str, float]) -> str:
    """The text of a base with control values; those that are zero are left out."""
    moved = [f"{name}={value:.4f}".rstrip("0").rstrip(".") for name, value in values.items() if round(value, 4)]
    return base + ("+" + ",".join(moved) if moved else "")
