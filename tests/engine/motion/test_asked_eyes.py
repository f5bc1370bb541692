"""Eyes as they are asked for: a gaze that holds its target whatever the head does, whole blinks, as many as wanted."""

import numpy as np
import pytest

from engine.motion import blinks
from engine.motion.asked_eyes import LIVELY_DEGREES, head_turn, with_asked_eyes
from engine.motion.codes import codes_from_weights, expression_basis
from engine.shared.pose import DEGREES_PER_LOOK, POSE_NAMES
from engine.shared.weights import WEIGHT_NAMES

BASIS, RATE, FRAMES = expression_basis(), 24.0, 480
YAW, PITCH = POSE_NAMES.index("yaw"), POSE_NAMES.index("pitch")


def column(weights, name):
    return weights[:, WEIGHT_NAMES.index(name)]


def gaze(weights, side):
    """Degrees to the left and up at which an eye looks against the head."""
    out, into = ("Out", "In") if side == "Left" else ("In", "Out")
    left = column(weights, f"eyeLook{out}{side}") - column(weights, f"eyeLook{into}{side}")
    up = column(weights, f"eyeLookUp{side}") - column(weights, f"eyeLookDown{side}")
    return DEGREES_PER_LOOK * np.stack([left, up], 1)


def free_eyes(seed=0):
    """Weights with eyes that jump twice a second, and a head that sways."""
    generator = np.random.default_rng(seed)
    weights = np.zeros((FRAMES, len(WEIGHT_NAMES)), np.float32)
    left = np.repeat(generator.normal(0, 0.1, FRAMES // 12), 12)
    for name, values in (("OutLeft", left), ("InRight", left), ("InLeft", -left), ("OutRight", -left)):
        weights[:, WEIGHT_NAMES.index("eyeLook" + name)] = np.clip(values, 0, None)
    pose = np.zeros((FRAMES, 6), np.float32)
    pose[:, YAW] = 8 * np.sin(np.arange(FRAMES) / 20)
    pose[:, PITCH] = 5 * np.cos(np.arange(FRAMES) / 33)
    return weights, pose


def asked_for(weights, pose, **asked):
    codes = codes_from_weights(weights, BASIS)
    turned = pose + head_turn(asked, FRAMES, RATE)
    return with_asked_eyes(codes, turned, BASIS, asked, RATE, 3) @ BASIS, turned


@pytest.mark.parametrize("target", [(0.0, 0.0), (14.0, 6.0), (-24.0, -10.0), (24.0, 8.0)])
def test_a_gaze_that_is_held_stays_on_its_target_while_the_head_moves(target):
    weights, pose = free_eyes()
    looking, turned = asked_for(weights, pose, gaze_hold=1.0, gaze_left=target[0], gaze_up=target[1])
    head = np.stack([turned[:, YAW], -turned[:, PITCH]], 1)
    for side in ("Left", "Right"):
        off = np.abs(gaze(looking, side) + head - target)
        assert off.max() < LIVELY_DEGREES + 0.01
    assert np.ptp(gaze(looking, "Left") + head, axis=0)[0] > 0.5  # small jumps stay


def test_the_head_takes_its_share_of_a_target_far_aside_alone():
    assert not head_turn({"gaze_hold": 1.0, "gaze_left": 6.0}, FRAMES, RATE).any()
    turn = head_turn({"gaze_hold": 1.0, "gaze_left": 40.0}, FRAMES, RATE)
    assert 8 < turn[:, YAW].mean() < 20
    assert not head_turn({"gaze_left": 40.0}, FRAMES, RATE).any()


def test_without_a_hold_the_eyes_are_as_sampled_and_half_of_it_goes_half_of_the_way():
    weights, pose = free_eyes()
    same, _ = asked_for(weights, pose, gaze_hold=0.0, gaze_left=20.0)
    np.testing.assert_allclose(same, weights, atol=1e-5)
    half, _ = asked_for(weights, 0 * pose, gaze_hold=0.5, gaze_left=7.0)
    full, _ = asked_for(weights, 0 * pose, gaze_hold=1.0, gaze_left=7.0)
    middle = 0.5 * (gaze(weights, "Left") + gaze(full, "Left"))
    np.testing.assert_allclose(gaze(half, "Left"), middle, atol=1e-3)


def movements(heights, base=0.0, spacing=48):
    """Lids (N, 2) that close by the heights, one movement every two seconds."""
    shape = np.array([0.3, 0.9, 1.0, 0.7, 0.4, 0.15])
    lids = np.full((spacing * len(heights) + 24, 2), base)
    for index, height in enumerate(heights):
        start = 20 + spacing * index
        lids[start : start + 6] += ((height - base) * shape)[:, None] * (1.0, 0.95)
    return lids.astype(np.float32)


def peaks(lids):
    closure = lids.min(axis=1)
    inner = closure[1:-1]
    return closure[np.flatnonzero((inner > 0.5) & (inner >= closure[:-2]) & (inner > closure[2:])) + 1]


@pytest.mark.parametrize("base", [0.0, 0.15])
def test_what_goes_most_of_its_way_closes_and_what_does_not_is_no_blink(base):
    lids = movements([0.6, 0.75, 0.98, 0.4, 0.3], base)
    found = blinks.decided(lids, RATE)
    assert len(peaks(found)) == 3
    assert peaks(found).min() >= 0.95
    assert found[150:].max() < base + 0.15
    np.testing.assert_allclose(found[:15], base, atol=1e-6)
    np.testing.assert_allclose(blinks.decided(lids, RATE, 0.0), lids, atol=1e-6)
    np.testing.assert_allclose(blinks.decided(found, RATE)[:140], found[:140], atol=0.01)  # decided once and for all


@pytest.mark.parametrize(("more", "count"), [(-1.0, 0), (-0.5, 10), (0.0, 20), (0.5, 30), (1.0, 40)])
def test_there_are_as_many_blinks_as_asked_for(more, count):
    lids, free = movements([1.0] * 20), np.ones(984, bool)
    changed = blinks.as_often(lids, RATE, np.full(984, more), np.zeros(984), free, 1)
    assert abs(len(peaks(changed)) - count) <= 1
    np.testing.assert_array_equal(changed, blinks.as_often(lids, RATE, np.full(984, more), np.zeros(984), free, 1))


def test_blinks_outside_the_frames_that_are_free_stay():
    lids, free = movements([1.0] * 20), np.zeros(984, bool)
    free[480:] = True
    for more in (-1.0, 1.0):
        changed = blinks.as_often(lids, RATE, np.full(984, more), np.zeros(984), free, 1)
        np.testing.assert_array_equal(changed[:480], lids[:480])
        assert not np.array_equal(changed, lids)


def test_a_blink_that_is_added_falls_on_a_jump_of_the_gaze():
    lids, shifts = movements([1.0, 1.0, 1.0], spacing=96), np.zeros(312)
    shifts[70] = 9.0
    changed = blinks.as_often(lids, RATE, np.full(312, 1.0), shifts, np.ones(312, bool), 1)
    assert changed[70:76].max() > 0.95
    assert lids[70:76].max() < 0.1
