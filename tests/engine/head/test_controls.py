"""Measured controls change what they say, and the text that names a head is read as it was written."""

import numpy as np
import pytest
import torch
from closeness import assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Engine
from engine.head.identities import LARGEST_COEFFICIENT, IdentityControls
from engine.head.topology.correspondence import FixedTopologyHead
from engine.motion.codes import codes_from_weights
from engine.shared.errors import EngineError
from engine.shared.identity_text import join_identity, split_identity
from training.head.controls import LEADING_MODES, control_directions

NAMES = st.from_regex(r"[a-z][a-z_]{0,11}", fullmatch=True)
VALUES = st.floats(-3, 3).map(lambda value: round(value, 3))
BASES = st.one_of(st.just("mean"), st.integers(0, 10**9).map("random:{}".format), st.just("/tmp/a+b=c, d/x+1.npy"))


@given(BASES, st.dictionaries(NAMES, VALUES, max_size=5))
@settings(max_examples=60)
def test_an_identity_text_is_read_as_it_was_written(base, values):
    moved = {name: value for name, value in values.items() if value}
    assert split_identity(join_identity(base, values)) == (base, moved)


@pytest.mark.parametrize("text", ["mean+jaw_width=wide", "mean+jaw_width=nan", "random:3+jaw_width=inf"])
def test_values_must_be_numbers(text):
    with pytest.raises(ValueError):
        split_identity(text)


def test_a_control_changes_its_measurement_by_one_deviation_and_the_others_less():
    changes = np.random.default_rng(0).standard_normal((100, 6)) * (1, 2, 3, 4, 5, 6)
    changes[:, 1] += 1.5 * changes[:, 0]  # two measurements that go together
    directions, deviations = control_directions(changes)
    np.testing.assert_allclose(deviations, np.sqrt((changes**2).sum(0)))
    changed = directions @ changes[:, :] / deviations
    np.testing.assert_allclose(np.diag(changed), 1.0 + np.diag(directions[:, LEADING_MODES:] @ changes[LEADING_MODES:]))
    raw = changes.T @ changes / np.outer(deviations, deviations)
    assert abs(changed[0, 1]) < 0.3 * abs(raw[0, 1])
    assert not directions[:, LEADING_MODES:].any()


def test_coefficients_stay_among_heads_that_were_trained():
    controls = IdentityControls(("nose_length",), (3.2,), np.array([[1.5, -0.5]], np.float32))
    np.testing.assert_allclose(controls.coefficients({"nose_length": 1.0}), [1.5, -0.5])
    np.testing.assert_allclose(controls.coefficients({"nose_length": -3.0}), [-LARGEST_COEFFICIENT, 1.5])


@pytest.fixture(scope="module")
def engine():
    torch.set_num_threads(1)
    return Engine.load(device="cpu")


@pytest.mark.parametrize(
    "text, message",
    [("mean+ear_size=1", "ear_size"), ("mean+jaw_width=3.5", "between -3 and 3"), ("mean+jaw_width=x", "no number")],
)
def test_bad_controls_are_refused(engine, text, message):
    with pytest.raises(EngineError, match=message):
        engine.identity_code(text)


def test_controls_are_added_to_their_base(engine):
    base, moved = engine.identity_code("random:7"), engine.identity_code("mean+nose_length=1")
    np.testing.assert_allclose(engine.identity_code("random:7+nose_length=1"), base + moved, atol=1e-6)
    assert engine.identity_code("mean") is None


def _sizes(engine, text):
    """Eye spacing and mouth width in millimetres, from the eyeballs and from the lips of the template."""
    code = engine.identity_code(text)
    fixed = FixedTopologyHead(engine.head, code)
    left, right = (eye.centre for eye in engine.head.prepare_identity(code).regions.geometry().eyes)
    lips = fixed.neutral()[fixed.regions[:, engine.head.regions.names.index("lips")] > 127]
    return 250 * np.array([np.linalg.norm(left - right), np.ptp(lips[:, 0])])


@pytest.mark.parametrize("control, column", [("eye_spacing", 0), ("mouth_width", 1)])
def test_the_starters_controls_change_what_they_say(engine, control, column):
    controls = engine.head.modes.controls
    expected = 2 * 1.5 * controls.millimetres[controls.names.index(control)]
    change = _sizes(engine, f"mean+{control}=1.5") - _sizes(engine, f"mean+{control}=-1.5")
    assert change[column] == pytest.approx(expected, rel=0.25)
    assert abs(change[1 - column]) < 0.25 * expected


def test_weights_and_codes_of_the_starter_convert_exactly_both_ways(engine):
    basis = engine.head.arkit_map.basis
    weights = np.random.default_rng(1).uniform(0, 1, (40, basis.shape[1])).astype(np.float32)
    codes = codes_from_weights(weights, basis)
    assert_close(engine.head.arkit_map.weights(codes), weights)
    assert_close(codes_from_weights(engine.head.arkit_map.weights(codes), basis), codes)
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=2e-6)
