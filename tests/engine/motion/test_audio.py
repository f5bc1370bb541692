"""Reading recordings: formats, channels, rates, parts, and what is refused."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.motion import audio
from engine.shared.errors import EngineError, UnreadableSound


def _tone(rate: int, seconds: float = 1.0, frequency: float = 440.0, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def _inner(samples: np.ndarray) -> np.ndarray:
    """Without the first and last 50 ms, where the resampler meets the silence outside."""
    return samples[800:-800]


@pytest.mark.parametrize(
    ("name", "subtype", "tolerance"),
    [
        ("a.wav", "PCM_16", 1e-4),
        ("a.wav", "PCM_24", 1e-6),
        ("a.wav", "FLOAT", 1e-6),
        ("a.wav", "DOUBLE", 1e-6),
        ("a.aiff", "PCM_16", 1e-4),
        ("a.flac", "PCM_24", 1e-6),
        ("a.ogg", "VORBIS", 0.05),
        ("a.opus", "OPUS", 0.05),
        ("a.mp3", "MPEG_LAYER_III", 0.05),
    ],
)
def test_formats(tmp_path, name, subtype, tolerance):
    format_name = "OGG" if name.endswith(("ogg", "opus")) else None
    soundfile.write(tmp_path / name, _tone(16000), 16000, subtype=subtype, format=format_name)
    samples = audio.load(tmp_path / name)
    assert samples.dtype == np.float32
    assert abs(len(samples) - 16000) < 1300  # MP3 pads
    assert np.sqrt(np.mean(samples[1600:14400] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=max(0.02, tolerance))
    if tolerance < 0.01:
        np.testing.assert_allclose(samples, _tone(16000), atol=tolerance + 1e-5)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 32000, 44100, 48000, 96000, 192000])
def test_rates_keep_pitch_time_and_level(rate):
    samples = audio.load((_tone(rate), rate))
    assert len(samples) == 16000
    np.testing.assert_allclose(_inner(samples), _inner(_tone(16000)), atol=2e-3)


def test_what_16_khz_cannot_hold_is_removed_not_folded():
    samples = audio.load((_tone(48000, frequency=11000), 48000))
    assert np.abs(_inner(samples)).max() < 2e-3


@pytest.mark.parametrize(
    ("left", "right"),
    [(1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1e-6)],
    ids=["both", "left", "right", "almost silent right"],
)
def test_a_voice_on_one_side_keeps_its_level(left, right):
    tone = _tone(16000)
    samples = audio.load((np.stack([left * tone, right * tone], axis=1), 16000))
    np.testing.assert_allclose(samples, tone, atol=1e-5)


def test_channels_that_cancel_each_other_are_not_mixed():
    tone = _tone(16000)
    samples = audio.load((np.stack([tone, -0.98 * tone], axis=1), 16000))
    np.testing.assert_allclose(samples, tone, atol=1e-5)


def test_different_channels_are_averaged():
    first, second = _tone(16000, frequency=300), _tone(16000, frequency=700)
    silent = np.zeros(16000, np.float32)
    samples = audio.load((np.stack([first, silent, second, silent, silent, silent], axis=1), 16000))
    np.testing.assert_allclose(samples, (first + second) / 2, atol=1e-5)


def test_offset_is_removed():
    samples = audio.load((_tone(16000) + 0.4, 16000))
    np.testing.assert_allclose(samples, _tone(16000), atol=1e-4)


def test_integers_count_as_full_scale():
    samples = audio.load(((_tone(16000) * 32768).astype(np.int16), 16000))
    np.testing.assert_allclose(samples, _tone(16000), atol=1e-4)


def test_silence_and_clipping_are_accepted():
    assert not audio.load((np.zeros((16000, 2), np.float32), 16000)).any()
    clipped = np.clip(5 * _tone(16000), -1, 1)
    np.testing.assert_allclose(audio.load((clipped, 16000)), clipped, atol=1e-3)


def test_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "BLOCK_SAMPLES", 1000)
    ramp = np.random.default_rng(0).uniform(-0.5, 0.5, 32000).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", ramp, 16000, subtype="FLOAT")

    def expected(part):
        return part - part.mean()

    for source in (tmp_path / "a.wav", (ramp, 16000)):
        np.testing.assert_allclose(audio.load(source), expected(ramp), atol=1e-6)
        part = audio.load(source, start=0.5, duration=0.25)
        np.testing.assert_allclose(part, expected(ramp[8000:12000]), atol=1e-6)
        rest = audio.load(source, start=1.5, duration=99.0)
        np.testing.assert_allclose(rest, expected(ramp[24000:]), atol=1e-6)


@pytest.mark.parametrize("part", [{"start": 2.0}, {"start": -1.0}, {"start": np.nan}, {"duration": 0.0}])
def test_parts_outside_the_recording_are_refused(part):
    with pytest.raises(EngineError):
        audio.load((_tone(16000), 16000), **part)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_values_that_are_no_sound_are_refused(tmp_path, value):
    samples = _tone(16000)
    samples[5000] = value
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    with pytest.raises(EngineError, match="NaN"):
        audio.load(tmp_path / "a.wav")


@pytest.mark.parametrize("length", [0, 1, 300])
def test_recordings_below_one_frame_are_refused(tmp_path, length):
    soundfile.write(tmp_path / "a.wav", np.zeros(length), 16000)
    with pytest.raises(EngineError, match=r"has no sound|longer strip"):
        audio.load(tmp_path / "a.wav")


def test_missing_empty_and_other_files_are_refused(tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("no sound at all")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "noise.mp3").write_bytes(np.random.default_rng(1).bytes(5000))
    for name in ("missing.wav", "folder.wav", "empty.wav", "text.wav", "noise.mp3"):
        with pytest.raises(EngineError) as caught:
            audio.load(tmp_path / name)
        assert name in str(caught.value)
        assert str(caught.value).endswith(".")


@pytest.mark.parametrize("name", ["a.flac", "a.wav", "a.ogg", "a.mp3"])
def test_truncated_files_are_read_up_to_the_cut_or_refused(tmp_path, name):
    generator = np.random.default_rng(0)
    soundfile.write(tmp_path / name, generator.uniform(-0.5, 0.5, 64000), 16000)
    data = (tmp_path / name).read_bytes()
    for kept in (20, len(data) // 3, len(data) - 500):
        (tmp_path / name).write_bytes(data[:kept])
        try:
            samples = audio.load(tmp_path / name)
        except EngineError as error:
            assert name in str(error)
        else:
            assert kept > 20
            assert len(samples) > 600
            assert np.isfinite(samples).all()


def test_endless_recordings_are_refused(monkeypatch):
    monkeypatch.setattr(audio, "MAXIMUM_SECONDS", 2.0)
    with pytest.raises(EngineError, match="cut"):
        audio.load((np.zeros(48000, np.float32), 16000))


@pytest.mark.parametrize(
    ("samples", "rate"), [(_tone(16000), 100), (_tone(16000), 16000.5), (np.zeros((2, 2, 2)), 16000)]
)
def test_arrays_that_are_no_recordings_are_refused(samples, rate):
    with pytest.raises(EngineError):
        audio.load((samples, rate))


REPORTS = Path(__file__).resolve().parents[2] / "fixtures" / "reports"
SECONDS = {
    "sound_a_adpcm_swf.wav": 3.16,
    "sound_a_g726.wav": 3.0,
    "sound_c_m4a_renamed.wav": 3.0,
    "sound_short.m4a": 1.7,
    "sound_two_chunks.mp3": 6.04,
}


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg")
@pytest.mark.parametrize("name", SECONDS)
def test_ffmpeg_decodes_what_libsndfile_cannot(name):
    whole = audio.load(REPORTS / name)
    assert len(whole) / 16000 == pytest.approx(SECONDS[name], abs=0.1)
    part = audio.load(REPORTS / name, start=0.5, duration=1.0)
    assert len(part) == pytest.approx(16000, abs=200)
    np.testing.assert_allclose(np.corrcoef(part[:8000], whole[8000:16000])[0, 1], 1.0, atol=0.05)


@pytest.mark.parametrize("name", SECONDS)
def test_without_a_decoder_one_sentence_says_so(name, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(EngineError, match=rf"{name} .*install ffmpeg\.$"):
        audio.load(REPORTS / name)


@pytest.mark.parametrize("name", SECONDS)
def test_who_can_decode_is_asked_to(name):
    for recording in (REPORTS / name, (REPORTS / name).read_bytes()):
        with pytest.raises(UnreadableSound):
            audio.load(recording, whole_seconds=SECONDS[name])


def test_the_content_of_a_file_is_read_as_the_file(tmp_path):
    soundfile.write(tmp_path / "a.flac", _tone(16000), 16000)
    content = (tmp_path / "a.flac").read_bytes()
    np.testing.assert_array_equal(audio.load(content), audio.load(tmp_path / "a.flac", whole_seconds=1.0))


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_wav_that_was_never_finished_goes_on_to_its_end(tmp_path, in_memory):
    """Its header still has the size 0, as of a recorder that crashed; chunks may come before the samples."""
    whole, path = tmp_path / "whole.wav", tmp_path / "unfinished.wav"
    soundfile.write(whole, np.random.default_rng(0).normal(0, 0.1, (40001, 2)), 44100)
    content = whole.read_bytes()
    place = content.index(b"data")
    note = b"junk" + (9).to_bytes(4, "little") + b"some data" + b"\0"
    unfinished = content[:place] + note + b"data" + bytes(4) + content[place + 8 :]
    path.write_bytes(unfinished)
    found = audio.load(unfinished if in_memory else path, whole_seconds=40001 / 44100)
    np.testing.assert_array_equal(found, audio.load(whole))
    assert path.read_bytes() == unfinished


def test_a_wav_without_samples_has_no_sound(tmp_path):
    soundfile.write(tmp_path / "empty.wav", np.zeros((0, 1)), 44100)
    with pytest.raises(EngineError, match="has no sound"):
        audio.load(tmp_path / "empty.wav")
