"""A whole performance of the prior: mouth, upper face, gaze, head, emotion, and the controls that ask for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.shared.controls import CAPTURED, CONTROL_NAMES, EMOTIONS, ENERGY, TRAITS, control_rows
from engine.shared.lids import with_lids_in_place
from engine.shared.tongue import with_tongue_in_place
from engine.shared.weights import WEIGHT_NAMES
from training.phones import Segment
from training.prior.articulation import mouth_weights
from training.prior.emotion import HEAD_GAINS, MOUTH_GAINS, POSTURES, Mood, with_emotion
from training.prior.gaze import gaze_and_head
from training.prior.grid import OVERSAMPLING, at_code_rate
from training.prior.head_motion import Beat, Voice, head_motion, phrases
from training.prior.speaking_style import SpeakingStyle
from training.prior.upper_face import upper_face_weights

LOUD_SHARE = 0.5  # of the performances whose energy is not 0


@dataclass(frozen=True)
class Performance:
    """weights (N, 57), pose (N, 6) and controls (N, C) of CONTROL_NAMES, float32 at the code rate."""

    weights: np.ndarray
    pose: np.ndarray
    controls: np.ndarray


def perform(
    segments: list[Segment],
    frames: int,
    seed: int,
    voice: Voice | None = None,
    *,
    capture: np.ndarray | None = None,
    speaker: str = CAPTURED,
    expressive: bool = True,
) -> Performance:
    """One performance, the same for the same seed.

    voice: what stands out in it; None takes it from the emphasis of the segments.
    capture: mouth weights (N, 57) that were captured and take the place of the prior's. speaker: the control that asks
        for the person of the capture.
    expressive: whether it may have an emotion and an energy of its own.
    """
    generator = np.random.default_rng(seed)
    voice = Voice(emphasised(segments)) if voice is None else voice
    traits = dict(zip(TRAITS, np.clip(generator.standard_normal(len(TRAITS)), -2, 2), strict=True))
    mood = Mood.draw(frames, generator) if expressive else Mood.neutral(frames)
    energy = generator.uniform(-0.9, 1.0) if expressive and generator.random() < LOUD_SHARE else 0.0
    style = SpeakingStyle.of_traits(traits, generator)
    weights, pose = _face(segments, frames, voice, style, (mood, energy, capture), generator)
    asked = {name: mood.asked[:, column] for column, name in enumerate(EMOTIONS)}
    asked |= traits | {ENERGY: energy, speaker: float(capture is not None)}
    return Performance(weights, pose, control_rows(CONTROL_NAMES, asked, frames))


def _face(
    segments: list[Segment],
    frames: int,
    voice: Voice,
    style: SpeakingStyle,
    given: tuple[Mood, float, np.ndarray | None],
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    mood, energy, capture = given
    length = frames * OVERSAMPLING
    gain = np.repeat(mood.mean(MOUTH_GAINS), OVERSAMPLING) * (1 + 0.22 * energy)
    spans = phrases(segments)
    pose = head_motion(segments, voice, length, style.head * (1 + 0.3 * energy), generator)
    pose *= np.repeat(mood.mean(HEAD_GAINS), OVERSAMPLING)[:, None]
    gaze = gaze_and_head(pose, spans, style.gaze, generator)
    named = upper_face_weights(spans, voice.beats, gaze, style, generator)
    if capture is None:
        named |= mouth_weights(segments, frames, style, generator, gain)
        weights = at_code_rate(named, frames)
    else:
        weights = _captured(capture, at_code_rate(named, frames), list(named))
    weights = with_lids_in_place(with_tongue_in_place(with_emotion(weights, mood, generator)))
    held = mood.felt @ np.array([POSTURES[name] for name in EMOTIONS])
    held[:, 1:3] *= mood.side  # an emotion turns and tilts to one side or the other
    return weights, (pose[::OVERSAMPLING][:frames] + held).astype(np.float32)


def _captured(capture: np.ndarray, table: np.ndarray, names: list[str]) -> np.ndarray:
    weights = np.array(capture, np.float32)
    columns = [WEIGHT_NAMES.index(name) for name in names]
    weights[:, columns] = table[:, columns]
    return np.clip(weights, 0, 1)


def emphasised(segments: list[Segment]) -> list[Beat]:
    """Accents where nobody measured them: the stronger vowels, at most one in 0.3 s."""
    beats: list[Beat] = []
    for segment in segments:
        middle = 0.5 * (segment.start + segment.end)
        if segment.emphasis > 1.02 and (not beats or middle - beats[-1].time > 0.3):
            beats.append(Beat(middle, float(np.clip(1 + 3 * (segment.emphasis - 1.05), 0.5, 1.5))))
    return beats
