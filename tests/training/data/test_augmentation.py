"""Augmentation does what it says, measured on the sound, and leaves phones where they were."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.linalg import solve_toeplitz
from scipy.signal import find_peaks, lfilter, stft, welch

from engine.shared.units import CODE_RATE
from training import speech_examples
from training.data.augmentation import Augmenter, companded, drifting_gain, music, telephone
from training.data.corpus import Clip, Corpus
from training.data.voice_changes import VoiceChange, shift_formants, spectral_envelope, stretch, varispeed, whisper
from training.phones import PHONE_INDEX, SILENCE
from training.speech_examples import SHARES, ExampleMaker, label_clip

RATE = 16000
FORMANTS = (700.0, 1800.0, 2900.0)
PITCH = 125.0


def vowel(seconds: float = 1.0) -> np.ndarray:
    """A pulse train of PITCH through resonances at FORMANTS."""
    audio = np.zeros(int(seconds * RATE))
    audio[:: int(RATE / PITCH)] = 1.0
    for formant in FORMANTS:
        radius = np.exp(-np.pi * 90 / RATE)
        audio = lfilter([1.0], [1.0, -2 * radius * np.cos(2 * np.pi * formant / RATE), radius**2], audio)
    return (0.1 * audio / audio.std()).astype(np.float32)


def pitch(audio: np.ndarray) -> tuple[float, float]:
    """Pitch in Hz and its strength, the autocorrelation of the signal at that period (1 = perfectly periodic)."""
    middle = audio[2000:-2000]
    spectrum = np.abs(np.fft.rfft(middle, 2 * len(middle))) ** 2
    correlation = np.fft.irfft(spectrum)[: RATE // 80]
    # The shorter overlap of longer lags is made up for.
    correlation *= len(middle) / (len(middle) - np.arange(len(correlation)))
    period = RATE // 400 + int(correlation[RATE // 400 :].argmax())
    return RATE / period, correlation[period] / correlation[0]


def formants(audio: np.ndarray) -> np.ndarray:
    """Frequencies (3,) of the first three peaks of the spectrum, whose window is too short to resolve harmonics."""
    _, power = welch(audio[2000:-2000], RATE, nperseg=176, nfft=2048)
    decibels = 10 * np.log10(power)
    return find_peaks(decibels, prominence=2)[0][:3] * RATE / 2048


def bursts(times: tuple[float, ...], seconds: float = 2.0) -> np.ndarray:
    """Noise bursts of 50 ms at the given times."""
    audio = np.zeros(int(seconds * RATE), np.float32)
    for time in times:
        audio[int(time * RATE) : int((time + 0.05) * RATE)] = np.random.default_rng(0).standard_normal(800)
    return audio


def onsets(audio: np.ndarray) -> np.ndarray:
    """Seconds at which the level first rises over a quarter of its peak after quiet."""
    level = np.sqrt(np.convolve(audio**2, np.ones(80) / 80, "same"))
    loud = level > 0.25 * level.max()
    starts = np.flatnonzero(np.diff(loud.astype(int)) == 1) / RATE
    return starts[np.diff(starts, prepend=-1.0) > 0.2]


@pytest.mark.parametrize("tempo", [0.8, 1.0, 1.3, 1.6])
def test_stretching_keeps_pitch_and_formants_and_moves_sounds_in_proportion(tempo):
    changed = stretch(vowel(), tempo)
    assert len(changed) == int(RATE / tempo)
    assert pitch(changed)[0] == pytest.approx(PITCH, rel=0.02)
    assert pitch(changed)[1] > 0.9
    assert formants(changed) == pytest.approx(formants(vowel()), rel=0.04)
    assert onsets(stretch(bursts((0.5, 1.2)), tempo)) == pytest.approx([0.5 / tempo, 1.2 / tempo], abs=0.015)


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_varispeed_moves_pitch_formants_and_times(factor):
    changed = varispeed(vowel(), factor)
    assert len(changed) == int(RATE / factor)
    assert pitch(changed)[0] == pytest.approx(factor * PITCH, rel=0.02)
    assert formants(changed)[:2] == pytest.approx(factor * np.array(FORMANTS)[:2], rel=0.11)


def test_a_tone_that_varispeed_would_raise_beyond_the_nyquist_frequency_is_gone():
    times = np.arange(RATE) / RATE
    low, high = (np.sin(2 * np.pi * frequency * times) for frequency in (1000.0, 7500.0))  # which would become 9.4 kHz
    assert varispeed(low, 1.25)[500:-500].std() == pytest.approx(np.sqrt(0.5), rel=0.01)
    assert varispeed(high, 1.25)[500:-500].std() < 0.02
    # Linear interpolation left it there, folded down to 6.6 kHz.
    places = np.arange(int(RATE / 1.25)) * 1.25
    assert np.interp(places, np.arange(RATE), high)[500:-500].std() > 0.2


@pytest.mark.parametrize("factor", [0.8, 0.91, 1.01, 1.25])
def test_varispeed_keeps_times_to_the_sample(factor):
    places = np.array((2.0, 9.5, 19.0))
    clicks = np.zeros(20 * RATE, np.float32)
    clicks[(places * RATE).astype(int)] = 1.0
    changed = varispeed(clicks, factor)
    assert len(changed) == int(len(clicks) / factor)
    found = [np.abs(changed[int((t / factor - 0.05) * RATE) :][: RATE // 10]).argmax() / RATE - 0.05 for t in places]
    assert np.abs(found).max() < 1.5 / RATE


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
def test_shifting_formants_keeps_pitch_and_times(factor):
    changed = shift_formants(vowel(), factor)
    assert len(changed) == RATE
    assert pitch(changed)[0] == pytest.approx(PITCH, rel=0.01)
    wanted = factor * np.array(FORMANTS)
    # The third formant is weak, and its peak may drown when it moves.
    assert formants(changed)[:2] == pytest.approx(wanted[:2], rel=0.11)
    assert onsets(shift_formants(bursts((0.5, 1.2)), factor)) == pytest.approx([0.5, 1.2], abs=0.015)


def test_a_whisper_has_no_pitch_but_the_same_envelope_and_times():
    generator = np.random.default_rng(4)
    voiced, whispered = vowel(2.0), whisper(vowel(2.0), generator)
    assert len(whispered) == len(voiced)
    assert pitch(voiced)[1] > 0.95
    assert pitch(whispered)[1] < 0.45
    assert formants(whispered) == pytest.approx(FORMANTS, rel=0.06)
    assert whispered.std() == pytest.approx(voiced.std(), rel=0.3)
    assert onsets(whisper(bursts((0.5, 1.2)), generator)) == pytest.approx([0.5, 1.2], abs=0.02)


def test_the_envelope_is_that_of_a_predictor_solved_directly():
    _, _, spectra = stft(vowel(), fs=RATE, nperseg=512, noverlap=256)
    column = spectra[:, 30:31]
    correlation = np.fft.irfft(np.abs(column[:, 0]) ** 2)[:19]
    correlation[0] = correlation[0] * 1.0001 + 1e-12
    predictor = np.concatenate([[1.0], solve_toeplitz(correlation[:18], -correlation[1:])])
    expected = np.sqrt(predictor @ correlation) / np.abs(np.fft.rfft(predictor, 512))
    np.testing.assert_allclose(spectral_envelope(column)[:, 0], expected, rtol=1e-6)


def test_drawn_voices_stay_in_the_documented_range():
    generator = np.random.default_rng(5)
    voices = [VoiceChange.draw(generator) for _ in range(2000)]
    assert all(0.79 < voice.speed < 1.61 for voice in voices)
    assert all(0.79 < voice.varispeed < 1.26 and 0.79 < voice.formants < 1.26 for voice in voices)
    assert 0.02 < np.mean([voice.whispered for voice in voices]) < 0.06
    for voice in voices[:12]:
        changed = voice.apply(vowel(), generator)
        assert len(changed) == pytest.approx(RATE / voice.speed, abs=2)
        assert np.isfinite(changed).all()


def test_a_telephone_carries_nothing_above_four_kilohertz():
    noise = np.random.default_rng(6).standard_normal(RATE)
    before, after = (np.abs(np.fft.rfft(audio)) ** 2 for audio in (noise, telephone(noise)))
    assert after[4300:].sum() < 0.01 * before[4300:].sum()
    assert len(telephone(noise)) == RATE
    assert after[300:3400].sum() == pytest.approx(before[300:3400].sum(), rel=0.1)


def test_companding_leaves_eight_bits_and_a_ratio_of_37_decibels():
    audio = vowel()
    changed = companded(audio)
    assert len(np.unique(changed)) <= 255
    ratio = 10 * np.log10(np.mean(audio**2) / np.mean((audio - changed) ** 2))
    # The mu-law's ratio hardly depends on the level: about 38 dB at full scale, a little less below.
    assert 30 < ratio < 42


def test_gain_drifts_within_eight_decibels():
    decibels = 20 * np.log10(drifting_gain(np.ones(4 * RATE), np.random.default_rng(7)))
    assert np.abs(decibels).max() <= 8
    assert decibels.std() > 0.5
    assert np.abs(np.diff(decibels)).max() < 0.01


def test_music_is_made_of_tones():
    piece, noise = music(4 * RATE, np.random.default_rng(8)), np.random.default_rng(9).standard_normal(4 * RATE)
    flatness = []
    for audio in (piece, noise):
        power = np.abs(np.fft.rfft(audio)) ** 2 + 1e-9
        flatness.append(np.exp(np.log(power).mean()) / power.mean())
    assert flatness[0] < 0.1 * flatness[1]
    assert piece.std() == pytest.approx(1.0, rel=0.01)


def test_recording_conditions_keep_times():
    augmenter = Augmenter(2.0, 0)
    clean = bursts((0.5, 1.2))
    level = np.convolve(clean**2, np.ones(160), "same")
    for seed in range(40):
        changed = augmenter.speech(clean, np.random.default_rng(seed))
        heard = np.convolve(changed**2, np.ones(160), "same")
        lags = range(-400, 401, 40)
        fits = [np.corrcoef(np.roll(level, lag), heard)[0, 1] for lag in lags]
        assert len(changed) == len(clean)
        assert abs(lags[int(np.argmax(fits))]) <= 80


def corpus_of_bursts() -> Corpus:
    """Two corpora, of clips of 2 s and of 4 s: a vowel between half a second of quiet at both ends."""
    clips, parts, position = [], [], 0
    for name, seconds in (("so762", 2.0), ("flite", 4.0)):
        for number in range(6):
            audio = np.zeros(int(seconds * RATE), np.float32)
            audio[RATE // 2 : -RATE // 2] = vowel(seconds - 1.0)
            phones = [[SILENCE, 0.0, 0.5], ["AA" if name == "so762" else "IY", 0.5, seconds - 0.5]]
            phones.append([SILENCE, seconds - 0.5, seconds])
            clips.append(Clip(f"{name}/{number}", name, f"{name}{number}", position, len(audio), phones))
            parts.append((audio * 32767).astype(np.int16))
            position += len(audio)
    return Corpus(clips, np.concatenate(parts))


@pytest.fixture(scope="module")
def maker() -> ExampleMaker:
    corpus = corpus_of_bursts()
    pools = {name: [label_clip(corpus, clip) for clip in corpus.select(name)] for name in SHARES}
    return ExampleMaker(corpus, pools, 3)


def test_shares_hold_in_time_whatever_the_length_of_the_clips(maker, monkeypatch):
    monkeypatch.setattr(maker.augmenter, "speech", lambda audio, generator: audio)
    frames = np.zeros(2)
    for seed in range(300):
        phones = maker.example(8.0, np.random.default_rng(seed)).phones[:, 1]
        frames += [(phones == PHONE_INDEX["AA"]).sum() / 0.5, (phones == PHONE_INDEX["IY"]).sum() / 0.75]
    expected = SHARES["so762"] / (SHARES["so762"] + SHARES["flite"])
    # Half of a short clip and three quarters of a long one are vowel.
    assert frames[0] / frames.sum() == pytest.approx(expected, abs=0.06)


def test_phones_stay_with_their_sound_in_every_voice(maker, monkeypatch):
    monkeypatch.setattr(maker.augmenter, "speech", lambda audio, generator: audio)
    monkeypatch.setattr(speech_examples, "BABBLE_SHARE", 0.0)
    hits = []
    for seed in range(60):
        example = maker.example(6.0, np.random.default_rng(seed))
        audio, phones = example.audio, example.phones
        hop = RATE // 96
        level = np.square(audio[: len(audio) // hop * hop]).reshape(-1, hop).mean(axis=1)
        around = np.convolve(level, np.ones(3) / 3, "same")[:: 96 // round(CODE_RATE)][: len(phones)]
        spoken = phones[:, 1] != PHONE_INDEX[SILENCE]
        if spoken.any() and (around > 1e-4).any():
            hits.append(np.mean(spoken == (around > 2e-5)))
        assert np.isfinite(example.articulation).all()
    assert np.mean(hits) > 0.95


def test_the_same_step_gives_the_same_batch_and_another_step_another(maker):
    first, again, other = maker.batch(4, 12.0), maker.batch(4, 12.0), maker.batch(5, 12.0)
    assert (first.waveforms == again.waveforms).all()
    assert (first.phones == again.phones).all()
    assert first.waveforms.shape != other.waveforms.shape or (first.waveforms != other.waveforms).any()


def test_where_nobody_speaks_the_mouth_is_closed(maker):
    kinds = set()
    for seed in range(200):
        example = maker.example(3.0, np.random.default_rng(seed))
        if (example.phones == PHONE_INDEX[SILENCE]).all() and (example.articulation == maker.rest).all():
            kinds.add("silence" if not example.audio.any() else "sound")
    assert kinds == {"silence", "sound"}
    assert maker.rest[-1] == 0.0


def test_voices_behind_a_voice_are_softer_and_leave_its_labels(maker, monkeypatch):
    monkeypatch.setattr(maker.augmenter, "speech", lambda audio, generator: audio)
    ratios = []
    for seed in range(40):
        monkeypatch.setattr(speech_examples, "BABBLE_SHARE", 1.0)
        among = maker.example(6.0, np.random.default_rng(seed))
        monkeypatch.setattr(speech_examples, "BABBLE_SHARE", 0.0)
        alone = maker.example(6.0, np.random.default_rng(seed))
        assert (among.phones == alone.phones).all()
        if (alone.phones != PHONE_INDEX[SILENCE]).any():
            ratios.append(10 * np.log10(np.mean(alone.audio**2) / np.mean((among.audio - alone.audio) ** 2)))
    assert 1.9 < min(ratios) < max(ratios) < 18.1


def test_what_the_teacher_heard_keeps_its_time_at_every_tempo():
    clip = Clip("so762/0", "so762", "a", 0, 4 * RATE, [[SILENCE, 0.0, 4.0]])
    corpus = Corpus([clip], np.zeros(4 * RATE, np.int16))
    times = (np.arange(100) + 0.25) / 25  # of the features, seconds
    labelled = dataclasses.replace(label_clip(corpus, clip), taught=np.repeat(times[:, None], 128, axis=1))
    example = speech_examples.Example.silent(3.0, np.zeros(speech_examples.TARGETS, np.float32))
    inside = np.arange(10, 50)
    own = (inside / CODE_RATE - 0.2) * 1.3
    example.label(inside, labelled, own, 1.3)
    assert example.taught[inside, 5] == pytest.approx(own, abs=1e-3)
    assert np.isnan(example.taught[:10]).all()
