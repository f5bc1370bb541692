"""Strands as arrays: where they grow, that a seed gives the same ones, and that they stay outside the head."""

import numpy as np
import pytest
from repository import import_from_extension

facial_hair = import_from_extension("facetalk_blender.hair.facial_hair")
hairdresser = import_from_extension("facetalk_blender.hair.hairdresser")
persons = import_from_extension("facetalk_blender.person.persons")
scalp = import_from_extension("facetalk_blender.hair.scalp").scalp()
strands = import_from_extension("facetalk_blender.hair.strands")
styles = import_from_extension("facetalk_blender.hair.styles")


@pytest.mark.parametrize("name", styles.STYLES)
def test_styles_grow_as_asked(name):
    made = hairdresser.hair(scalp, name, seed=3)
    style = styles.STYLES[name]
    assert abs(len(made.points) - style.count) < 0.05 * style.count
    assert np.isfinite(made.points).all()
    assert (made.radii > 0).all()
    corners = scalp.places[scalp.triangles[made.triangles]]
    roots = (corners * made.shares[:, :, None]).sum(1)
    assert np.allclose(made.points[:, 0], roots, atol=1e-6)
    # Nothing grows on the face below the brows, but for sideburns.
    face = (roots[:, 1] < 0.01) & (roots[:, 2] < 0.03)
    assert not face.any()
    assert (made.ranks > 0).all()


@pytest.mark.parametrize("name", [name for name, style in styles.STYLES.items() if style.comb != "bun"])
def test_hair_stays_outside_of_the_skull(name):
    points = hairdresser.hair(scalp, name, seed=3).points[:, 1:].reshape(-1, 3)
    arms = points - np.array([0, 0.045, 0.03])
    length = np.linalg.norm(arms, axis=1)
    inside = scalp.reach(arms / length[:, None]) - length
    assert (inside[points[:, 2] > 0.03] > 0.004).mean() < 0.02


def test_flyaways_come_last():
    ranks = strands.ranks_of(8, np.array([True, False] * 4))
    assert sorted(ranks) == pytest.approx(strands.ranks_of(8))
    assert ranks[::2].min() > ranks[1::2].max()
    made = hairdresser.hair(scalp, "curly", seed=3)
    # Few strands are those that lie with the others: they reach less far away than all of them.
    far = np.linalg.norm(made.points[:, -1] - made.points[:, 0], axis=1)
    assert far[made.ranks < 0.3].std() < far.std()


def test_a_seed_gives_the_same_strands_and_another_one_others():
    first, again = (hairdresser.hair(scalp, "long_wavy", seed=5) for _ in range(2))
    other = hairdresser.hair(scalp, "long_wavy", seed=6)
    assert np.array_equal(first.points, again.points)
    assert not np.array_equal(first.points[:100], other.points[:100])


def test_length_and_density_are_factors():
    def lengths(made):
        return np.linalg.norm(np.diff(made.points, axis=1), axis=2).sum(1).mean()

    whole, half = (hairdresser.hair(scalp, "side_part", 1, factor) for factor in (1.0, 0.5))
    assert lengths(half) / lengths(whole) == pytest.approx(0.5, abs=0.12)
    thin = hairdresser.hair(scalp, "side_part", 1, thickness=0.5)
    assert len(thin.points) / len(whole.points) == pytest.approx(0.5, abs=0.02)


def test_a_receding_hairline_bares_the_temples():
    def at_temples(made):
        x, y, z = made.points[:, 0].T
        return ((np.abs(np.abs(x) - 0.0425) < 0.0125) & (z > 0.075) & (z < 0.1) & (y < 0.01)).sum()

    young, old = (hairdresser.hair(scalp, "crew", 1, receding=receding) for receding in (0.0, 1.0))
    assert at_temples(old) < 0.5 * at_temples(young)


def test_lashes_stand_out_from_the_lids_and_brows_lie_over_the_eyes():
    lashes, brows = facial_hair.lashes(scalp, 1), facial_hair.brows(scalp, 1)
    upper = lashes.points[lashes.points[:, 0, 2] > 0.0205]
    assert (upper[:, -1, 1] < upper[:, 0, 1]).mean() > 0.95  # forwards
    assert (upper[:, -1, 2] > upper[:, 0, 2] - 0.003).mean() > 0.75
    for side in (-1, 1):
        own = brows.points[side * brows.points[:, 0, 0] > 0, 0]
        assert 350 < len(own) < 700
        assert (own[:, 2] > 0.03).all()
    assert (lashes.ranks == strands.ALWAYS).all()


@pytest.mark.parametrize("name", styles.BEARDS)
def test_beards_grow_below_the_nose(name):
    roots = np.concatenate([part.points[:, 0] for part in facial_hair.beard(scalp, name, 1)])
    in_front = roots[roots[:, 1] < 0.02]
    assert (in_front[:, 2] < -0.012).all()


def test_strands_are_carried_to_another_head():
    made = hairdresser.hair(scalp, "bob", 2)
    places = scalp.places * 1.1 + np.array([0.0, 0.003, -0.002])
    points = strands.carried(scalp, made, places)
    rows = scalp.triangles[made.triangles]
    assert np.allclose(points[:, 0], (places[rows] * made.shares[:, :, None]).sum(1), atol=1e-5)
    # A head that is larger by a tenth wears hair around it that is so too.
    assert np.abs(points - (made.points * 1.1 + np.array([0.0, 0.003, -0.002]))).mean() < 0.006


def test_persons_fit_the_styles_and_a_number_draws_the_same_one():
    table = persons.persons()
    assert len(table) == 12
    for person in table.values():
        assert person.cut.style in styles.STYLES
        assert person.cut.beard in (styles.NO_BEARD, *styles.BEARDS)
        assert all(0 < channel < 1 for channel in (*person.skin, *person.eyes))
        assert person.sex == "male" or person.cut.beard == styles.NO_BEARD
    assert persons.drawn_person(5) == persons.drawn_person(5)
    assert len({persons.drawn_person(seed).identity for seed in range(20)}) == 20
