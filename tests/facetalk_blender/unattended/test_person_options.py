"""Who speaks in a batch run: the panel's default without options, a person, and every number of hair and skin."""

from dataclasses import replace

import pytest
from registered_extension import module
from repository import import_from_extension

arguments = import_from_extension("facetalk_blender.unattended.arguments")
chosen_person = import_from_extension("facetalk_blender.unattended.chosen_person")
outcome = import_from_extension("facetalk_blender.unattended.outcome")
persons = import_from_extension("facetalk_blender.person.persons").persons()
Cut = import_from_extension("facetalk_blender.hair.worn").Cut
SkinTraits = import_from_extension("facetalk_blender.look.skin_traits").SkinTraits


def options(*words):
    return arguments.parse(["--audio", "voice.wav", "--output", "head.mp4", *words])


def test_without_options_it_is_the_panels_default(registered):
    import bpy

    found, panel = options(), bpy.context.scene.facetalk_person
    assert vars(found.cut) == pytest.approx(vars(panel.wish()))
    assert found.strands is None
    assert found.skin_traits == SkinTraits()
    assert not chosen_person.wanted(found)
    # The panel offers the same persons, styles and beards.
    offered = {name: module("facetalk_blender.settings.person").FaceTalkPerson.bl_rna.properties[name].enum_items
               for name in ("style", "beard")}  # fmt: skip
    for name, option in (("style", "hair"), ("beard", "beard")):
        for item in offered[name]:
            assert getattr(options(f"--{option}", item.identifier).cut, name) == item.identifier


def test_none_paints_the_brows():
    assert options("--hair", "none").cut is None
    assert options("--person", "Anna", "--hair", "none").cut is None
    assert options("--hair", "bald").cut == Cut(style="bald")


def test_what_is_given_changes_the_person():
    words = "--hair-length 1.5 --hair-grey 0.4 --hair-seed 9 --skin-age 0.7 --skin-freckles 1".split()
    found, mei = options("--person", "Mei", *words), persons["Mei"]
    assert found.cut == replace(mei.cut, length=1.5, grey=0.4, seed=9)
    assert found.skin_traits == replace(SkinTraits(**mei.traits), age=0.7, freckles=1.0)
    assert found.skin_colour == mei.skin
    assert chosen_person.wanted(found)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("--hair-length 3", "--hair-length must lie between 0.3 and 2"),
        ("--skin-redness nan", "--skin-redness must lie between -1 and 1"),
        ("--strands 0", "--strands must lie between 1 and 100"),
        ("--hair-seed -1", "--hair-seed must lie between 0 and"),
        ("--seed-person 100000", "--seed-person must lie between 0 and 99999"),
        ("--person Anna --seed-person 3", "two persons"),
        ("--hair mohawk", "invalid choice"),
    ],
)
def test_what_does_not_fit_is_said(words, reason):
    with pytest.raises(outcome.BatchError, match=reason):
        options(*words.split())
