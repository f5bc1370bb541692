"""Where the tongue may go: never without room between the teeth, lifted on its way, and nothing else changes."""

import numpy as np
import pytest

from engine.shared.tongue import ROOM, with_tongue_in_place
from engine.shared.weights import TONGUE_NAMES, WEIGHT_NAMES

COLUMN = {name: number for number, name in enumerate(WEIGHT_NAMES)}
TONGUE = [COLUMN[name] for name in (*TONGUE_NAMES, "tongueOut")]


def placed(**values: float) -> dict[str, float]:
    weights = np.zeros(len(WEIGHT_NAMES), np.float32)
    for name, value in values.items():
        weights[COLUMN[name]] = value
    return dict(zip(WEIGHT_NAMES, with_tongue_in_place(weights).tolist(), strict=True))


def test_a_face_without_tongue_stays_as_it_is():
    weights = np.random.default_rng(0).uniform(0, 1, (50, len(WEIGHT_NAMES))).astype(np.float32)
    weights[:, TONGUE] = 0.0
    np.testing.assert_array_equal(with_tongue_in_place(weights), weights)


def test_only_the_tongue_changes_and_stays_within_its_range():
    weights = np.random.default_rng(1).uniform(0, 1, (500, len(WEIGHT_NAMES))).astype(np.float32)
    found = with_tongue_in_place(weights)
    others = np.setdiff1d(np.arange(len(WEIGHT_NAMES)), TONGUE)
    np.testing.assert_array_equal(found[:, others], weights[:, others])
    assert found[:, TONGUE].min() >= 0
    assert found[:, TONGUE].max() <= 1


@pytest.mark.parametrize("name", sorted(ROOM))
def test_a_channel_needs_its_jaw(name):
    none, whole = ROOM[name]
    assert placed(**{name: 1.0, "jawOpen": whole})[name] == pytest.approx(1.0)
    assert placed(**{name: 1.0, "jawOpen": (max(none, 0.0) + whole) / 2})[name] < 1.0
    assert placed(**{name: 1.0, "jawOpen": 1.0})[name] == pytest.approx(1.0)


def test_closed_teeth_keep_the_tongue_in():
    assert placed(tongueOut=1.0)["tongueOut"] == 0.0


@pytest.mark.parametrize("name", ["tongueOut", "tongueForward"])
def test_the_tip_is_lifted_on_its_way_over_the_lower_teeth(name):
    assert placed(**{name: 0.4, "jawOpen": 1.0})["tongueUp"] > 0.1
    assert placed(**{name: 1.0, "jawOpen": 1.0})["tongueUp"] == 0.0


def test_one_tongue_does_not_go_two_ways():
    found = placed(tongueOut=1.0, tongueBack=1.0, jawOpen=1.0)
    assert found["tongueOut"] + found["tongueBack"] == pytest.approx(1.0)
