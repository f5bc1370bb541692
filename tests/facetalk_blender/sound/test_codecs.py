"""Every sound that Blender plays is heard, packed or not, at most a millisecond off Blender's own mixdown."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from blender_scene import bpy
from codec_counts import HEARD
from repository import ROOT, import_from_extension

from engine.shared.errors import UnreadableSound
from engine.shared.units import SAMPLE_RATE

aud = pytest.importorskip("aud")
soundfile = pytest.importorskip("soundfile", reason="only where the engine's packages are too")
audio = pytest.importorskip("engine.motion.audio")
sound_strip = import_from_extension("facetalk_blender.sound.strip")
decoding_process = import_from_extension("facetalk_blender.sound.decoding_process")
plain_wav = import_from_extension("facetalk_blender.sound.plain_wav")
heard_sound = import_from_extension("facetalk_blender.sound.heard_sound")

# Suffix, encoder of ffmpeg, further options; the content decides, so some suffixes lie.
CODECS = {
    "wav": ("wav", "pcm_s16le"),
    "float wav": ("wav", "pcm_f32le"),
    "flac": ("flac", "flac"),
    "vorbis": ("ogg", "libvorbis"),
    "opus": ("opus", "libopus"),
    "mp3": ("mp3", "libmp3lame"),
    "mp3 without header": ("mp3", "libmp3lame", "-write_xing", "0"),
    "variable mp3": ("mp3", "libmp3lame", "-q:a", "6"),
    "aac": ("m4a", "aac"),
    "adts": ("aac", "aac"),
    "mp4": ("mp4", "aac"),
    "alac": ("m4a", "alac"),
    "wma": ("wma", "wmav2"),
    "ac3": ("ac3", "ac3"),
    "mp2": ("mp2", "mp2"),
    "matroska": ("mkv", "libvorbis"),
    "webm": ("webm", "libopus"),
    "quicktime": ("mov", "pcm_s16be"),
    "aiff": ("aiff", "pcm_s16be"),
    "adpcm": ("wav", "adpcm_ms"),
    "swf adpcm": ("wav", "adpcm_swf"),
    "flac in ogg": ("ogg", "flac"),
    "aac named wav": ("wav", "aac", "-f", "ipod"),
    "aac named mp3": ("mp3", "aac", "-f", "adts"),
    "mp3 named wav": ("wav", "libmp3lame", "-f", "mp3"),
}
RATES = (16000, 44100, 48000)
LENGTHS = np.random.default_rng(7).uniform(0.6, 9.0, 12)
# Of each codec and rate so many of the cases are taken: lengths, from a file or packed.
CASES = [(seconds, packed) for seconds in LENGTHS for packed in (False, True)]
TAKEN = int(os.environ.get("FACETALK_CODECS", "2"))
FFMPEG = shutil.which("ffmpeg")


def speechlike(seconds, rate):
    """Noise in bursts, of two channels."""
    generator = np.random.default_rng(int(seconds * 1e6) + rate)
    count, step = int(seconds * rate), rate // 12
    loudness = np.repeat(generator.uniform(0.0, 1.0, count // step + 1), step)[:count]
    noise = np.convolve(generator.normal(0.0, 0.15, count), np.ones(8) / 3, "same")
    return np.stack([noise * loudness, 0.6 * noise * loudness], axis=1).astype(np.float32)


def encoded(folder, name, rate, seconds):
    """A file of the codec, or a skip where nothing here writes it."""
    suffix, encoder, *options = CODECS[name]
    source, path = folder / "source.wav", folder / f"sound.{suffix}"
    soundfile.write(source, speechlike(seconds, rate), rate)
    if encoder == "pcm_s16le":
        return source
    if FFMPEG is None:
        pytest.skip("there is no ffmpeg to write it; as root, tools/setup.sh installs it through apt-get")
    command = [FFMPEG, "-v", "error", "-y", "-i", source, "-c:a", encoder, *options, path]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip(f"ffmpeg does not write {name} at {rate} Hz")
    return path


def spoken(strip):
    """What the engine hears of a strip: it asks Blender for samples when it cannot read the sound."""
    sound = heard_sound.HeardSound(strip, sound_strip.clip_of(strip))
    if sound.readable:
        fields, arrays = sound.question()
        parts = {key: fields[key] for key in ("start", "duration", "whole_seconds")}
        try:
            return audio.load(arrays["file"].tobytes() if arrays else fields["audio"], **parts)
        except UnreadableSound:
            pass
    for _ in sound.decode():
        time.sleep(0.005)
    fields, arrays = sound.question()
    return audio.load((arrays["samples"], fields["samples_rate"]))


def mixdown(scene, folder):
    """What Blender plays in the scene's frames, mono at 16 kHz."""
    path = folder / "mixdown.wav"
    bpy.ops.sound.mixdown(filepath=str(path), container="WAV", codec="PCM", format="F32", mixrate=48000)
    return audio.load(path)


def delay_ms(heard, played):
    """Where the correlation of the two is largest, in milliseconds, and how large it is there."""
    size = 1 << (len(heard) + len(played)).bit_length()
    product = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(played, size))
    correlation = np.fft.irfft(product, size)
    at = int(correlation.argmax())
    similarity = correlation[at] / np.sqrt((heard @ heard) * (played @ played))
    return (at - size if at > size // 2 else at) / SAMPLE_RATE * 1000, similarity


def check(scene, path, packed):
    strip, sound = sound_strip.load_sound(scene, path, 1), aud.Sound(str(path))
    decoded_seconds = len(sound.data()) / sound.specs[0]
    if packed:
        strip.sound.pack()
        path.unlink()
    clip = sound_strip.clip_of(strip)
    scene.frame_start, scene.frame_end = 1, clip.frame_end
    heard, played = spoken(strip), mixdown(scene, path.parent)
    # A container's length may be a guess, but no more is in the file than Blender finds.
    assert len(heard) / SAMPLE_RATE == pytest.approx(min(clip.duration, decoded_seconds), abs=0.15)
    delay, similarity = delay_ms(heard, played)
    HEARD.append((abs(delay), similarity))
    assert abs(delay) <= 1.0
    assert similarity > 0.9
    if packed:
        assert not path.exists()


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("packed", [False, True], ids=["file", "packed"])
def test_a_codec_is_heard(scene, tmp_path, name, packed):
    index = 2 * list(CODECS).index(name) + packed
    rate = 48000 if CODECS[name][1] == "libopus" else RATES[index % 3]
    check(scene, encoded(tmp_path, name, rate, LENGTHS[index % len(LENGTHS)]), packed)


@pytest.mark.slow
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", CODECS)
def test_all_lengths_are_heard(scene, tmp_path, name, rate):
    """All of CASES by `make test-codecs`."""
    turn = len(RATES) * list(CODECS).index(name) + RATES.index(rate)
    for index in range(TAKEN):
        seconds, packed = CASES[(5 * turn + 7 * index) % len(CASES)]
        bpy.ops.wm.read_factory_settings(use_empty=True)
        folder = tmp_path / str(index)
        folder.mkdir()
        check(bpy.context.scene, encoded(folder, name, rate, seconds), packed)


REPORTS = sorted((ROOT / "tests" / "fixtures" / "reports").glob("sound_*"))


@pytest.mark.parametrize("packed", [False, True], ids=["file", "packed"])
@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.name)
def test_sounds_that_people_met_are_heard(scene, tmp_path, path, packed):
    """Named otherwise than they are, of rare codecs, put one after the other: Blender plays them all."""
    check(scene, Path(shutil.copy(path, tmp_path)), packed)


def decoded(path, content=None, start=0.0, duration=60.0):
    """What another process decodes, and the longest that this thread was held meanwhile, in seconds."""
    work, longest, before = decoding_process.DecodingProcess(path, content, start, duration), 0.0, time.perf_counter()
    while work.running:
        time.sleep(0.001)
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    return work, longest


def test_minutes_of_sound_are_decoded_beside_blender(tmp_path):
    """The samples are those of Blender, and its main thread goes on."""
    path = encoded(tmp_path, "aac", 44100, 240.0)
    work, longest = decoded(path, start=1.0, duration=200.0)
    assert not work.failed
    assert work.rate == 44100
    assert len(work.samples) == pytest.approx(200 * 44100, abs=2)
    played = aud.Sound(str(path)).data()[44100:]
    delay, similarity = delay_ms(work.samples[:, 0], played[: len(work.samples), 0])
    assert abs(delay) < 1.0
    assert similarity > 0.99
    assert longest < 0.5  # by aud itself, the thread would be held for a second at least on a quiet machine


def test_a_sound_in_memory_is_decoded_and_leaves_nothing(tmp_path, monkeypatch):
    path = encoded(tmp_path, "vorbis", 44100, 5.0)
    content = np.frombuffer(path.read_bytes(), np.uint8)
    kept = tmp_path / "temporary"
    kept.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(kept))
    work, _ = decoded(tmp_path / "is not there.ogg", content, 0.0, 5.0)
    np.testing.assert_array_equal(work.samples, decoded(path, None, 0.0, 5.0)[0].samples)
    assert len(work.samples) == pytest.approx(5 * 44100, abs=2000)  # Ogg Vorbis of some encoders ends early
    assert not list(kept.iterdir())


def test_what_cannot_be_decoded_is_told(scene, tmp_path):
    path = tmp_path / "sound.ogg"
    path.write_bytes(b"OggS" + bytes(1000))
    assert decoded(path)[0].failed
    assert decoded(tmp_path / "is not there.ogg")[0].failed


def test_a_decoding_that_is_given_up_ends_its_process(tmp_path):
    soundfile.write(tmp_path / "long.wav", np.zeros(3600 * 8000, np.int16), 8000)
    work = decoding_process.DecodingProcess(tmp_path / "long.wav", None, 0.0, 3600.0)
    work.end()
    work._thread.join(20)
    assert not work.running
    assert work.failed
    assert work._process.poll() is not None


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_U8", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
def test_plain_wav_files_need_no_decoder(tmp_path, form, subtype):
    path = tmp_path / "plain.wav"
    soundfile.write(path, speechlike(1.3, 22050), 22050, subtype=subtype, format=form)
    sound = aud.Sound(str(path))
    assert plain_wav.seconds_of_file(path) == pytest.approx(sound.length / sound.specs[0], abs=1e-9)
    data = path.read_bytes()
    assert plain_wav.seconds_of(data[:200], len(data)) == pytest.approx(1.3, abs=1e-4)
    for damaged in (data[:-100], data[:30], b"RIFX" + data[4:], b""):
        assert plain_wav.seconds_of(damaged, len(damaged)) is None


@pytest.mark.parametrize("subtype", ["MS_ADPCM", "ULAW"])
def test_other_wav_files_are_asked_about(tmp_path, subtype):
    soundfile.write(tmp_path / "other.wav", speechlike(1.0, 22050), 22050, subtype=subtype)
    assert plain_wav.seconds_of_file(tmp_path / "other.wav") is None
