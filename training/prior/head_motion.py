"""The head of the prior: posture, nods on accents, the end of a phrase, drift, breath, and following the gaze.

Heads of people who talk move by 2 to 6 degrees (standard deviation), in postural shifts at the boundaries of phrases
and in quick beats on stressed syllables (Hadar, Steiner, Grant and Rose, 1983 and 1984); pitch accents are met by nods
(Graf, Cosatto, Strom and Huang, 2002; McClave, 2000) as deep as they stand out (Munhall et al., 2004), the head sinks
and rests where a phrase ends, large gaze shifts are taken over by the head after some 60 ms for a third of their way
(Freedman and Sparks, 1997), and 12 to 18 breaths a minute lift it a little. The filmed talks of the evaluation have a
yaw of 3.7 and 8.7 degrees.

Arrays are (G,) or (G, 6) on the prior's grid of 240 Hz; columns and signs are those of `engine.shared.pose`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from engine.shared.pose import POSE_NAMES
from engine.shared.units import CODE_RATE
from training.phones import SILENCE, Segment
from training.prior.grid import GRID_RATE, slow_drift

PITCH, YAW, ROLL, X, Y, Z = range(len(POSE_NAMES))
PHRASE_PAUSE = 0.18  # seconds of silence that end a phrase
# A nod is as deep as its syllable stands out, so that whoever hears the one knows the other; from FIRST_PROMINENCE on,
# for most voices of the training are flatter than people.
FIRST_PROMINENCE, NOD_DEGREES = 0.2, 4.8
BEAT_SECONDS = 0.085  # deviation of the course that stands in for a prominence which nobody measured
REACH = 0.6  # seconds before and after a beat in which the head also turns or tilts


@dataclass(frozen=True)
class Beat:
    """An accent of the voice: seconds and strength, about 1."""

    time: float
    strength: float


def phrases(segments: list[Segment]) -> list[tuple[float, float]]:
    """Start and end in seconds of every stretch of speech between pauses."""
    spans: list[tuple[float, float]] = []
    for segment in segments:
        if segment.phone == SILENCE:
            continue
        if spans and segment.start - spans[-1][1] < PHRASE_PAUSE:
            spans[-1] = (spans[-1][0], segment.end)
        else:
            spans.append((segment.start, segment.end))
    return spans


@dataclass(frozen=True)
class Voice:
    """What stands out in a voice. beats: its accents. prominence: (N,) at the code rate, or None: from the beats."""

    beats: list[Beat]
    prominence: np.ndarray | None = None

    def course(self, times: np.ndarray) -> np.ndarray:
        """Prominence (G,) at seconds (G,)."""
        if self.prominence is not None:
            return np.interp(times, np.arange(len(self.prominence)) / CODE_RATE, self.prominence)
        bumps = (beat.strength * np.exp(-0.5 * ((times - beat.time) / BEAT_SECONDS) ** 2) for beat in self.beats)
        return sum(bumps, np.zeros(len(times)))


def head_motion(
    segments: list[Segment], voice: Voice, length: int, liveliness: float, generator: np.random.Generator
) -> np.ndarray:
    """Pose (length, 6) of a head that speaks, without emotion and gaze. liveliness: factor on what it does, about 1."""
    times = np.arange(length) / GRID_RATE
    spans = phrases(segments)
    pose = _posture(spans, times, liveliness, generator)
    speaking = gaussian_filter1d(_inside(spans, times), 0.15 * GRID_RATE)
    for column, size in enumerate((0.45, 0.6, 0.4, 0.6, 1.0, 0.4)):
        pose[:, column] += size * slow_drift(length, 0.9, generator)
        # Quick small movement that only speech has.
        quick = gaussian_filter1d(generator.standard_normal(length), 0.055 * GRID_RATE)
        pose[:, column] += liveliness * speaking * quick * (0.22, 0.3, 0.2, 0.2, 0.3, 0.2)[column] * 7
    _nod(pose, voice, times, liveliness, generator)
    _settle(pose, spans, times, liveliness, generator)
    _breathe(pose, spans, times, generator)
    return pose


def _inside(spans: list[tuple[float, float]], times: np.ndarray) -> np.ndarray:
    return sum((((times >= start) & (times < end)).astype(float) for start, end in spans), np.zeros(len(times)))


def _posture(
    spans: list[tuple[float, float]], times: np.ndarray, liveliness: float, generator: np.random.Generator
) -> np.ndarray:
    """How the head is held: another way every few seconds, most of all where phrases begin and end."""
    changes, time = [], generator.uniform(-1.0, 0.8)
    cues = np.array([t for span in spans for t in span])
    while time < times[-1]:
        near = cues[np.abs(cues - time) < 0.7]
        changes.append(float(generator.choice(near)) if len(near) and generator.random() < 0.8 else time)
        time = changes[-1] + np.exp(np.log(1.7) + 0.5 * generator.standard_normal())
    sizes = np.array([3.5, 4.4, 3.3, 2.0, 3.2, 1.2]) * liveliness
    spoken = _inside(spans, times)
    held = generator.standard_normal(6) * sizes * 0.8
    pose = np.tile(held, (len(times), 1))
    for change in changes:
        quiet = 0.6 if not spoken[min(int(max(change, 0) * GRID_RATE), len(times) - 1)] else 1.0
        target = quiet * sizes * np.clip(generator.standard_normal(6), -2.2, 2.2)
        target[ROLL] = 0.6 * target[ROLL] + 0.25 * target[YAW]
        target[X] += 0.4 * target[ROLL]
        duration = generator.uniform(0.45, 0.95)
        place = np.clip((times - change + 0.15) / duration, 0, 1)
        share = place**3 * (10 - 15 * place + 6 * place**2)  # the least jerk (Flash and Hogan, 1985)
        pose += share[:, None] * (target - held)
        held = target
    return pose


def _nod(pose: np.ndarray, voice: Voice, times: np.ndarray, liveliness: float, generator: np.random.Generator) -> None:
    """Beats of the head: down and back with what stands out, deepest on the accent, now and then also to a side."""
    prominence = np.tanh(np.clip(voice.course(times) - FIRST_PROMINENCE, 0, None))
    down = NOD_DEGREES * liveliness * prominence * np.exp(0.12 * slow_drift(len(times), 1.5, generator))
    pose[:, PITCH] += down
    pose[:, Z] -= 0.25 * down
    pose[:, Y] -= 0.2 * down
    for beat in voice.beats:
        near = slice(*np.searchsorted(times, (beat.time - REACH, beat.time + REACH)))
        stroke = np.exp(-0.5 * ((times[near] - beat.time) / 0.12) ** 2)
        aside = liveliness * np.clip(beat.strength, 0.5, 1.5) * generator.standard_normal(2) * (0.8, 0.6)
        pose[near, YAW] += aside[0] * stroke
        pose[near, ROLL] += aside[1] * stroke


def _settle(
    pose: np.ndarray,
    spans: list[tuple[float, float]],
    times: np.ndarray,
    liveliness: float,
    generator: np.random.Generator,
) -> None:
    """A phrase begins with the head a little raised and ends with it lowered; a question lifts and tilts it."""
    for start, end in spans:
        length = max(end - start, 0.3)
        along = np.clip((times - start) / length, 0, 1)
        inside = gaussian_filter1d(((times > start - 0.1) & (times < end + 0.25)).astype(float), 0.1 * GRID_RATE)
        decline = liveliness * np.clip(1.0 + 0.6 * generator.standard_normal(), -1.0, 2.5)
        pose[:, PITCH] += inside * decline * (2.5 * along - 1.0)


def _breathe(
    pose: np.ndarray, spans: list[tuple[float, float]], times: np.ndarray, generator: np.random.Generator
) -> None:
    """Lifts of the chest, slow in silence and quick before a phrase."""
    rate = generator.uniform(0.2, 0.3)
    phase = 2 * np.pi * (rate * times + generator.random()) + 0.6 * slow_drift(len(times), 2.0, generator)
    breath = 0.5 * np.sin(phase)
    for start, _ in spans:
        breath += 0.8 * np.exp(-0.5 * ((times - start + 0.18) / np.where(times < start - 0.18, 0.16, 0.5)) ** 2)
    pose[:, Z] += 0.9 * breath
    pose[:, PITCH] -= 0.35 * breath
    pose[:, Y] += 0.3 * breath
