"""Head pose: axes, signs and order as documented, the neck's lower end in place, and takes that carry it."""

import numpy as np
import pytest
from closeness import assert_close

from engine import Engine
from engine.motion.codes import ExpressionTake, codes_from_weights, expression_basis
from engine.shared.errors import EngineError
from engine.shared.pose import (
    DEGREES_PER_LOOK,
    HELD_SECONDS,
    HELD_SHARE,
    NECK_BASE,
    NECK_LOWER,
    POSE_NAMES,
    REFLEX,
    bend,
    posed,
    rotations,
)
from engine.shared.style import Style, smoothed
from engine.shared.weights import WEIGHT_NAMES

NOSE = np.array([[0.0, -0.08, 0.0]], np.float32)  # it faces -y
CROWN = np.array([[0.0, 0.06, 0.13]], np.float32)


def row(**values):
    return np.array([values.get(name, 0.0) for name in POSE_NAMES], np.float32)


def moved(point, **values):
    return (posed(point, row(**values), np.ones(len(point))) - point)[0]


def test_positive_angles_nod_down_turn_left_and_tilt_left():
    assert moved(NOSE, pitch=10.0)[2] < -0.01
    assert moved(NOSE, yaw=10.0)[0] > 0.01
    assert moved(CROWN, roll=10.0)[0] > 0.01
    assert_close(moved(NOSE, x=1.0, y=2.0, z=3.0), [0.001, 0.002, 0.003])


def test_the_order_is_that_of_blenders_mode_yxz():
    mathutils = pytest.importorskip("mathutils")
    pose = row(pitch=20.0, yaw=-35.0, roll=12.0)
    euler = mathutils.Euler(np.radians(pose[[0, 2, 1]]), "YXZ")
    assert_close(rotations(pose[None])[0], np.array(euler.to_matrix()), 1e-6)


def test_the_lower_end_of_the_neck_and_the_pivot_stay():
    low = np.array([[0.05, 0.05, NECK_LOWER - 0.001], [-0.03, 0.12, -0.13]], np.float32)
    assert (bend(low) == 0).all()
    pose = row(pitch=15.0, yaw=30.0, roll=10.0, x=3.0)
    np.testing.assert_array_equal(posed(low, pose, bend(low)), low)
    pivot = np.array([NECK_BASE], np.float32)
    assert_close(posed(pivot, row(pitch=15.0, yaw=30.0, roll=10.0), np.ones(1)), pivot)


def test_chin_and_face_take_the_whole_pose_and_the_starters_neck_bends_without_a_step():
    head = Engine.load("starter", "cpu").shape_keys(ExpressionTake(np.zeros((1, 200), np.float32)))
    share = bend(head.rest)
    face = head.rest[:, 1] < -0.04
    assert share[face].min() > 0.9
    assert share.min() == 0
    quads = head.polygons[head.polygons[:, 3] >= 0]
    corners = share[quads]
    assert (corners.max(1) - corners.min(1)).max() < 0.45
    assert np.isfinite(posed(head.vertices, row(yaw=30.0, pitch=10.0), share)).all()


def take(frames=12, **changes):
    pose = np.linspace(-5, 5, frames * 6, dtype=np.float32).reshape(frames, 6)
    return ExpressionTake(codes=np.zeros((frames, 200)), **({"pose": pose} | changes))


def test_a_file_keeps_the_pose_and_files_without_one_load(tmp_path):
    take().save(tmp_path / "posed.npz")
    np.testing.assert_array_equal(ExpressionTake.load(tmp_path / "posed.npz").pose, take().pose)
    take(pose=None).save(tmp_path / "old.npz")
    assert ExpressionTake.load(tmp_path / "old.npz").pose is None


@pytest.mark.parametrize("pose", [np.zeros((12, 5)), np.zeros((11, 6)), np.full((12, 6), np.nan)])
def test_a_pose_that_does_not_fit_is_refused(pose):
    with pytest.raises(EngineError, match="head pose"):
        take(pose=pose)


def test_a_pose_beyond_a_neck_is_limited():
    assert np.abs(take(pose=np.full((12, 6), 1e5)).pose).max() == 100


def test_head_motion_scales_the_pose_and_nothing_else():
    still = take().styled(Style(head_motion=0.0), expression_basis())
    assert not still.pose.any()
    np.testing.assert_array_equal(still.codes, take().codes)
    doubled = take().styled(Style(head_motion=2.0), expression_basis())
    np.testing.assert_array_equal(doubled.pose, 2 * take().pose)
    assert not Style(head_motion=0.5).changes_weights


def test_a_still_head_leaves_the_gaze_where_it_was_and_the_mouth_alone():
    frames = 96
    pose = np.zeros((frames, 6), np.float32)
    pose[:, 1] = 6 * np.sin(2 * np.pi * 0.8 * np.arange(frames) / 24)
    pose[:, 0] = 3 * np.sin(2 * np.pi * 1.1 * np.arange(frames) / 24)
    turned = pose[:, [1, 0]] * [1, -1]
    countered = turned - HELD_SHARE * smoothed(turned.astype(np.float32), 24.0, HELD_SECONDS)
    weights = np.zeros((frames, len(WEIGHT_NAMES)), np.float32)
    weights[:, WEIGHT_NAMES.index("jawOpen")] = 0.2
    for way, values in zip(("Out", "Up"), -REFLEX / DEGREES_PER_LOOK * countered.T, strict=True):
        away = {"Out": "In", "Up": "Down"}[way]
        weights[:, WEIGHT_NAMES.index(f"eyeLook{way}Left")] = np.clip(values, 0, 1)
        weights[:, WEIGHT_NAMES.index(f"eyeLook{away}Left")] = np.clip(-values, 0, 1)
    basis = expression_basis()
    spoken = ExpressionTake(codes_from_weights(weights, basis), weights=weights, pose=pose)
    still = spoken.styled(Style(head_motion=0.0), basis).weights
    left_eye = [WEIGHT_NAMES.index(f"eyeLook{way}Left") for way in ("Out", "In", "Up", "Down")]
    assert np.abs(weights[:, left_eye]).max() > 0.1
    assert np.abs(still[:, left_eye]).max() < 1e-4
    np.testing.assert_array_equal(still[:, WEIGHT_NAMES.index("jawOpen")], weights[:, WEIGHT_NAMES.index("jawOpen")])
