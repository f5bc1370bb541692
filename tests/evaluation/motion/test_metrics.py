"""The motion figures on courses whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from engine.shared.arkit import ARKIT_NAMES
from engine.shared.units import CODE_RATE
from evaluation.motion import metrics
from training.phones import Segment

TIMES = np.arange(96) / CODE_RATE
SEGMENTS = [
    Segment("sil", 0, 1),
    Segment("AA", 1, 1.5),
    Segment("M", 1.5, 1.6),
    Segment("AA", 1.6, 2.5, 1.1),
    Segment("sil", 2.5, 4),
]


def _opening() -> np.ndarray:
    opening = np.where((TIMES > 1) & (TIMES < 2.5), 12.0, 0.0)
    opening[(TIMES > 1.5) & (TIMES < 1.6)] = 0.5
    return opening


def test_a_closed_bilabial_counts_and_an_open_one_does_not():
    opening = _opening()
    assert metrics.closures(opening, SEGMENTS) == metrics.Count(1, 1)
    opening[30:50] = 12.0
    assert metrics.closures(opening, SEGMENTS) == metrics.Count(0, 1)


def test_a_closure_one_frame_off_counts_and_two_frames_off_does_not():
    speech = np.full(96, 12.0)
    last = int(np.floor(1.6 * CODE_RATE))
    for distance, hits in ((1, 1), (2, 0)):
        opening = speech.copy()
        opening[last + distance] = 0.0
        assert metrics.closures(opening, SEGMENTS).hits == hits


def test_the_closed_threshold_grows_with_wide_speech():
    assert metrics.closed_threshold(np.full(10, 5.0)) == 1.0
    assert metrics.closed_threshold(np.full(10, 20.0)) == pytest.approx(2.0)


def test_vowels_that_stay_closed_are_false_closures():
    assert metrics.false_closures(_opening(), SEGMENTS) == metrics.Count(0, 2)
    assert metrics.false_closures(np.zeros(96), SEGMENTS) == metrics.Count(2, 2)
    assert metrics.vowel_peaks(_opening(), SEGMENTS) == [12.0]


@pytest.mark.parametrize("shift", [-4, 0, 3])
def test_lag_is_positive_for_motion_that_comes_late(shift):
    reference = np.random.default_rng(0).standard_normal(200)
    moved = np.roll(reference, shift)
    frames, correlation = metrics.lag(moved, reference)
    assert frames == shift
    assert correlation == pytest.approx(1.0)


def test_pauses_leave_out_the_frames_next_to_speech():
    rest = metrics.pause_openings(_opening(), SEGMENTS)
    assert len(rest) > 20
    assert rest.max() == 0.0


def test_blinks_are_counted_with_their_durations():
    weights = np.zeros((96, len(ARKIT_NAMES)), np.float32)
    columns = [ARKIT_NAMES.index("eyeBlinkLeft"), ARKIT_NAMES.index("eyeBlinkRight")]
    for start, length in ((10, 3), (50, 6)):
        weights[start : start + length, columns] = 1.0
    assert metrics.blinks(weights) == [pytest.approx(3 / CODE_RATE), pytest.approx(6 / CODE_RATE)]


def test_a_straight_course_has_no_jitter():
    assert metrics.mouth_jitter(np.linspace(0, 10, 50)) == pytest.approx(0.0, abs=1e-12)
    assert metrics.mouth_jitter(np.tile([0.0, 1.0], 20)) == pytest.approx(2.0)


def test_code_steps_of_a_known_course():
    codes = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, -3.0]])
    assert metrics.code_step(codes) == pytest.approx(4 / 4)
    assert metrics.code_step_rms(codes) == pytest.approx(np.sqrt((1 + 9) / 4))


def test_diversity_is_equation_20_written_out():
    recordings = np.random.default_rng(0).standard_normal((3, 4, 5, 2))  # N audio signals, K takes, frames, dimensions
    frames, sequences = 0.0, 0.0
    for i in range(3):
        for j in range(4):
            for other in range(4):
                if other != j:
                    difference = recordings[i, j] - recordings[i, other]
                    frames += np.mean([np.sqrt((row**2).sum()) for row in difference]) / (3 * 4)
                    sequences += np.sqrt((difference**2).sum()) / (3 * 4)
    assert metrics.Diversity.of([list(takes) for takes in recordings]) == metrics.Diversity(
        pytest.approx(frames), pytest.approx(sequences), 4
    )


def test_equal_takes_have_no_diversity():
    assert metrics.Diversity.of([[np.ones((5, 2))] * 3]) == metrics.Diversity(0.0, 0.0, 3)


@pytest.mark.parametrize(
    ("phones", "closed_at", "expected"),
    [
        ("AA T AA", 1.15, (1, 1)),  # a /t/ that closes the lips
        ("AA T AA", 1.05, (0, 1)),  # closed in the vowel before it
        ("AA T M", 1.15, (0, 0)),  # beside an /m/ it may
        ("sil T AA", 1.15, (0, 0)),  # beside a pause, too
        ("AA W AA", 1.15, (0, 0)),  # /w/ brings the lips together by itself
        ("AA M AA", 1.15, (0, 0)),
    ],
)
def test_consonants_that_close_the_lips_without_a_cause(phones, closed_at, expected):
    parts = [Segment(phone, 1 + 0.1 * i, 1.1 + 0.1 * i) for i, phone in enumerate(phones.split())]
    opening = np.full(48, 12.0)
    opening[round(closed_at * CODE_RATE)] = 0.0
    segments = [Segment("AH", 0, 1), *parts, Segment("AH", 1.3, 2)]
    assert metrics.unasked_closures(opening, segments) == metrics.Count(*expected)
