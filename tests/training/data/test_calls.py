"""Synthesised calls of animals and crowds: they sound, follow their seed, and are what they are meant to be."""

import numpy as np
import pytest

from engine.shared.units import SAMPLE_RATE
from training.data import calls

LENGTH = 3 * SAMPLE_RATE


def vowel(pitch, formant):
    """A fifth of a second of pulses through one formant."""
    times = np.arange(SAMPLE_RATE // 5) / SAMPLE_RATE
    return (np.cos(2 * np.pi * formant * times) * (times * pitch % 1 < 0.2)).astype(np.float32)


def crowd(length, generator):
    return calls.crowd_call([vowel(120, 600), vowel(210, 800)], length, generator)


SYNTHESES = {"birdsong": calls.birdsong, "mammal": calls.mammal, "crowd": crowd}


@pytest.mark.parametrize("name", SYNTHESES)
@pytest.mark.parametrize("seed", range(12))
def test_a_call_sounds_and_follows_its_seed(name, seed):
    sound = SYNTHESES[name](LENGTH, np.random.default_rng(seed))
    assert sound.shape == (LENGTH,)
    assert np.isfinite(sound).all()
    assert sound.std() > 1e-4
    np.testing.assert_array_equal(sound, SYNTHESES[name](LENGTH, np.random.default_rng(seed)))
    assert not np.array_equal(sound, SYNTHESES[name](LENGTH, np.random.default_rng(seed + 100)))


def test_a_crowd_holds_what_a_voice_changes():
    """Formants of the vowels stay: most of the power lies where theirs does, a tenth above and below."""
    sound = calls.crowd_call([vowel(120, 1500)], LENGTH, np.random.default_rng(3))
    power = np.abs(np.fft.rfft(sound)) ** 2
    hertz = np.fft.rfftfreq(LENGTH, 1 / SAMPLE_RATE)
    near = power[(hertz > 0.7 * 1500) & (hertz < 2.4 * 1500)].sum() / power.sum()
    assert near > 0.6


def test_a_long_tract_has_low_resonances():
    noise = np.random.default_rng(0).standard_normal(LENGTH)
    hertz = np.fft.rfftfreq(LENGTH, 1 / SAMPLE_RATE)

    def middle(tract):
        power = np.abs(np.fft.rfft(calls._through_tract(noise, tract, 0.0))) ** 2
        return (hertz * power).sum() / power.sum()

    assert middle(3.0) < 0.6 * middle(1.0) < 0.6 * middle(0.6)
