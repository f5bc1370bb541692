"""Landmarks as a condition: pose, size and the person's own shape do not count, what moves does, gaps are bridged."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.motion.landmarks import RIGID, LandmarkCondition, steady
from engine.shared.errors import EngineError


def face(seed, frames=40, moved=True):
    """Landmarks (N, 68, 3) in metres of a person whose mouth moves by up to 5 mm."""
    rest = 0.03 * np.random.default_rng(seed).standard_normal((68, 3))
    rest[RIGID] = 0.03 * np.random.default_rng(0).standard_normal((len(RIGID), 3))
    landmarks = np.repeat(rest[None], frames, axis=0)
    if moved:
        landmarks[:, 48:, 1] += 0.005 * np.sin(np.arange(frames))[:, None]
    return landmarks


def turned(landmarks, scale):
    vectors = np.linspace([0, 0, 0], [0.3, 0.6, -0.2], len(landmarks))
    rotations = Rotation.from_rotvec(vectors).as_matrix()
    return scale * (landmarks @ rotations + np.linspace([0, 1, 0], [0.2, 1.1, 0], len(landmarks))[:, None])


def test_pose_size_and_person_do_not_count():
    condition = LandmarkCondition.from_clip(face(1))
    expected = condition.features(face(1)).numpy()
    np.testing.assert_allclose(condition.features(turned(face(1), 1000)), expected, atol=1e-4)
    np.testing.assert_allclose(condition.features(turned(face(2), 1)), expected, atol=1e-4)
    assert np.abs(condition.features(turned(face(3, moved=False), 1))).max() < 1e-4


def test_what_moves_counts_in_shares_of_the_distance_between_the_eyes():
    condition = LandmarkCondition.from_clip(face(1))
    features = condition.features(face(1)).numpy().reshape(-1, 68, 3)
    unit = 0.03 * np.linalg.norm(face(1)[0, 36] - face(1)[0, 45])
    course = 0.005 * np.sin(np.arange(40))
    np.testing.assert_allclose(features[:, 60, 1], (course - np.median(course)) / unit, atol=1e-3)
    assert np.abs(features[:, :36]).max() < 1e-4


def test_gaps_are_bridged_and_unseen_points_rest():
    condition = LandmarkCondition.from_clip(face(1))
    landmarks = turned(face(1), 1)
    landmarks[:, 3] = np.nan
    landmarks[10, 50] = np.nan
    features = condition.features(landmarks).numpy().reshape(-1, 68, 3)
    assert np.abs(features[:, 3]).max() < 1e-6
    np.testing.assert_allclose(features[10, 50], condition.features(face(1)).reshape(-1, 68, 3)[10, 50], atol=0.8)
    assert np.isfinite(features).all()


def test_a_few_eyes_and_noses_that_no_camera_saw_are_done_without():
    condition = LandmarkCondition.from_clip(face(1))
    landmarks = turned(face(1), 1)
    landmarks[:, 36], landmarks[5:, 45], landmarks[:30, 27] = np.nan, np.nan, np.nan
    features = condition.features(landmarks).numpy().reshape(-1, 68, 3)
    expected = condition.features(face(1)).numpy().reshape(-1, 68, 3)
    np.testing.assert_allclose(features[:, 48:], expected[:, 48:], atol=1e-4)
    assert np.abs(features[:, 36]).max() < 1e-4
    assert 36 not in steady(landmarks) and 30 in steady(landmarks)
    with pytest.raises(EngineError, match="Landmark 27 of nose or eyes"):
        LandmarkCondition.from_clip(landmarks)
    landmarks[:, [28, 29]] = np.nan
    with pytest.raises(EngineError, match="Landmark 27 of nose or eyes"):
        condition.features(landmarks)


@pytest.mark.parametrize(
    ("landmarks", "sentence"),
    [
        (np.zeros((5, 67, 3)), "68 points in space"),
        (np.zeros((0, 68, 3)), "68 points in space"),
        (np.full((5, 68, 3), np.nan), "Landmark 27 of nose or eyes is missing"),
        (np.zeros((5, 68, 3)), "lie in one point"),
    ],
)
def test_useless_landmarks_are_one_sentence(landmarks, sentence):
    with pytest.raises(EngineError, match=sentence):
        LandmarkCondition.from_clip(face(1)).features(landmarks)
