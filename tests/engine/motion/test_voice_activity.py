"""Only voices are spoken: what the gate makes of a likelihood, and what the starter hears in sounds and voices."""

import dataclasses

import numpy as np
import pytest
import torch
from repository import ROOT

from engine.bundle import Bundle, merge_section
from engine.motion import audio
from engine.motion.prosody import LEVEL, PROMINENCE, PROSODY_DIMENSIONS, VOICING
from engine.motion.speech import load_speech_encoder
from engine.motion.voice_activity import (
    SECTION,
    Listener,
    VoiceActivity,
    VoiceActivityConfig,
    encoder_digest,
    gate_of,
    load_listener,
    load_voice_activity,
)
from engine.shared.errors import EngineError
from engine.shared.options import STARTER

CONFIG = VoiceActivityConfig(smooth=5, start=0.5, go_on=0.25, hold=8, fade=5)
RATE = 16000


@pytest.fixture(scope="module")
def starter():
    return load_listener(Bundle.open(STARTER))


@pytest.fixture
def voice():
    return audio.load(ROOT / "demo" / "voice.wav", duration=6.0)


def gate(listener, samples):
    return listener.activity.gate(listener.encoder.features(samples)).numpy()


def test_a_voice_counts_from_before_it_is_certain_until_after():
    likelihood = np.zeros(96, np.float32)
    likelihood[40:60] = 1.0
    found = gate_of(likelihood, CONFIG)
    assert (found[40 - CONFIG.hold : 60 + CONFIG.hold] == 1).all()
    assert (found[:24] == 0).all()
    assert (found[76:] == 0).all()
    assert np.abs(np.diff(found)).max() <= 1 / CONFIG.fade + 1e-6


def test_a_moment_that_sounds_like_a_voice_is_none():
    likelihood = np.zeros(96, np.float32)
    likelihood[[20, 50, 51, 80]] = 1.0
    assert not gate_of(likelihood, CONFIG).any()


def test_an_unsure_stretch_belongs_to_the_voice_beside_it():
    likelihood = np.full(96, 0.3, np.float32)
    assert not gate_of(likelihood, CONFIG).any()
    likelihood[10:20] = 0.9
    assert (gate_of(likelihood, CONFIG) == 1).all()


def test_a_voice_is_what_the_speech_detector_hears_too():
    likelihood, detected = np.zeros(96, np.float32), np.zeros(96, np.float32)
    likelihood[10:20] = likelihood[50:60] = 1.0
    detected[52] = CONFIG.agreed
    found = gate_of(likelihood, CONFIG, detected)
    assert not found[:36].any()
    np.testing.assert_array_equal(found[36:], gate_of(likelihood, CONFIG)[36:])
    assert (gate_of(likelihood, CONFIG, np.ones(96, np.float32)) == gate_of(likelihood, CONFIG)).all()


def test_the_starter_leaves_growls_to_the_animals(starter, voice):
    """A rough call: pulses of a slow throat behind a short vocal tract, which swells and dies away."""
    time = np.arange(2 * RATE) / RATE
    pulses = (np.diff(np.floor(110 * time + 0.4 * np.sin(2 * np.pi * 3 * time)), prepend=0) > 0).astype(np.float32)
    call = np.convolve(pulses, np.exp(-time[:800] * 300) * np.sin(2 * np.pi * 700 * time[:800]))[: len(time)]
    call = (0.3 * call * np.sin(np.pi * time / 2) ** 2).astype(np.float32)
    sounds = np.concatenate([np.zeros(RATE, np.float32), call, np.zeros(RATE, np.float32), voice])
    features = starter.features(sounds)
    silence = starter.features(np.zeros(4 * RATE, np.float32))[48]
    distance = (features - silence).norm(dim=1).numpy()
    assert gate(starter, sounds)[24 : 3 * 24].max() == 1  # by its own ears it would speak
    assert distance[: 3 * 24].max() < 0.1 * np.median(distance[5 * 24 :])


def test_without_a_voice_features_are_those_of_silence(starter, voice):
    class Deaf:
        def gate(self, features, detected):
            return torch.zeros(len(features))

    found = Listener(starter.encoder, Deaf()).features(voice)
    silence = starter.encoder.features(np.zeros(4 * RATE, np.float32))[48]
    spoken = (starter.encoder.features(voice) - silence).norm(dim=1).median()
    assert (found - silence).norm(dim=1).max() < 0.05 * spoken


def test_progress_rises_to_one(starter, voice):
    shares = []
    told = starter.features(voice, prosody=True, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) >= 3  # the encoder, the voice activity, the prosody
    assert torch.equal(told, starter.features(voice, prosody=True))


def test_a_bundle_without_it_takes_every_sound_for_a_voice(starter, voice):
    assert torch.equal(Listener(starter.encoder, None).features(voice), starter.encoder.features(voice))
    assert load_voice_activity(Bundle(Bundle.open(STARTER).folder, {"format": 1})) is None


def test_a_voice_is_heard_bit_for_bit(starter, voice):
    assert (gate(starter, voice) == 1).all()
    assert torch.equal(starter.features(voice), starter.encoder.features(voice))


@pytest.mark.parametrize("decibels", [-40, -20, 0])
def test_a_quiet_voice_is_heard(starter, voice, decibels):
    assert (gate(starter, 10 ** (decibels / 20) * voice) == 1).all()


def hiss(times, generator):
    return generator.standard_normal(len(times)) * np.sin(np.pi * times / 1.5) ** 2


def claps(times, generator):
    hands = (generator.random(len(times)) < 0.003) * generator.uniform(0.2, 1.0, len(times))
    return np.convolve(hands, generator.standard_normal(160) * np.exp(-np.arange(160) / 40), "same")


def tone(times, generator):
    return np.sin(2 * np.pi * 1800 * times + 8 * np.sin(2 * np.pi * 0.7 * times))


@pytest.mark.parametrize("sound", [hiss, claps, tone], ids=["breath", "applause", "whistle"])
def test_a_sound_that_nobody_speaks_is_silence(starter, sound):
    times = np.arange(6 * RATE) / RATE
    samples = (0.1 * sound(times, np.random.default_rng(5))).astype(np.float32)
    assert not gate(starter, samples).any()


def test_the_starters_is_of_its_encoder():
    """After the encoder was trained, so has to be this; docs/train.md has the command."""
    bundle = Bundle.open(STARTER)
    assert bundle.section(SECTION)["encoder"] == encoder_digest(bundle)


def test_one_for_another_encoder_is_not_asked(starter):
    bundle = Bundle.open(STARTER)
    section = bundle.section(SECTION) | {"encoder": "0123456789abcdef"}
    assert load_listener(Bundle(bundle.folder, bundle.config | {SECTION: section})).activity is None


def test_prosody_is_that_of_the_voice_alone(starter, voice):
    class Half:
        def gate(self, features, detected):
            return (torch.arange(len(features)) < 72).float()

    found = Listener(starter.encoder, Half()).features(voice, prosody=True)
    assert found.shape[1] == starter.encoder.config.hidden_size + PROSODY_DIMENSIONS
    measured = found[:, -PROSODY_DIMENSIONS:].numpy()
    assert np.abs(measured[:70]).max() > 0.5
    assert not measured[80:, (LEVEL, VOICING, PROMINENCE)].any()


def test_one_of_another_size_is_refused(tmp_path):
    bundle = Bundle.open(STARTER)
    network = VoiceActivity(VoiceActivityConfig(features=32, encoder=encoder_digest(bundle)))
    merge_section(tmp_path, "speech", bundle.section("speech"), bundle.tensors("speech"))
    merge_section(tmp_path, SECTION, dataclasses.asdict(network.config), network.state_dict())
    with pytest.raises(EngineError, match="made for another speech encoder"):
        load_listener(Bundle.open(tmp_path))


@pytest.mark.parametrize("change", [{"kernel": 4}, {"width": -1}, {"unknown": 1}, {"features": 7}])
def test_sizes_that_make_no_network_are_refused(change):
    bundle = Bundle.open(STARTER)
    broken = Bundle(bundle.folder, bundle.config | {SECTION: bundle.section(SECTION) | change})
    with pytest.raises(EngineError, match=r"voice.activity"):
        load_voice_activity(broken)


def test_the_encoder_itself_is_unchanged(starter, voice):
    assert torch.equal(load_speech_encoder(Bundle.open(STARTER)).features(voice), starter.encoder.features(voice))
