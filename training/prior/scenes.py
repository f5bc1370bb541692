"""Scenes for the training of motion: recordings joined with pauses, with what the face may do while they sound."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from engine.motion.prosody import PROMINENCE, accents, prosody
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.controls import CAPTURED, CONTROL_NAMES, FILMED, SPEAKERS
from engine.shared.units import CODE_RATE, SAMPLE_RATE
from engine.shared.weights import WEIGHT_NAMES
from training.data.augmentation import Augmenter
from training.data.corpus import Clip, Corpus
from training.data.voice_changes import VoiceChange, shift_formants
from training.phones import SILENCE, Segment
from training.prior.filmed_motion import FilmedSentence
from training.prior.head_motion import Beat, Voice
from training.prior.performance import Performance, perform

SCENE_SECONDS = 12.0
SCENE_FRAMES = round(SCENE_SECONDS * CODE_RATE)
SILENT_SHARE = 0.10
OTHER_FORMANTS = (0.85, 1.25)  # of a filmed voice that shall be another


@dataclass(frozen=True)
class Scene:
    """audio: (S,) float32 at 16 kHz. segments: phones over the scene. voice: what stands out in it.

    capture: (N, 57) real mouth weights or None. captured_clip: key of the clip that was captured. speaker: the control
    that asks for its person. as_usual: whether theirs is the usual way to speak, which need not be asked for.
    """

    audio: np.ndarray
    segments: list[Segment]
    voice: Voice
    capture: np.ndarray | None = None
    captured_clip: str = ""
    speaker: str = CAPTURED
    as_usual: bool = False

    def performance(self, seed: int, expressive: bool = True) -> Performance:
        """One performance of the scene over SCENE_FRAMES. expressive: whether it may have an emotion."""
        capture = None if self.capture is None else self.capture * np.random.default_rng((seed, 1)).uniform(0.9, 1.1)
        performed = perform(
            self.segments, SCENE_FRAMES, seed, self.voice, capture=capture, speaker=self.speaker, expressive=expressive
        )
        if self.as_usual:
            performed.controls[:, [CONTROL_NAMES.index(name) for name in SPEAKERS]] = 0.0
        return performed


class SceneMaker:
    """Joins clips to scenes of twelve seconds; the same seed always makes the same scenes."""

    def __init__(self, corpus: Corpus, seed: int) -> None:
        self.corpus = corpus
        self.generator = np.random.default_rng((seed, 5))
        self.augmenter = Augmenter(SCENE_SECONDS, seed)

    def spoken(self, clips: list[Clip]) -> list[Scene]:
        """Every clip once, in random order, with pauses of many lengths; the last unfinished scene is dropped."""
        scenes: list[Scene] = []
        audio = np.zeros(int(SCENE_SECONDS * SAMPLE_RATE), np.float32)
        segments: list[Segment] = []
        position = self._pause()
        for index in self.generator.permutation(len(clips)):
            samples, clip_segments = self._varied(clips[index])
            begin = position / SAMPLE_RATE
            taken = samples[: len(audio) - position]
            audio[position : position + len(taken)] = taken
            segments += [
                Segment(s.phone, s.start + begin, s.end + begin, s.emphasis)
                for s in clip_segments
                if s.start + begin < SCENE_SECONDS
            ]
            position += len(samples) + self._pause()
            if position >= len(audio):
                augmented = self.augmenter.speech(audio, self.generator)
                scenes.append(Scene(augmented, _without_gaps(segments), voice_of(audio)))
                audio, segments, position = np.zeros_like(audio), [], self._pause()
        return scenes

    def silent(self, count: int) -> list[Scene]:
        """Scenes without speech: digital silence and room tone."""
        length = int(SCENE_SECONDS * SAMPLE_RATE)
        segments = [Segment(SILENCE, 0.0, SCENE_SECONDS)]
        return [Scene(self.augmenter.silence(length, self.generator), segments, Voice([])) for _ in range(count)]

    def captured(self, clip: Clip, capture: np.ndarray, as_usual: bool = False) -> list[Scene]:
        """Consecutive scenes of a recording with captured motion; pauses are where the capture rests."""
        capture = capture[: int(clip.duration * CODE_RATE)]
        return self.recorded(self.corpus.audio(clip), capture, clip.key, as_usual)

    def recorded(self, audio: np.ndarray, capture: np.ndarray, key: str, as_usual: bool = False) -> list[Scene]:
        """Consecutive scenes of a recording (S,) with its captured weights (N, 57)."""
        scenes = []
        audio = np.pad(audio, (0, max(round(len(capture) / CODE_RATE * SAMPLE_RATE) - len(audio), 0)))
        for index in range(len(capture) // SCENE_FRAMES):
            window = capture[index * SCENE_FRAMES : (index + 1) * SCENE_FRAMES]
            start = int(index * SCENE_SECONDS * SAMPLE_RATE)
            part = audio[start : start + int(SCENE_SECONDS * SAMPLE_RATE)]
            augmented = self.augmenter.speech(part, self.generator)
            scenes.append(Scene(augmented, _pauses_of(window), voice_of(part), window, key, as_usual=as_usual))
        return scenes

    def filmed(self, sentences: list[FilmedSentence], as_usual: bool = False) -> list[Scene]:
        """Filmed sentences in random order, as many to a scene as fit whole; each other scene has another voice.

        Only its formants differ, so that all is heard when it was.
        """
        scenes: list[Scene] = []
        order = [sentences[index] for index in self.generator.permutation(len(sentences))]
        while order:
            parts: list[np.ndarray] = []
            segments: list[Segment] = []
            weights = np.zeros((SCENE_FRAMES, len(WEIGHT_NAMES)), np.float32)
            begin = 0  # code frames
            while order and begin + len(order[-1].weights) <= SCENE_FRAMES:
                sentence = order.pop()
                end, start = begin + len(sentence.weights), begin / CODE_RATE
                weights[begin:end] = sentence.weights
                length = round(end / CODE_RATE * SAMPLE_RATE) - round(start * SAMPLE_RATE)
                samples = sentence.utterance.samples[:length].astype(np.float32) / 32768
                parts.append(np.pad(samples, (0, length - len(samples))))
                ends = end / CODE_RATE
                segments += [
                    Segment(s.phone, s.start + start, min(s.end + start, ends))
                    for s in sentence.segments
                    if s.start + start < ends
                ]
                begin = end
            weights[begin:] = weights[begin - 1]
            whole = np.concatenate(parts)
            voice = voice_of(np.pad(whole, (0, int(SCENE_SECONDS * SAMPLE_RATE) - len(whole))))
            heard = 0.05 / (whole.std() + 1e-5) * 10 ** self.generator.uniform(-0.2, 0.2) * whole
            if len(scenes) % 2:
                heard = shift_formants(heard, float(self.generator.uniform(*OTHER_FORMANTS)))
            heard = np.pad(heard, (0, int(SCENE_SECONDS * SAMPLE_RATE) - len(heard))).astype(np.float32)
            augmented = self.augmenter.speech(heard, self.generator)
            scenes.append(Scene(augmented, _without_gaps(segments), voice, weights, "grid", FILMED, as_usual))
        return scenes

    def _pause(self) -> int:
        """Samples of a pause: short ones are common, a few last seconds."""
        return int(min(self.generator.exponential(0.45), 3.0) * SAMPLE_RATE)

    def _varied(self, clip: Clip) -> tuple[np.ndarray, list[Segment]]:
        """A clip in another voice and level."""
        voice = VoiceChange.draw(self.generator)
        samples = voice.apply(self.corpus.audio(clip), self.generator)
        segments = [
            Segment(s.phone, s.start / voice.speed, s.end / voice.speed, s.emphasis) for s in self.corpus.segments(clip)
        ]
        level = 10 ** self.generator.uniform(-0.2, 0.2) * 0.05 / (samples.std() + 1e-5)
        return (level * samples).astype(np.float32), segments


def voice_of(audio: np.ndarray) -> Voice:
    """What stands out in clean speech (S,), by the prosody that the decoder hears."""
    heard = prosody(audio, round(len(audio) / SAMPLE_RATE * CODE_RATE))
    beats = [Beat(float(time), float(strength)) for time, strength in zip(*accents(heard), strict=True)]
    return Voice(beats, heard[:, PROMINENCE])


def _without_gaps(segments: list[Segment]) -> list[Segment]:
    """Segments over the whole scene: pauses filled in, neighbouring silences merged."""
    result: list[Segment] = []
    for segment in [*segments, Segment(SILENCE, SCENE_SECONDS, SCENE_SECONDS)]:
        end = result[-1].end if result else 0.0
        if segment.start > end + 1e-3:
            if result and result[-1].phone == SILENCE:
                result[-1] = Segment(SILENCE, result[-1].start, segment.start)
            else:
                result.append(Segment(SILENCE, end, segment.start))
        if segment.end <= segment.start:
            continue
        if segment.phone == SILENCE and result and result[-1].phone == SILENCE:
            result[-1] = Segment(SILENCE, result[-1].start, segment.end)
        else:
            result.append(segment)
    return result


def _pauses_of(capture: np.ndarray) -> list[Segment]:
    """Silences where captured jaw and lips rest, a neutral vowel elsewhere: cues for blinks and brows only."""
    resting = capture[:, ARKIT_NAMES.index("jawOpen")] < 0.01
    changes = np.flatnonzero(np.diff(resting)) + 1
    bounds = [0, *changes.tolist(), len(capture)]
    return [
        Segment(SILENCE if resting[start] else "AH", start / CODE_RATE, end / CODE_RATE)
        for start, end in pairwise(bounds)
    ]
