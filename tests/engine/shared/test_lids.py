"""Lids that close: nothing lifts them, each side for itself, and everything else stays as it is."""

import numpy as np
import pytest

from engine.shared.lids import LIFTING, with_lids_in_place
from engine.shared.weights import WEIGHT_NAMES

COLUMN = {name: number for number, name in enumerate(WEIGHT_NAMES)}
LIFTED = [COLUMN[f"{name}{side}"] for name in LIFTING for side in ("Left", "Right")]


def random_weights(count: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 1, (count, len(WEIGHT_NAMES))).astype(np.float32)


def test_open_eyes_stay_as_they_are():
    weights = random_weights(50)
    weights[:, [COLUMN["eyeBlinkLeft"], COLUMN["eyeBlinkRight"]]] *= 0.5
    np.testing.assert_array_equal(with_lids_in_place(weights), weights)


def test_only_what_lifts_lids_changes_and_once_is_enough():
    weights = random_weights(500)
    found = with_lids_in_place(weights)
    others = np.setdiff1d(np.arange(len(WEIGHT_NAMES)), LIFTED)
    np.testing.assert_array_equal(found[:, others], weights[:, others])
    assert (found <= weights).all()
    assert (found[:, LIFTED] < weights[:, LIFTED]).any()
    np.testing.assert_array_equal(with_lids_in_place(found), found)


@pytest.mark.parametrize("name", LIFTING)
def test_a_wink_leaves_the_other_eye_alone(name):
    weights = np.zeros(52, np.float32)
    weights[[COLUMN["eyeBlinkLeft"], COLUMN[f"{name}Left"], COLUMN[f"{name}Right"]]] = 1.0, 0.4, 0.4
    found = with_lids_in_place(weights)
    assert found[COLUMN[f"{name}Left"]] == 0.0
    assert found[COLUMN[f"{name}Right"]] == np.float32(0.4)
