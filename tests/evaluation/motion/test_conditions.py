"""Conditions of the evaluation do to the sound what their names say, and phones keep their places."""

from dataclasses import replace

import numpy as np
import pytest

from evaluation.motion.conditions import CONDITIONS, under_condition
from evaluation.motion.recordings import Recording
from training.phones import Segment

RATE = 16000


@pytest.fixture
def burst() -> Recording:
    """Two seconds of quiet with a hissing burst from 0.9 to 1.1 s."""
    generator = np.random.default_rng(3)
    audio = 1e-4 * generator.standard_normal(2 * RATE).astype(np.float32)
    audio[int(0.9 * RATE) : int(1.1 * RATE)] += 0.3 * generator.standard_normal(int(0.2 * RATE)).astype(np.float32)
    return Recording("burst", audio, [Segment("S", 0.9, 1.1)])


@pytest.mark.parametrize("name", [name for name in CONDITIONS if name != "noise at 5 dB"])
def test_the_phone_stays_with_its_sound(burst, name):
    changed = under_condition(CONDITIONS[name], burst, seed=1)
    segment = changed.segments[0]
    level = np.abs(changed.audio)
    inside = level[int(segment.start * RATE) : int(segment.end * RATE)].mean()
    before = level[: int((segment.start - 0.1) * RATE)].mean()
    after = level[int((segment.end + 0.45) * RATE) :].mean()
    assert inside > 10 * before
    assert inside > 5 * after


@pytest.mark.parametrize(("name", "speed"), [("tempo 0.8", 0.8), ("tempo 1.5", 1.5), ("whispered", 1.0)])
def test_tempo_changes_the_duration(burst, name, speed):
    changed = under_condition(CONDITIONS[name], burst, seed=1)
    assert len(changed.audio) == pytest.approx(len(burst.audio) / speed, abs=2)
    expected = replace(burst.segments[0], start=0.9 / speed, end=1.1 / speed)
    assert changed.segments == [expected]


def test_noise_lies_five_decibels_below_the_speech():
    tone = np.sin(2 * np.pi * 500 * np.arange(4 * RATE) / RATE).astype(np.float32)
    noisy = under_condition(CONDITIONS["noise at 5 dB"], Recording("tone", tone, []), seed=2).audio
    ratio = 20 * np.log10(np.std(tone) / np.std(noisy - tone))
    assert ratio == pytest.approx(5.0, abs=1.0)


def test_the_telephone_carries_nothing_above_four_kilohertz(burst):
    spectrum = np.abs(np.fft.rfft(under_condition(CONDITIONS["telephone, 8 kHz"], burst, seed=1).audio)) ** 2
    frequencies = np.fft.rfftfreq(len(burst.audio), 1 / RATE)
    assert spectrum[frequencies > 4400].sum() < 0.01 * spectrum.sum()


def test_a_soft_voice_has_less_of_its_high_partials():
    times = np.arange(4 * RATE) / RATE
    for frequency, decibels in ((250, -1.0), (2000, -12.3), (4000, -20.1)):
        tone = np.sin(2 * np.pi * frequency * times).astype(np.float32)
        soft = under_condition(CONDITIONS["spoken softly"], Recording("tone", tone, []), seed=2).audio
        level = 2 * np.abs(soft @ np.exp(-2j * np.pi * frequency * times)) / len(tone)
        assert 20 * np.log10(level / 0.1) == pytest.approx(decibels, abs=1.0)
