"""Figures of fitted datasets: closed forms, and a truth that is missing."""

import numpy as np
import pytest

from engine.shared.errors import EngineError
from engine.shared.units import METRES_PER_UNIT
from evaluation.capture.__main__ import table
from evaluation.capture.measurement import Measured, from_world, neighbours_correlation, read_head, together
from training.capture.alignment import Similarity
from training.capture.layout import Sequence


def test_neighbours_of_a_slow_wave_are_alike_and_those_of_noise_are_not():
    times = np.arange(400)[:, None]
    assert neighbours_correlation(np.sin(0.05 * times)) == pytest.approx(np.cos(0.05), abs=0.01)
    noise = np.random.default_rng(0).normal(size=(4000, 3))
    assert abs(neighbours_correlation(noise)) < 0.05
    assert neighbours_correlation(np.ones((10, 2))) == 1.0


def test_sequences_count_by_their_frames():
    found = together([Measured({"a": 1.0}, 10), Measured({"a": 4.0}, 20)])
    assert found == Measured({"a": 3.0}, 30)
    assert "| a | 3.00 |" in table({"set": found})


def test_points_of_the_world_come_back_into_model_units():
    pose = Similarity(1.1, np.eye(3)[[1, 2, 0]], np.array([1.0, 2.0, 3.0]))
    points = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_allclose(from_world(pose, pose.apply(METRES_PER_UNIT * points)), points, atol=1e-12)


def test_a_capture_without_truth_is_named(tmp_path):
    with pytest.raises(EngineError, match="only captures that were rendered here"):
        read_head(Sequence(tmp_path, "001", "SEN"), None)
