"""Prosody against sounds whose pitch, loudness and accents are known."""

import numpy as np
import pytest

from engine.motion.prosody import LEVEL, PITCH, PROMINENCE, TILT, VOICING, accents, prosody

RATE = 16000


def buzz(pitch, seconds, gain=1.0):
    """A pulse train (S,) whose pitch, a number or (S,), is known, with a syllable every quarter second."""
    times = np.arange(int(RATE * seconds)) / RATE
    phase = np.cumsum(np.broadcast_to(pitch, times.shape)) / RATE
    tone = sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 9))
    syllables = 0.35 + 0.65 * np.sin(np.pi * times / 0.25) ** 2
    return (0.08 * gain * syllables * tone).astype(np.float32)


@pytest.mark.parametrize("pitch", [90.0, 140.0, 220.0, 330.0])
def test_a_glide_of_half_an_octave_is_heard_as_such(pitch):
    glide = pitch * 2 ** np.linspace(-0.25, 0.25, 2 * RATE)
    table = prosody(buzz(glide, 2.0), 48)
    assert table[4:-4, VOICING].min() > 0.5
    rise = 3 * (table[-6, PITCH] - table[6, PITCH])  # semitones
    assert rise == pytest.approx(12 * 0.5 * 36 / 48, abs=0.8)


def test_silence_and_hiss_have_no_voice():
    assert not prosody(np.zeros(RATE, np.float32), 24).any()
    hiss = np.random.default_rng(0).normal(0, 0.05, 2 * RATE).astype(np.float32)
    assert prosody(hiss, 48)[:, VOICING].max() < 0.3
    assert not len(accents(prosody(hiss, 48))[0])


def test_gain_changes_nothing_and_a_clip_may_be_very_short():
    sound = buzz(150.0, 1.0)
    np.testing.assert_allclose(prosody(sound, 24), prosody(0.1 * sound, 24), atol=0.03)
    assert np.isfinite(prosody(sound[:800], 1)).all()


def test_a_syllable_that_is_louder_and_higher_is_an_accent():
    times = np.arange(4 * RATE) / RATE
    bump = np.exp(-0.5 * ((times - 2.125) / 0.09) ** 2)
    sound = buzz(130 * 2 ** (0.4 * bump), 4.0, gain=1 + bump)
    table = prosody(sound, 96)
    found, strengths = accents(table)
    assert np.abs(found - 2.125).min() < 0.05
    assert strengths[np.abs(found - 2.125).argmin()] == strengths.max()
    assert table[:, PROMINENCE].argmax() == pytest.approx(51, abs=1)


def test_effort_shows_in_the_tilt_not_in_the_level():
    soft, strong = buzz(150.0, 1.0), buzz(150.0, 1.0)
    strong = np.append(strong[:1], strong[1:] - 0.95 * strong[:-1]) * 2  # less low, more high frequencies
    table = prosody(np.concatenate([soft, strong * soft.std() / strong.std()]), 48)
    assert table[28:44, TILT].mean() > table[4:20, TILT].mean() + 0.3
    assert abs(table[28:44, LEVEL].mean() - table[4:20, LEVEL].mean()) < 0.1
