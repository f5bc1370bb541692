"""Sounds that nobody speaks, and the scenes that the voice activity learns from."""

import numpy as np
import pytest
import soundfile

from engine.shared.errors import EngineError
from engine.shared.units import CODE_RATE, SAMPLE_RATE
from training.data import voiceless
from training.data.corpus import Clip, Corpus
from training.data.voice_changes import VoiceChange
from training.voice_scenes import IGNORED, labels_of, words


@pytest.mark.parametrize("synthesis", voiceless.SYNTHESES, ids=lambda synthesis: synthesis.__name__)
def test_a_synthesis_sounds_and_follows_its_seed(synthesis):
    sounds = [synthesis(3 * SAMPLE_RATE, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert sounds[0].shape == (3 * SAMPLE_RATE,)
    assert np.isfinite(sounds[0]).all()
    assert sounds[0].std() > 1e-3
    np.testing.assert_array_equal(sounds[0], sounds[1])
    assert not np.array_equal(sounds[0], sounds[2])


def test_files_of_a_package_without_those_that_speak(tmp_path):
    noise = np.random.default_rng(0).normal(0.2, 0.1, 44100)
    for name in ("dog.wav", "dog_desc.wav", "cats/cat.wav", "silent.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, noise * (name != "silent.wav"), 44100)
    source = voiceless.Source("some-sounds", str(tmp_path), ("**/*.wav",), ("_desc", "cats/"))
    assert source.installed
    (sound,) = voiceless.recorded([source])
    assert len(sound) == pytest.approx(SAMPLE_RATE, abs=1)
    assert abs(sound.mean()) < 1e-6


def test_ogg_files_inside_of_a_resource_file(tmp_path):
    generator, sounds = np.random.default_rng(0), []
    for index, seconds in enumerate((0.5, 1.0)):
        soundfile.write(tmp_path / f"{index}.ogg", generator.normal(0, 0.1, int(seconds * SAMPLE_RATE)), SAMPLE_RATE)
        sounds.append((tmp_path / f"{index}.ogg").read_bytes())
    content = b"qres" + bytes(100) + sounds[0] + b"a picture" + sounds[1] + b"names"
    assert list(voiceless.ogg_files(content)) == sounds
    (tmp_path / "all.rcc").write_bytes(content)
    source = voiceless.Source("some-sounds", str(tmp_path), ("*.rcc",))
    assert [len(sound) for sound in voiceless.recorded([source])] == [SAMPLE_RATE // 2, SAMPLE_RATE]


def test_a_package_that_is_missing_is_named(tmp_path):
    source = voiceless.Source("some-sounds", str(tmp_path / "none"), ("*.wav",))
    assert not source.installed
    with pytest.raises(EngineError, match="install Debian's some-sounds"):
        source.paths()


def test_what_is_measured_is_not_trained_on():
    """No held-out file comes from where a trained one does; of the stamps, other animals."""
    for held_out in voiceless.HELD_OUT.values():
        same = [source for source in voiceless.TRAINED if source.package == held_out.package]
        assert all("mammals" in source.left_out or "animals" not in str(source.patterns) for source in same)


def test_pauses_teach_nothing_and_words_follow_the_tempo():
    samples = np.zeros(SAMPLE_RATE, np.int16)
    phones = [["sil", 0.0, 0.25], ["AA", 0.25, 0.5], ["sil", 0.5, 0.75], ["B", 0.75, 1.0]]
    clip = Clip("a", "so762", "b", 0, SAMPLE_RATE, phones)
    assert len(Corpus([clip], samples).audio(clip)) == SAMPLE_RATE
    found = words(clip, 2 * SAMPLE_RATE, VoiceChange(tempo=0.5).speed)
    quarter = SAMPLE_RATE // 2
    for index, value in enumerate((IGNORED, 1, IGNORED, 1)):
        assert (found[index * quarter : (index + 1) * quarter] == value).all()
    labels = labels_of(np.repeat(found, 5))
    assert len(labels) == 10 * CODE_RATE
    assert set(labels) == {IGNORED, 1.0}
