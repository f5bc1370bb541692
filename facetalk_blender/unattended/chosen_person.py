"""Who speaks in a run on a sound file: a person of the table or a drawn one, with what the command line changes."""

from __future__ import annotations

import argparse
from dataclasses import replace

from ...engine.shared.identity_text import join_identity
from ...engine.shared.options import Range
from ..hair.styles import BALD, BEARDS, NO_BEARD, STYLES
from ..hair.worn import CUT_LIMITS, Cut
from ..look.skin_traits import TRAIT_LIMITS, SkinTraits
from ..person.persons import LARGEST_SEED, Person, drawn_person, persons

PAINTED = "none"  # in place of a style: no strands at all
HAIR, SKIN = "hair_", "skin_"  # before the names of numbers, among the options
STRANDS = Range("share of the strands", 1, 100)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Who speaks, and every number of hair and skin."""
    add = parser.add_argument
    add("--person", choices=persons(), help="head, colours and hair of a person; what else is given goes before it")
    add("--seed-person", type=int, help="a person that is drawn by this number instead")
    text = f"style of the hair; {PAINTED} paints brows and nothing else (default: the person's, or {Cut().style})"
    add("--hair", choices=(PAINTED, BALD, *STYLES), help=text)
    add("--beard", choices=(NO_BEARD, *BEARDS), help="the beard (default: the person's, or none)")
    add("--hair-seed", type=int, help="other strands of the same style")
    for prefix, limits in ((HAIR, CUT_LIMITS), (SKIN, TRAIT_LIMITS)):
        for name, (least, most) in limits.items():
            option = "--" + (prefix + name).replace("_", "-")
            add(option, type=float, help=f"{least:g} to {most:g} (default: the person's)")
    text = "percent of the strands that render, %s (default: in the video what its size can show, in the .blend all)"
    add("--strands", type=float, help=text % STRANDS)


def choose(options: argparse.Namespace) -> None:
    """Fill in identity, colours, traits of the skin and cut from the person; options that were given stay.

    Raises ValueError for what does not fit.
    """
    _check(options)
    person = _person(options)
    options.cut = _cut(options, person)
    traits = SkinTraits(**person.traits) if person else SkinTraits()
    options.skin_traits = replace(traits, **_given(options, SKIN, TRAIT_LIMITS))
    if person is not None:
        options.identity = options.identity or join_identity(person.identity, person.controls)
        options.skin_colour = options.skin_colour or person.skin
        options.eye_colour = options.eye_colour or person.eyes
    options.identity = options.identity or "mean"


def wanted(options: argparse.Namespace) -> bool:
    """Whether the command line asks for hair, which is worn without being asked for too."""
    return bool(options.person or options.seed_person is not None or options.hair or options.beard)


def _check(options: argparse.Namespace) -> None:
    if options.person and options.seed_person is not None:
        raise ValueError("--person and --seed-person name two persons: give one of them")
    for name in ("seed_person", "hair_seed"):
        seed = getattr(options, name)
        if seed is not None and not 0 <= seed <= LARGEST_SEED:
            raise ValueError(f"--{name.replace('_', '-')} must lie between 0 and {LARGEST_SEED}")
    given = {HAIR: CUT_LIMITS, SKIN: TRAIT_LIMITS}
    numbers = [(prefix + name, getattr(options, prefix + name), Range(name, *limits))
               for prefix, table in given.items() for name, limits in table.items()]  # fmt: skip
    for name, value, limits in [*numbers, ("strands", options.strands, STRANDS)]:
        if value is not None and not limits.holds(value):
            raise ValueError(f"--{name.replace('_', '-')} must lie between {limits.least:g} and {limits.greatest:g}")


def _person(options: argparse.Namespace) -> Person | None:
    if options.seed_person is not None:
        return drawn_person(options.seed_person)
    return persons()[options.person] if options.person else None


def _cut(options: argparse.Namespace, person: Person | None) -> Cut | None:
    if options.hair == PAINTED:
        return None
    cut = person.cut if person else Cut()
    words = {"style": options.hair, "beard": options.beard, "seed": options.hair_seed}
    given = {name: value for name, value in words.items() if value is not None}
    return replace(cut, **given, **_given(options, HAIR, CUT_LIMITS))


def _given(options: argparse.Namespace, prefix: str, names: dict) -> dict[str, float]:
    values = {name: getattr(options, prefix + name) for name in names}
    return {name: value for name, value in values.items() if value is not None}
