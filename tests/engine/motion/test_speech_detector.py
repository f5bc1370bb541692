"""The speech detector says what Silero's own program says."""

import dataclasses

import numpy as np
import pytest
import torch
from repository import ROOT

from engine.bundle import Bundle, merge_section
from engine.motion import audio, speech_detector
from engine.motion.speech_detector import CHUNK, SECTION, SpeechDetector, load_speech_detector
from engine.shared.errors import EngineError
from engine.shared.options import STARTER

# What silero_vad.jit of the package silero-vad 6.2.3 makes of `sounds`, chunk by chunk.
SAID = ROOT / "tests" / "fixtures" / "speech_detector.npy"


@pytest.fixture(scope="module")
def detector():
    return load_speech_detector(Bundle.open(STARTER))


@pytest.fixture(scope="module")
def sounds():
    """A voice, noise, and the voice softly."""
    voice = audio.load(ROOT / "demo" / "voice.wav")
    noise = np.random.default_rng(0).normal(0, 0.05, 32000).astype(np.float32)
    return np.concatenate([voice, noise, 0.02 * voice])


def test_it_says_what_the_original_says(detector, sounds):
    said = np.load(SAID)
    found = detector.likelihoods(sounds)
    assert found.shape == said.shape == (-(-len(sounds) // CHUNK),)
    assert np.abs(found - said).max() < 0.03  # weights in half precision
    assert np.abs(found - said).mean() < 0.002


def test_blocks_do_not_matter(detector, sounds, monkeypatch):
    whole, shares = detector.likelihoods(sounds), []
    monkeypatch.setattr(speech_detector, "BLOCK", 37)
    np.testing.assert_allclose(detector.likelihoods(sounds, shares.append), whole, atol=1e-5)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_no_sound_has_no_likelihood(detector):
    assert detector.likelihoods(np.zeros(0, np.float32)).shape == (0,)
    assert detector.likelihoods(np.zeros(1, np.float32)).shape == (1,)


def test_a_bundle_may_have_none(tmp_path):
    starter = Bundle.open(STARTER)
    without = {name: part for name, part in starter.config.items() if name != SECTION}
    assert load_speech_detector(dataclasses.replace(starter, config=without)) is None
    with pytest.raises(EngineError, match="speech_detector"):
        load_speech_detector(dataclasses.replace(starter, config=starter.config | {SECTION: 3}))


def test_weights_that_do_not_fit_are_refused(tmp_path):
    weights = SpeechDetector().state_dict() | {"out.weight": torch.zeros(2, 128)}
    merge_section(tmp_path, SECTION, {}, weights)
    with pytest.raises(EngineError, match=r"out\.weight"):
        load_speech_detector(Bundle.open(tmp_path))
