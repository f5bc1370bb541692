"""The persons that come with the extension, from persons.json, and drawing another one. NumPy only."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from ..hair.styles import BEARDS, NO_BEARD, STYLES
from ..hair.worn import Cut

FILE = Path(__file__).with_name("persons.json")
LARGEST_SEED = 99999
SPREAD = 0.5  # standard deviation of what a drawn person's head differs by from the one that it is near to
LARGEST_CONTROL = 2.0

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Person:
    """Who speaks.

    identity: "mean" or "random:SEED"; controls: sliders of the head, in standard deviations. skin, eyes: linear
    colours; traits: of the skin; cut: hair and beard. age in years; sex and origin are words for people.
    """

    age: int
    sex: str
    origin: str
    identity: str
    controls: dict[str, float]
    skin: Color
    eyes: Color
    traits: dict[str, float]
    cut: Cut

    @property
    def description(self) -> str:
        """One line about the person."""
        hair = self.cut.style.replace("_", " ")
        beard = "" if self.cut.beard == NO_BEARD else f", {self.cut.beard.replace('full', 'full beard')}"
        return f"{self.sex.capitalize()}, {self.age}, {self.origin}: {hair}{beard}"


def picture(name: str) -> Path:
    """The picture of a person of the table."""
    return FILE.parent / "pictures" / f"{name.lower()}.jpg"


@cache
def persons() -> dict[str, Person]:
    """The persons by name."""
    stored = json.loads(FILE.read_text("utf-8"))
    return {name: _person(dict(facts)) for name, facts in stored.items()}


def _person(facts: dict) -> Person:
    cut = Cut(**facts.pop("hair"))
    skin, eyes = tuple(facts.pop("skin")), tuple(facts.pop("eyes"))
    return Person(cut=cut, skin=skin, eyes=eyes, **facts)


def drawn_person(seed: int) -> Person:
    """A person near to one of the table: the same seed gives the same one."""
    rng = np.random.default_rng([seed, 7])
    table = list(persons().values())
    near = table[rng.integers(len(table))]
    alike = [one for one in table if one.sex == near.sex]
    other = alike[rng.integers(len(alike))]
    controls = {
        name: float(np.clip(value + rng.normal(0, SPREAD), -LARGEST_CONTROL, LARGEST_CONTROL))
        for name, value in near.controls.items()
    }
    shade = float(np.exp(rng.normal(0, 0.12)))
    skin = tuple(float(min(channel * shade, 0.8)) for channel in near.skin)
    # Textures of hair stay with the person; its cut may be that of another one.
    cut = near.cut if near.cut.style in ("afro", "curly") else replace(near.cut, style=other.cut.style)
    styles = [name for name in STYLES if name not in ("afro",)]
    if rng.random() < 0.4 and near.cut.style != "afro":
        longer = ("bob", "long_straight", "long_wavy", "curly", "bun", "side_part")
        shorter = ("shaved", "buzz", "crew", "short", "side_part", "curly")
        styles = longer if near.sex == "female" else shorter
        cut = replace(cut, style=styles[rng.integers(len(styles))])
    if near.sex == "male":
        beards = (NO_BEARD, NO_BEARD, *BEARDS)
        cut = replace(cut, beard=beards[rng.integers(len(beards))])
    cut = replace(
        cut,
        seed=int(rng.integers(LARGEST_SEED)),
        melanin=float(np.clip(near.cut.melanin + rng.normal(0, 0.06), 0.2, 0.98)),
        redness=float(np.clip(near.cut.redness + rng.normal(0, 0.08), 0.0, 1.0)),
        length=float(rng.uniform(0.85, 1.15)),
        brows=float(np.clip(near.cut.brows * rng.uniform(0.85, 1.15), 0.4, 1.5)),
    )
    return replace(near, identity=f"random:{int(rng.integers(1, LARGEST_SEED))}", controls=controls, skin=skin, cut=cut)
