"""Eyes and neck from geometry: spheres with a known gaze, and the starter's own template."""

import numpy as np
import pytest
import torch

from engine import Engine
from engine.head.region_geometry import (
    GAZE_DOWN,
    GAZE_SIDEWAYS,
    GAZE_UP,
    IRIS_ANGLE,
    PUPIL_ANGLE,
    Eye,
    RegionGeometry,
)
from engine.motion.codes import ExpressionTake, codes_from_weights

NAMES = ("skin", "sclera", "iris", "pupil")


def _directions(count, seed):
    vectors = np.random.default_rng(seed).standard_normal((count, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_an_eye_is_the_sphere_through_its_points_and_looks_towards_its_pupil():
    centre, radius, gaze = np.array([0.1, 0.05, -0.02]), 0.06, np.array([0.2, -0.1, 0.97])
    gaze /= np.linalg.norm(gaze)
    points = centre + radius * _directions(300, 0)
    eye = Eye.fitted(points, centre + radius * (gaze + np.array([[0.05, 0, 0], [-0.05, 0, 0]])))
    np.testing.assert_allclose(eye.centre, centre, atol=1e-6)
    assert eye.radius == pytest.approx(radius)
    np.testing.assert_allclose(eye.frame[2], gaze, atol=1e-6)
    np.testing.assert_allclose(eye.frame @ eye.frame.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(eye.frame) == pytest.approx(1.0)
    assert eye.frame[0, 0] > 0.9


def _two_eyes():
    frame = np.eye(3)  # looks along +z
    eyes = tuple(Eye(np.array([side * 0.1, 0.0, 0.0]), 0.05, frame) for side in (1, -1))
    return RegionGeometry(NAMES, eyes, (-0.5, 0.0))


def test_iris_and_pupil_are_discs_of_the_right_angle_on_both_eyes():
    geometry = _two_eyes()
    offsets = _directions(4000, 1)
    for eye in geometry.eyes:
        weights = np.tile(np.array([0.0, 0.4, 0.3, 0.3], np.float32), (len(offsets), 1))
        refined = geometry.refined(eye.centre + eye.radius * offsets, weights)
        angle = np.degrees(np.arccos(offsets[:, 2]))
        expected = np.where(angle < PUPIL_ANGLE, 3, np.where(angle < IRIS_ANGLE, 2, 1))
        clear = np.minimum(abs(angle - PUPIL_ANGLE), abs(angle - IRIS_ANGLE)) > 1.0
        np.testing.assert_array_equal(refined.argmax(1)[clear], expected[clear])
        np.testing.assert_allclose(refined.sum(1), 1.0, atol=1e-6)
        assert refined.min() >= -1e-6


def test_the_neck_takes_the_skin_below_its_plane():
    geometry = _two_eyes()
    points = np.array([[0, -0.4, 0.3], [0, -0.6, 0.3], [0, -0.6, 0.3]], np.float32)
    weights = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0.25, 0.75, 0, 0]], np.float32)
    np.testing.assert_allclose(geometry.refined(points, weights)[:, [0, 4]], [[1, 0], [0, 1], [0, 0.25]], atol=1e-6)


@pytest.fixture(scope="module")
def engine():
    torch.set_num_threads(1)
    return Engine.load(device="cpu")


def test_the_starters_eyes_look_ahead_and_its_regions_cover_the_head(engine):
    for identity in (None, engine.identity_code("random:4")):
        left, right = engine.head.prepare_identity(identity).regions.geometry().eyes
        assert left.centre[0] > 0.1 > -0.1 > right.centre[0]
        for eye in (left, right):
            assert 11 < 250 * eye.radius < 19  # mm
            assert eye.frame[2, 2] > 0.97
    shape = engine.shape_keys(ExpressionTake(np.zeros((1, 200), np.float32)))
    found = {engine.head.regions.names[column] for column in np.unique(shape.regions.argmax(1))}
    assert found == set(engine.head.regions.names)
    assert "neck" in found
    np.testing.assert_allclose(shape.regions.sum(1, dtype=int), 255, atol=2)
    neck = shape.rest[shape.regions[:, -1] > 127]
    assert neck[:, 2].max() < -0.02  # metres, z up
    assert neck[:, 2].min() < -0.12


@pytest.mark.parametrize(
    "names, expected",
    [((2, 10), (-GAZE_SIDEWAYS, 0)), ((4, 11), (0, GAZE_UP)), ((1, 8), (0, -GAZE_DOWN)), ((3, 9), (GAZE_SIDEWAYS, 0))],
)
def test_the_gaze_turns_both_eyes_on_both_outputs(engine, names, expected):
    """Weights that turn both eyes the same way: degrees to the subject's left and up, on keys and on surfaces."""
    weights = np.zeros((1, 52), np.float32)
    weights[0, list(names)] = 1.0
    code = codes_from_weights(weights, engine.head.arkit_map.basis)
    neutral, posed = engine.shape_keys(ExpressionTake(code * 0)), engine.shape_keys(ExpressionTake(code))
    pupils = posed.regions[:, engine.head.regions.names.index("pupil")] > 127
    ahead, gaze = next(neutral.positions), next(posed.positions)
    turned = engine.head.prepare_identity().regions.geometry().turned(weights[0])
    for side, eye, plain in zip(
        (1, -1), turned.eyes, engine.head.prepare_identity().regions.geometry().eyes, strict=True
    ):
        own = pupils & (side * neutral.rest[:, 0] > 0)
        centre = 0.25 * plain.centre[[0, 2, 1]] * (1, -1, 1)  # metres, Blender's axes
        angles = [_angles(place[own].mean(0) - centre) for place in (ahead, gaze)]
        np.testing.assert_allclose(np.subtract(*angles[::-1]), expected, atol=1.5)
        drawn = np.subtract(*(_angles(row[[0, 2, 1]] * (1, -1, 1)) for row in (eye.frame[2], plain.frame[2])))
        np.testing.assert_allclose(drawn, expected, atol=1.5)


def _angles(direction):
    """Degrees to the subject's left and up of a direction in Blender's axes."""
    x, y, z = direction
    return np.degrees([np.arctan2(x, -y), np.arctan2(z, np.hypot(x, y))])
