"""Figures of one camera: turns, channels and lips whose truth is made up."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine import Engine
from engine.shared.errors import EngineError
from engine.shared.pose import POSE_NAMES, rotations
from engine.shared.weights import WEIGHT_NAMES
from evaluation.capture.filmed import FilmedSentence, Heard, figures_of, filmed_sentences, heard
from evaluation.capture.one_camera import channel_of, true_turns
from training.capture.talking_head import seated_poses
from training.data.utterance import Utterance


def weights(frames: int, **values: float) -> np.ndarray:
    found = np.zeros((frames, len(WEIGHT_NAMES)))
    for name, value in values.items():
        found[:, WEIGHT_NAMES.index(name)] = value
    return found


def test_turns_are_those_of_the_poses_that_a_take_would_hold():
    poses = seated_poses(40, np.random.default_rng(0))
    turns = true_turns(poses)
    assert turns.std(0).min() > 0.3
    again = rotations(np.concatenate([turns, np.zeros((40, len(POSE_NAMES) - 3))], 1))
    # y up and z ahead to Blender's axes: the same motion between two frames
    axes = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    plain = Rotation.from_matrix(axes @ (poses[:, :3, :3] / np.linalg.norm(poses[:, :3, :1], axis=1)[:, None]) @ axes.T)
    between = (plain[3].inv() * plain[30]).magnitude()
    assert (Rotation.from_matrix(again[3]).inv() * Rotation.from_matrix(again[30])).magnitude() == pytest.approx(
        between, rel=0.02
    )


def test_lowered_brows_count_against_raised_ones():
    brows = channel_of(weights(2, browInnerUp=0.5, browOuterUpLeft=0.2, browDownLeft=0.3), "brows")
    np.testing.assert_allclose(brows, 0.4)


def test_lips_are_measured_while_the_phones_are_said():
    motion = weights(50, jawOpen=0.3)
    motion[10:14, WEIGHT_NAMES.index("mouthClose")] = 0.3  # a closure at 0.4 to 0.56 s
    motion[:, WEIGHT_NAMES.index("mouthPucker")] = 0.2
    rows = [["AA", 0.0, 0.42], ["B", 0.42, 0.54], ["AA", 0.54, 1.0], ["T", 1.0, 1.2], ["W", 1.2, 1.4], ["M", 1.4, 1.6]]
    sentence = FilmedSentence(
        Utterance("grid/a", "grid", "s1", rows, np.zeros(1, np.int16)), np.zeros((50, 1, 3)), motion
    )
    found = heard(sentence, motion, Engine.load(device="cpu"))
    assert len(found.nearest) == 2 and found.nearest[0] < 0.5 < 5 < found.nearest[1]
    assert len(found.elsewhere) == 1 and found.elsewhere[0] > 5  # T; W and M are labial, or beside it
    np.testing.assert_allclose(found.rounding, [0.2], atol=1e-6)
    figures = figures_of([found, Heard(np.array([0.1, 0.2]), np.array([0.5]), np.array([]), np.zeros(3))])
    assert figures["closed"] == 0.75 and figures["needless"] == 0.5 and figures["bilabials"] == 4


def test_a_data_folder_without_the_film_is_one_sentence(tmp_path):
    with pytest.raises(EngineError, match=r"has no motion\.npz"):
        filmed_sentences(tmp_path, 1)
