"""The articulation prior: what every performance must do, whatever is said and whoever speaks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.shared.arkit import ARKIT_NAMES
from engine.shared.lip_opening import OPENING_MM_PER_WEIGHT, REST_OPENING_MM, lip_opening_mm
from engine.shared.units import CODE_RATE
from training.phones import BILABIALS, PHONES, SILENCE, Segment, segments_from_labels
from training.prior.articulation import FASTEST, expected_mouth, in_time
from training.prior.grid import OVERSAMPLING
from training.prior.performance import perform

SPOKEN = sorted(set(PHONES) - {SILENCE})
MOUTH = [i for i, name in enumerate(ARKIT_NAMES) if name.startswith(("jaw", "mouth"))]


def _weights_of(**values: float) -> np.ndarray:
    weights = np.zeros(len(ARKIT_NAMES), np.float32)
    for name, value in values.items():
        weights[ARKIT_NAMES.index(name)] = value
    return weights


def _string(phones: list[tuple[str, float]]) -> tuple[list[Segment], int]:
    """Segments of a phone string between two pauses, and its code frames."""
    segments, start = [Segment(SILENCE, 0.0, 0.4)], 0.4
    for phone, duration in phones:
        segments.append(Segment(phone, start, start + duration))
        start += duration
    segments.append(Segment(SILENCE, start, start + 0.5))
    return segments, round((start + 0.5) * CODE_RATE)


phone_strings = st.lists(st.tuples(st.sampled_from(SPOKEN), st.floats(0.04, 0.3)), min_size=3, max_size=20)


@settings(max_examples=40)
@given(phone_strings, st.integers(0, 2**31), st.sampled_from(sorted(BILABIALS)))
def test_every_bilabial_closes_the_lips(phones, seed, bilabial):
    phones.insert(len(phones) // 2, (bilabial, 0.06))
    segments, frames = _string(phones)
    opening = lip_opening_mm(perform(segments, frames, seed).weights)
    for segment in segments:
        if segment.phone in BILABIALS:
            near = slice(int(segment.start * CODE_RATE) - 1, int(np.ceil(segment.end * CODE_RATE)) + 2)
            assert opening[near].min() <= 0.3


@settings(max_examples=30)
@given(phone_strings, st.integers(0, 2**31))
@example([("AA", 0.25), ("S", 0.25), ("B", 0.25)], 253)
def test_motion_of_the_mouth_is_bounded_and_in_range(phones, seed):
    segments, frames = _string(phones)
    weights = perform(segments, frames, seed, expressive=False).weights
    assert np.isfinite(weights).all()
    assert weights.min() >= 0
    assert weights.max() <= 1
    # The jaw of the real capture moves at most 0.35 of its range per frame of 24 Hz; the quickest drawn speaker more.
    assert np.abs(np.diff(weights[:, ARKIT_NAMES.index("jawOpen")])).max() < 0.5
    assert np.abs(np.diff(weights[:, MOUTH], axis=0)).max() < 0.6


@pytest.mark.parametrize("vowel", ["AA", "AE", "AO", "AY"])
def test_open_vowels_open_the_mouth(vowel):
    segments, frames = _string([("T", 0.08), (vowel, 0.2), ("T", 0.08)])
    assert 8 < lip_opening_mm(expected_mouth(segments, frames)).max() < 18


@settings(max_examples=10)
@given(st.integers(0, 2**31))
def test_in_silence_the_lips_stay_closed_and_blinks_go_on(seed):
    minutes = 2
    frames = round(60 * minutes * CODE_RATE)
    weights = perform([Segment(SILENCE, 0.0, 60.0 * minutes)], frames, seed, expressive=False).weights
    assert lip_opening_mm(weights).max() <= 0.3
    blinking = weights[:, ARKIT_NAMES.index("eyeBlinkLeft")] > 0.5
    assert 6 <= (np.diff(blinking.astype(int)) == 1).sum() / minutes <= 35


def test_long_pauses_close_the_lips():
    segments, frames = _string([("AA", 0.2), (SILENCE, 0.8), ("AA", 0.2)])
    opening = lip_opening_mm(perform(segments, frames, 5, expressive=False).weights)
    assert opening[round(0.95 * CODE_RATE) : round(1.2 * CODE_RATE)].max() <= 0.3


def test_what_cannot_close_in_time_opens_less():
    generator = np.random.default_rng(4)
    wanted = np.clip(np.cumsum(generator.normal(0, 0.08, 400)), 0, 1)
    opened = in_time(wanted)
    steps = np.abs(np.arange(400)[:, None] - np.arange(400)) * FASTEST / OVERSAMPLING
    np.testing.assert_allclose(opened, (wanted + steps).min(axis=1), atol=1e-12)
    slow = 0.5 + 0.4 * np.sin(np.arange(400) / 60)
    np.testing.assert_array_equal(in_time(slow), slow)


def test_the_seed_decides_the_performance():
    segments, frames = _string([("HH", 0.06), ("EH", 0.12), ("L", 0.07), ("OW", 0.25)])
    first, again, other = (perform(segments, frames, seed).weights for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.05


def test_rounding_is_anticipated():
    segments, frames = _string([("AH", 0.2), ("S", 0.12), ("T", 0.08), ("UW", 0.25)])
    pucker = expected_mouth(segments, frames)[:, ARKIT_NAMES.index("mouthPucker")]
    onset = round(0.8 * CODE_RATE)
    assert pucker[onset - 1] > 0.25 * pucker.max()


def test_lip_opening_is_linear_in_the_weights():
    assert lip_opening_mm(_weights_of()) == pytest.approx(REST_OPENING_MM)
    opened = lip_opening_mm(_weights_of(jawOpen=0.3, mouthClose=0.1))
    expected = REST_OPENING_MM + 0.3 * OPENING_MM_PER_WEIGHT["jawOpen"] + 0.1 * OPENING_MM_PER_WEIGHT["mouthClose"]
    assert opened == pytest.approx(expected, abs=1e-4)


def test_labels_become_segments_without_gaps():
    segments = segments_from_labels([["AH0", 0.2, 0.3], ["sp", 0.3, 0.5], ["", 0.5, 0.6], ["M", 0.6, 0.7]], 1.0)
    assert [s.phone for s in segments] == [SILENCE, "AH", SILENCE, "M", SILENCE]
    assert segments[0].start == 0.0
    assert segments[-1].end == 1.0
    assert all(a.end == pytest.approx(b.start) for a, b in pairwise(segments))
