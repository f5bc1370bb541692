"""Figures of liveliness against motion whose figures are known."""

import numpy as np
import pytest

from engine.shared.arkit import ARKIT_NAMES
from engine.shared.controls import EMOTIONS
from engine.shared.weights import WEIGHT_NAMES
from evaluation.motion import liveliness
from training.prior.emotion import action_table

FRAMES = 240
TIMES = np.arange(FRAMES) / 24


def weights(**columns):
    table = np.zeros((FRAMES, len(WEIGHT_NAMES)), np.float32)
    for name, values in columns.items():
        table[:, ARKIT_NAMES.index(name)] = values
    return table


def bumps(times, width, heights):
    return sum(h * np.exp(-0.5 * ((TIMES - t) / width) ** 2) for t, h in zip(times, heights, strict=True))


def test_blinks_have_the_height_of_the_lid_that_closes_less():
    lids = bumps([2.0, 5.0, 8.0], 0.06, [1.0, 0.7, 0.3])
    found = liveliness.blink_peaks(weights(eyeBlinkLeft=lids, eyeBlinkRight=0.98 * lids))
    assert found == pytest.approx([0.98, 0.686], abs=0.01)


def test_gaze_shifts_are_jumps_and_not_drift():
    looks = np.zeros(FRAMES)
    for start, value in ((40, 0.2), (90, 0.05), (150, 0.3)):
        looks[start:] = value
    assert liveliness.gaze_shifts(weights(eyeLookOutLeft=looks)) == 3
    assert liveliness.gaze_shifts(weights(eyeLookOutLeft=0.2 * TIMES / 10)) == 0


def test_nods_are_the_lowest_points_of_the_head():
    pose = np.zeros((FRAMES, 6), np.float32)
    pose[:, 0] = bumps([2.0, 5.0, 8.0], 0.12, [3.0, 0.5, -3.0])
    np.testing.assert_allclose(liveliness.nods(pose)[:1], [2.0], atol=0.01)
    assert 5.0 not in liveliness.nods(pose)


def test_nods_at_accents_are_told_from_chance():
    rate = 16000
    times = np.arange(10 * rate) / rate
    moments = [1.625, 4.125, 7.625]
    bump = sum(np.exp(-0.5 * ((times - moment) / 0.09) ** 2) for moment in moments)
    phase = np.cumsum(130 * 2 ** (0.4 * bump)) / rate
    voice = sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 9)) * (
        0.35 + 0.65 * np.sin(np.pi * times / 0.25) ** 2
    )
    audio = (0.06 * voice * (1 + bump)).astype(np.float32)
    pose = np.zeros((FRAMES, 6), np.float32)
    pose[:, 0] = bumps(moments, 0.12, [3.0] * 3)
    hits, total, chance = liveliness.nods_at_accents(pose, audio)
    assert (hits, total) == (3, 3)
    assert chance < 1.5
    pose[:, 0] = bumps([moment + 0.6 for moment in moments], 0.12, [3.0] * 3)
    assert liveliness.nods_at_accents(pose, audio)[0] == 0


def test_mouths_of_one_take_are_alike_and_others_less():
    jaw = 0.2 * np.sin(2 * np.pi * TIMES) ** 2
    assert liveliness.mouth_likeness(weights(jawOpen=jaw), weights(jawOpen=2 * jaw)) == pytest.approx(1)
    assert liveliness.mouth_likeness(weights(jawOpen=jaw), weights(jawOpen=np.roll(jaw, 6))) < 0.5


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_an_emotion_is_named_by_its_actions(emotion):
    neutral = np.full(len(WEIGHT_NAMES), 0.05)
    shown = neutral + 0.5 * action_table(-1.0)[EMOTIONS.index(emotion)]
    assert liveliness.named_emotion(shown, neutral) == emotion


def test_band_powers_are_those_of_sines():
    course = 0.3 * np.sin(2 * np.pi * 3 * TIMES) + 0.1 * np.sin(2 * np.pi * 5 * TIMES)
    powers = liveliness.band_powers(course)
    assert powers[1] == pytest.approx(0.3**2 / 2, rel=0.02)
    assert powers[2] == pytest.approx(0.1**2 / 2, rel=0.02)
    assert max(powers[0], powers[3]) < 1e-4
