"""Sound of captures: level, noise, what is kept of features, segments; and sounds that cannot be used."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from repository import ROOT

from engine.motion import audio
from engine.shared.errors import EngineError
from engine.shared.units import SAMPLE_RATE
from training.capture.__main__ import main
from training.capture.expression_fitting import write_codes
from training.capture.sound import (
    cached_features,
    check_level,
    clean_file,
    cleaned,
    difference_from_papers,
    papers_features,
    segmented,
    write_sound,
)
from training.paper_dataset import read_codes


def voice(seconds: float = 2.0, level: float = 0.02) -> np.ndarray:
    """Bursts of a tone in quiet noise."""
    times = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    noise = np.random.default_rng(0).normal(0, 0.1 * level, len(times))
    return (level * np.sin(2 * np.pi * 300 * times) * (times % 0.5 < 0.2) + noise).astype(np.float32)


def test_a_quiet_recording_is_amplified_and_its_noise_goes():
    pytest.importorskip("noisereduce")
    clean = 0.05 * audio.load(ROOT / "demo" / "voice.wav")
    noise = np.random.default_rng(0).normal(size=len(clean)) * clean.std() * 10 ** (-15 / 20)
    recorded = (clean + noise).astype(np.float32)
    sound = cleaned(recorded, "a.wav")
    assert sound.decibels == pytest.approx(20.0)
    pause = np.abs(clean) < 0.02 * np.abs(clean).max()
    assert sound.samples[pause].std() < 0.4 * 10 * recorded[pause].std()
    voice_share = (sound.samples @ clean) / (clean @ clean)
    left = sound.samples - voice_share * clean
    assert 20 * np.log10((voice_share * clean).std() / left.std()) > 9.0
    assert 2.0 < voice_share < 10.5  # the package lowers the voice, too


def test_a_loud_recording_is_amplified_as_far_as_it_goes():
    pytest.importorskip("noisereduce")
    sound = cleaned(voice(level=0.5), "a.wav")
    assert 0 < sound.decibels < 6
    assert np.abs(sound.samples).max() <= 1.0


def test_clipped_and_silent_and_damaged_recordings_are_named(tmp_path):
    soundfile.write(tmp_path / "clipped.wav", np.clip(100 * voice(), -1, 1), SAMPLE_RATE)
    with pytest.raises(EngineError, match="is clipped"):
        check_level(tmp_path / "clipped.wav")
    soundfile.write(tmp_path / "fine.wav", voice(), SAMPLE_RATE)
    check_level(tmp_path / "fine.wav")
    pytest.importorskip("noisereduce")
    with pytest.raises(EngineError, match="is silent"):
        cleaned(np.zeros(16000, np.float32), "silent.wav")
    (tmp_path / "broken.wav").write_bytes(b"RIFF0000")
    with pytest.raises(EngineError, match="damaged or not a sound file"):
        clean_file(tmp_path / "broken.wav", tmp_path / "001_A")
    assert not (tmp_path / "001_A").exists()


class Encoder(torch.nn.Module):
    """Counts how often it listens."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([value]))
        self.heard = 0

    def features(self, samples: np.ndarray) -> torch.Tensor:
        self.heard += 1
        return self.weight.detach() * torch.ones(24, 8)


def test_features_are_kept_until_the_sound_or_the_encoder_changes(tmp_path):
    sound = tmp_path / "001_A/audio/cleaned_audio.wav"
    write_sound(sound, voice(1.0))
    encoder = Encoder(1.0)
    for _ in range(2):
        assert torch.equal(cached_features(sound, encoder), torch.ones(24, 8).half())
    assert encoder.heard == 1
    other = Encoder(2.0)
    assert cached_features(sound, other)[0, 0] == 2
    write_sound(sound, voice(0.9))
    cached_features(sound, other)
    assert other.heard == 2
    (sound.parent / "wave2vec_audio_feats.safetensors").write_bytes(b"half written")
    cached_features(sound, other)
    assert other.heard == 3


def test_the_papers_pickled_features_are_read_and_foreign_ones_refused(tmp_path):
    path = tmp_path / "001_A/audio/wave2vec_audio_feats.pkl"
    path.parent.mkdir(parents=True)
    assert papers_features(tmp_path / "001_A", 24) is None
    values = np.random.default_rng(0).normal(size=(1, 24, 768)).astype(np.float32)
    path.write_bytes(pickle.dumps(values))
    np.testing.assert_allclose(papers_features(tmp_path / "001_A", 24), values[0], atol=2e-3)
    given = torch.from_numpy(values[0])
    assert difference_from_papers(tmp_path / "001_A", given) < 1e-3
    assert difference_from_papers(tmp_path / "001_A", 1.1 * given) == pytest.approx(0.1, abs=1e-3)
    with pytest.raises(EngineError, match="have 768 numbers and this encoder's 8"):
        difference_from_papers(tmp_path / "001_A", torch.zeros(24, 8))
    with pytest.raises(EngineError, match="has 24 frames and the sequence 30"):
        papers_features(tmp_path / "001_A", 30)
    path.write_bytes(pickle.dumps(SimpleNamespace(a=1)))
    with pytest.raises(EngineError, match="more than numbers"):
        papers_features(tmp_path / "001_A", 24)


def test_segments_have_one_length_and_the_sound_of_their_codes(tmp_path):
    folder = tmp_path / "set/001_A"
    codes = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    write_codes(folder, codes)
    write_sound(folder / "audio/cleaned_audio.wav", voice(2.5))
    assert main(["segments", str(tmp_path / "set"), "--output", str(tmp_path / "cut"), "--seconds", "1"]) == 0
    made = sorted(path.name for path in (tmp_path / "cut").iterdir())
    assert made == ["001_A-000", "001_A-001"]
    np.testing.assert_array_equal(read_codes(tmp_path / "cut/001_A-001"), codes[24:48])
    part, rate = soundfile.read(tmp_path / "cut/001_A-001/audio/cleaned_audio.wav", dtype="float32")
    assert (len(part), rate) == (SAMPLE_RATE, SAMPLE_RATE)
    np.testing.assert_allclose(part, voice(2.5)[SAMPLE_RATE : 2 * SAMPLE_RATE], atol=1e-4)
    assert segmented(folder, tmp_path / "cut", 1.0) == [tmp_path / "cut" / name for name in made]


def test_a_dataset_without_codes_is_named(tmp_path, capsys):
    assert main(["segments", str(tmp_path), "--output", str(tmp_path / "cut")]) == 2
    assert "has no codes" in capsys.readouterr().err
