"""Contact of lower lip and upper teeth on the starter's template."""

import numpy as np
import pytest

from engine.bundle import Bundle
from engine.head import load_head
from engine.shared.weights import WEIGHT_NAMES
from evaluation.motion import metrics as motion_metrics
from evaluation.motion.performer import LipToTeeth
from training.phones import Segment
from training.prior.articulation import expected_mouth


@pytest.fixture(scope="module")
def lip_to_teeth():
    return LipToTeeth(load_head(Bundle.open("starter"), "cpu"))


def _weights(**values: float) -> np.ndarray:
    row = np.zeros((1, len(WEIGHT_NAMES)), np.float32)
    for name, value in values.items():
        row[0, WEIGHT_NAMES.index(name)] = value
    return row


def test_a_falling_jaw_takes_the_lip_away_from_the_teeth(lip_to_teeth):
    openings = np.concatenate([_weights(jawOpen=value) for value in (0.3, 0.6, 1.0)])
    assert (np.diff(lip_to_teeth.distance(openings)) > 5.0).all()


def test_eyes_and_brows_do_not_matter(lip_to_teeth):
    upper_face = _weights(eyeBlinkLeft=1.0, browInnerUp=1.0, eyeLookInRight=0.7)
    assert lip_to_teeth.distance(upper_face) == pytest.approx(lip_to_teeth.distance(_weights()), abs=1e-4)


@pytest.mark.parametrize(("phone", "contacts"), [("F", 1), ("V", 1), ("AA", 0)])
def test_the_prior_touches_on_labiodentals_alone(lip_to_teeth, phone, contacts):
    segments = [Segment("AA", 0.0, 0.4), Segment(phone, 0.4, 0.5), Segment("AA", 0.5, 1.0)]
    distance = lip_to_teeth.distance(expected_mouth(segments, 24))
    labelled_as_f = [Segment("F", 0.4, 0.5)]
    assert motion_metrics.labiodental_contacts(distance, labelled_as_f) == motion_metrics.Count(contacts, 1)
