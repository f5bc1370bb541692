"""Scenes that the voice activity learns from: voices, sounds that nobody speaks, and one over the other."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

from engine.shared.units import CODE_RATE, SAMPLE_RATE
from training.data import calls, instruments, voiceless
from training.data.augmentation import Augmenter
from training.data.corpus import Clip, Corpus
from training.data.voice_changes import VoiceChange
from training.phones import PHONES, SILENCE, to_phone

SECONDS = 10.0
LENGTH = int(SECONDS * SAMPLE_RATE)
SHARES = {"so762": 0.45, "festvox-ru": 0.15, "kokoro": 0.25, "flite": 0.08, "festival": 0.04, "espeak": 0.03}
PLAYED_SECONDS = 6.0  # of each instrument
IGNORED = -1.0  # label of frames that teach nothing
VOICES_IN_A_CROWD = (6, 40)
SOFT = 0.12  # share of the clips that are spoken with little effort
SPARSE = 0.2  # share of the scenes in which words stand alone
SHORTEST_VOWEL = 0.07  # seconds, of those that a crowd holds
SYNTHESES = (*voiceless.SYNTHESES, calls.birdsong, calls.birdsong, calls.mammal, calls.mammal)


class SceneMaker:
    """Draws scenes of SECONDS; the same generator always gives the same scene.

    corpus: its clips for training; an absent corpus leaves its share to the others.
    """

    def __init__(self, corpus: Corpus, seed: int) -> None:
        self.corpus = corpus
        self.clips = {name: clips for name in SHARES if (clips := corpus.select(name, held_out=False))}
        shares = np.array([SHARES[name] for name in self.clips])
        self.shares = shares / shares.sum()
        self.recorded = list(voiceless.recorded())
        self.played = [
            instruments.medley(soundfont, PLAYED_SECONDS, seed).astype(np.float32) / 32768
            for soundfont in (instruments.TRAINED, instruments.SYNTHESISER)
        ]
        self.augmenter = Augmenter(SECONDS, seed)

    def scene(self, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Audio (S,) and labels (N,) of its code frames: 1 a voice, 0 none, IGNORED."""
        kind = generator.random()
        if kind < 0.3:
            audio, voiced = self._speech(generator, 0)
            return self.augmenter.speech(audio, generator), labels_of(voiced)
        if kind < 0.55:
            audio = self._other(generator)
            if generator.random() < 0.3:
                audio = self.augmenter.speech(audio, generator)
            return audio.astype(np.float32), labels_of(np.zeros(LENGTH, np.int8))
        if kind < 0.75:  # one after the other
            speech, voiced = self._speech(generator, int(generator.uniform(0.2, 0.8) * LENGTH))
            other = self._other(generator) * 10 ** generator.uniform(-1.0, 0.5)
            end = int(np.argmax(voiced != 0)) if voiced.any() else LENGTH
            fade = np.clip((end - np.arange(LENGTH)) / (0.1 * SAMPLE_RATE), 0, 1)
            return self.augmenter.speech(speech + fade * other, generator), labels_of(voiced)
        speech, voiced = self._speech(generator, int(generator.choice((0, 0.4)) * LENGTH))
        other = self._other(generator)
        ratio = 10 ** (-generator.uniform(3, 25) / 20)
        return (speech + ratio * other).astype(np.float32), labels_of(voiced)

    def _speech(self, generator: np.random.Generator, position: int) -> tuple[np.ndarray, np.ndarray]:
        """Clips from a sample on, with pauses between them; for each sample 1 in words, -1 in their pauses, else 0."""
        audio, voiced = np.zeros(LENGTH, np.float32), np.zeros(LENGTH, np.int8)
        position += int(generator.uniform(0, 0.5) * SAMPLE_RATE)
        level, sparse = 0.05, generator.random() < SPARSE
        while position < LENGTH:
            clip = self._clip(generator)
            voice = _voice(generator)
            samples = voice.apply(self.corpus.audio(clip), generator)
            labels = words(clip, len(samples), voice.speed)
            if sparse:
                begin = int(generator.uniform(0, max(len(samples) - 0.3 * SAMPLE_RATE, 1)))
                part = slice(begin, begin + int(generator.uniform(0.25, 1.5) * SAMPLE_RATE))
                samples, labels = samples[part], labels[part]
            count = min(len(samples), LENGTH - position)
            place = slice(position, position + count)
            if generator.random() < SOFT:
                samples = softened(samples, generator)
            loud = level * 10 ** generator.uniform(-0.5, 0.2) / (samples.std() + 1e-5)
            audio[place] = loud * samples[:count]
            voiced[place] = labels[:count]
            pause = generator.uniform(0.3, 3.0) if sparse else max(generator.uniform(-0.3, 0.9), 0)
            position += count + int(pause * SAMPLE_RATE)
        return audio, voiced

    def _clip(self, generator: np.random.Generator) -> Clip:
        clips = self.clips[list(self.clips)[generator.choice(len(self.shares), p=self.shares)]]
        return clips[generator.integers(len(clips))]

    def _other(self, generator: np.random.Generator) -> np.ndarray:
        """A sound that nobody speaks, (S,), about as loud as speech."""
        kind = generator.random()
        if kind < 0.25:
            audio = self._repeated(self.recorded, generator)
        elif kind < 0.4:
            audio = self._repeated(self.played, generator)
        elif kind < 0.68:
            audio = SYNTHESES[generator.integers(len(SYNTHESES))](LENGTH, generator)
        elif kind < 0.93:
            audio = self._crowd(generator)
        else:
            audio = self.augmenter.silence(LENGTH, generator)
            return audio
        return (0.05 * audio / (audio.std() + 1e-6)).astype(np.float32)

    @staticmethod
    def _repeated(sounds: list[np.ndarray], generator: np.random.Generator) -> np.ndarray:
        """Sounds one after the other, slower or faster, one of them often again and again."""
        audio, position = np.zeros(LENGTH, np.float32), 0
        again, sound = generator.random() < 0.5, None
        while position < LENGTH:
            if sound is None or not again:
                sound = sounds[generator.integers(len(sounds))]
                begin = int(generator.uniform(0, max(len(sound) - LENGTH, 1)))
                speed = np.exp(generator.uniform(-0.6, 0.6))
                piece = sound[begin : begin + LENGTH]
                piece = np.interp(np.arange(0, len(piece), speed), np.arange(len(piece)), piece)
                piece = piece / (piece.std() + 1e-5) * generator.uniform(0.5, 1)
            taken = piece[: LENGTH - position]
            audio[position : position + len(taken)] = taken
            position += len(taken) + int(max(generator.uniform(-0.5, 0.7), 0) * SAMPLE_RATE)
        return audio

    def _crowd(self, generator: np.random.Generator) -> np.ndarray:
        """Many voices at once, none of them near: they talk, or they call, clap and whistle."""
        if generator.random() < 0.4:
            return self._stadium(generator)
        audio = np.zeros(LENGTH, np.float32)
        for _ in range(int(generator.integers(*VOICES_IN_A_CROWD))):
            samples = self.corpus.audio(self._clip(generator))
            samples = np.resize(samples / (samples.std() + 1e-5), LENGTH)
            audio += 10 ** generator.uniform(-0.15, 0.15) * np.roll(samples, int(generator.integers(LENGTH)))
        if generator.random() < 0.4:  # they cheer: drawn out, and rougher than words
            audio = fftconvolve(
                audio, generator.standard_normal(int(generator.uniform(0.05, 0.5) * SAMPLE_RATE)), "same"
            )
        if generator.random() < 0.7:
            rooms = self.augmenter.rooms
            audio = fftconvolve(audio, rooms[generator.integers(len(rooms))])[:LENGTH]
        return audio

    def _stadium(self, generator: np.random.Generator) -> np.ndarray:
        """A crowd that calls, behind it at times hands, whistles and the babble of others."""
        audio = calls.crowd_call(self._vowels(generator), LENGTH, generator)
        for also in (voiceless.applause, voiceless.whistle):
            if generator.random() < 0.35:
                other = also(LENGTH, generator)
                audio = audio + audio.std() * generator.uniform(0.1, 1.0) * other / (other.std() + 1e-6)
        if generator.random() < 0.5:
            babble = np.roll(np.resize(self.corpus.audio(self._clip(generator)), LENGTH), generator.integers(LENGTH))
            roar = fftconvolve(
                babble, generator.standard_normal(int(generator.uniform(0.05, 0.5) * SAMPLE_RATE)), "same"
            )
            audio = audio + audio.std() * generator.uniform(0.1, 1.0) * roar / (roar.std() + 1e-6)
        return self.augmenter.speech(audio, generator)

    def _vowels(self, generator: np.random.Generator) -> list[np.ndarray]:
        """Vowels (S,) of a few clips."""
        found: list[np.ndarray] = []
        while not found:
            for clip in (self._clip(generator) for _ in range(4)):
                audio = self.corpus.audio(clip)
                for label, start, end in clip.phones:
                    if PHONES[to_phone(label)].manner == "vowel" and end - start > SHORTEST_VOWEL:
                        found.append(audio[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)])
        return found


def _voice(generator: np.random.Generator) -> VoiceChange:
    """As for the encoder, but whispers more often, and words drawn out as in singing."""
    kind = generator.random()
    if kind < 0.15:
        return VoiceChange(whispered=True)
    if kind < 0.2:
        return VoiceChange(tempo=0.5)
    return VoiceChange.draw(generator)


def softened(samples: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Speech (S,) of little effort: it falls by 6 dB an octave more above a corner, and noise is near."""
    corner = np.exp(generator.uniform(np.log(250), np.log(1200)))
    soft = sosfilt(butter(1, corner, fs=SAMPLE_RATE, output="sos"), samples)
    noise = generator.standard_normal(len(soft)) * soft.std() * 10 ** (-generator.uniform(14, 40) / 20)
    return (soft + noise).astype(np.float32)


def words(clip: Clip, count: int, speed: float) -> np.ndarray:
    """For each of `count` samples 1 where a phone is, -1 in pauses."""
    words = np.zeros(count, np.int8) - 1
    for label, start, end in clip.phones:
        if label != SILENCE:
            begin, stop = start * SAMPLE_RATE / speed, end * SAMPLE_RATE / speed
            words[int(begin) : int(stop)] = 1
    return words


def labels_of(voiced: np.ndarray) -> np.ndarray:
    """Labels (N,) of code frames from those of samples (S,)."""
    frames = round(SECONDS * CODE_RATE)
    places = np.minimum((np.arange(frames) / CODE_RATE * SAMPLE_RATE).astype(int), LENGTH - 1)
    return voiced[places].astype(np.float32)
