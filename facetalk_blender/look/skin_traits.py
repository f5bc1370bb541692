"""What a head's skin is like beside its colour: folds, age, redness, freckles and make-up, and presets of all of it."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from . import face_detail
from .appearance import Color

TRAITS_PROPERTY = "facetalk_skin_traits"  # of a head object: redness, freckles, make-up; the shader reads it


@dataclass(frozen=True)
class SkinTraits:
    """wrinkles 0..2: how deep skin folds when it is gathered; age 0..1: folds that stay, and uneven colour.

    redness -1..1; freckles and makeup 0..1.
    """

    wrinkles: float = face_detail.DEFAULT_WRINKLES
    age: float = face_detail.DEFAULT_AGE
    redness: float = 0.0
    freckles: float = 0.0
    makeup: float = 0.0


# Least and greatest of the traits.
TRAIT_LIMITS: dict[str, tuple[float, float]] = {
    "wrinkles": (0.0, 2.0),
    "age": (0.0, 1.0),
    "redness": (-1.0, 1.0),
    "freckles": (0.0, 1.0),
    "makeup": (0.0, 1.0),
}
# Linear colour and traits. They were looked at under every light rig.
SKIN_PRESETS: dict[str, tuple[Color, SkinTraits]] = {
    "Porcelain": ((0.690, 0.440, 0.355), SkinTraits(age=0.1, redness=0.35, freckles=0.6)),
    "Fair": ((0.600, 0.325, 0.230), SkinTraits()),
    "Olive": ((0.420, 0.235, 0.140), SkinTraits(age=0.3, redness=-0.3)),
    "Brown": ((0.215, 0.105, 0.062), SkinTraits(age=0.2, redness=-0.3)),
    "Deep": ((0.085, 0.040, 0.026), SkinTraits(age=0.2, redness=-0.5)),
}


def set_traits(head: bpy.types.Object, traits: SkinTraits) -> None:
    """Give a head object its traits; folds and age act on the modifier, now or as soon as it is added."""
    head[TRAITS_PROPERTY] = [float(traits.redness), float(traits.freckles), float(traits.makeup)]
    face_detail.set_amounts(head, traits.wrinkles, traits.age)
