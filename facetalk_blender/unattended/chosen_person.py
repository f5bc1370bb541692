"""Who speaks in a run on a sound file: a person of the table or a drawn one, with what the command line changes."""

from __future__ import annotations

import argparse
from dataclasses import replace

from ...engine.shared.identity_text import join_identity
from ..hair.worn import Cut
from ..look.skin_traits import SkinTraits
from ..person.persons import Person, drawn_person, persons


def choose(options: argparse.Namespace) -> None:
    """Fill in identity, colours, traits of the skin and cut from the person; options that were given stay."""
    person = _person(options)
    options.cut = _cut(options, person)
    options.skin_traits = SkinTraits(**person.traits) if person else SkinTraits()
    if person is not None:
        options.identity = options.identity or join_identity(person.identity, person.controls)
        options.skin_colour = options.skin_colour or person.skin
        options.eye_colour = options.eye_colour or person.eyes
    options.identity = options.identity or "mean"


def _person(options: argparse.Namespace) -> Person | None:
    if options.seed_person is not None:
        return drawn_person(options.seed_person)
    return persons()[options.person] if options.person else None


def _cut(options: argparse.Namespace, person: Person | None) -> Cut | None:
    if person is None and options.hair is None and options.beard is None:
        return None
    cut = person.cut if person else Cut()
    return replace(cut, style=options.hair or cut.style, beard=options.beard or cut.beard)
