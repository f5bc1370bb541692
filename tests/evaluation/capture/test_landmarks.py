"""Errors of landmarks: closed forms, codes that say what the truth says, and coefficients of another model."""

import numpy as np
import pytest

from engine.motion.codes import codes_from_weights, expression_basis
from engine.shared.errors import EngineError
from engine.shared.units import METRES_PER_UNIT
from engine.shared.weights import WEIGHT_NAMES
from evaluation.capture.landmarks import (
    INNER_LIPS,
    ROWS,
    STILL,
    errors,
    landmark_motion,
    main,
    motion_of_codes,
    motion_of_flame,
    table,
)
from training.capture.flame_model import FlameModel
from training.capture.talking_head import TalkingHead


class Kit:
    """Eighty points that every weight moves in a direction of its own."""

    landmarks = np.arange(68)

    def __init__(self) -> None:
        self.moves = np.random.default_rng(0).normal(0, 0.01, (len(WEIGHT_NAMES), 80, 3))

    def head(self, coefficients: np.ndarray) -> np.ndarray:
        return np.tile(coefficients[:3], (80, 1))

    def lid_completions(self, head: np.ndarray) -> tuple:
        return ()

    def posed(self, head: np.ndarray, weights: np.ndarray, completions=None) -> np.ndarray:
        return head + np.tensordot(weights, self.moves, 1)


def test_codes_of_the_true_weights_move_the_landmarks_as_they_do():
    weights = np.random.default_rng(1).uniform(0, 1, (6, len(WEIGHT_NAMES)))
    head = TalkingHead(Kit(), np.arange(100.0), weights, np.tile(np.eye(4), (6, 1, 1)))
    true, basis = landmark_motion(head), expression_basis(200)
    np.testing.assert_allclose(true, 250 * np.tensordot(weights, Kit().moves[:, :68], 1), atol=1e-4)
    found = motion_of_codes(head, codes_from_weights(weights, basis), basis)
    np.testing.assert_allclose(found, true, atol=1e-3)


def test_coefficients_move_the_landmarks_of_their_triangles():
    expressions = np.zeros((2, 3, 3))
    expressions[0, :, 1], expressions[1, 0, 2] = 0.001 * METRES_PER_UNIT, 0.003 * METRES_PER_UNIT
    shares = np.tile([1.0, 0.0, 0.0], (68, 1))
    model = FlameModel(
        np.zeros((3, 3)), np.arange(3)[None], np.zeros((1, 3, 3)), expressions, np.zeros(68, int), shares
    )
    moved = motion_of_flame(model, np.array([[4.0, 0.0], [0.0, 2.0]]))
    np.testing.assert_allclose(moved[0], np.tile([0.0, 1.0, 0.0], (68, 1)))
    np.testing.assert_allclose(moved[1], np.tile([0.0, 0.0, 1.5], (68, 1)))
    with pytest.raises(EngineError, match="3 coefficients"):
        motion_of_flame(model, np.zeros((2, 3)))


def test_errors_in_closed_form():
    true = np.zeros((4, 68, 3))
    true[:, INNER_LIPS[1], 1] = [0.0, -4.0, -8.0, -2.0]
    found = 0.5 * true
    found[:, 0, 0] = 6.8
    figures = errors(found, true, rest_opening=0.5)
    opening = np.mean([0, 2, 4, 1])
    assert figures[ROWS[0]] == pytest.approx(6.8 / 68 + opening / 68)
    assert figures[ROWS[1]] == pytest.approx(opening / 20)
    assert figures[ROWS[2]] == pytest.approx(opening)
    assert figures[ROWS[3]] == pytest.approx(1.0)
    still = errors(np.zeros(true.shape, np.float32), true.astype(np.float32), 0.637)
    assert still[ROWS[3]] == 0.0 and still[ROWS[2]] == pytest.approx(2 * opening)


def test_a_table_has_a_row_for_each_method():
    one = dict.fromkeys(ROWS, 1.0)
    lines = table({STILL: [one], "voice": [one | {ROWS[0]: 3.0}]}).splitlines()
    assert lines[0].startswith("| 1 sequences |") and lines[-1].startswith("| voice | 3.00 |")


def test_a_set_without_a_name_is_one_sentence(tmp_path, capsys):
    assert main([str(tmp_path), "--data", str(tmp_path), "--codes", "takes"]) == 2
    assert "NAME=FOLDER" in capsys.readouterr().err
