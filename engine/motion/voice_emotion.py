"""What a voice sounds like: emotions and energy by written rules on its prosody, for controls to begin with.

Seven measures of the sounding parts are compared with those of people who read (`REFERENCE`: of 165 recordings of the
training, speechocean762, festvox-ru and Kokoro). Which way each emotion moves them is from reviews of vocal expression:
Juslin and Laukka (2003), Scherer (2003), Banse and Scherer (1996). Nothing is learnt here, for no recordings of felt
speech may be trained on. Surprise and contempt have no prosody that the reviews agree on, so they are never found.

Anger and joy, which both raise the voice, are told apart less well than effort is told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, median_filter

from ..shared.controls import ENERGY
from ..shared.errors import EngineError
from .prosody import analysed

MEASURES = ("pitch", "range", "tilt", "dynamics", "rate", "pauses", "roughness")
# Mean and standard deviation of those who read; the rate's is wider, since languages differ (Pellegrino et al., 2011).
REFERENCE = {
    "pitch": (0.0, 0.25), "range": (8.7, 3.1), "tilt": (-17.5, 3.8), "dynamics": (6.4, 1.1), "rate": (4.2, 1.2),
    "pauses": (0.15, 0.11), "roughness": (0.03, 0.02),
}  # fmt: skip
FARTHEST = 2.5  # standard deviations that count
NEUTRAL = "neutral"
# Standard deviations by which an emotion moves MEASURES.
PROFILES = {
    NEUTRAL: (0, 0, 0, 0, 0, 0, 0),
    "joy": (1, 2, 1, 0.5, 0.5, -0.5, 0),
    "anger": (1, 1, 2, 1, 0.5, -0.5, 0),
    "sadness": (-1, -1.5, -1.5, 0, -1, 1, 1),
    "fear": (1, -0.5, 0.5, 0, 1, -0.5, 0),
    "disgust": (-0.5, 0, 0.5, 0, -1.5, 0.5, 0),
}
LEAST, MOST = 0.3, 1.0  # of a found emotion
# Seconds: pauses that part phrases; the shortest phrase that is judged by itself, and the longest, which is divided; a
# pause that always parts; how much of the whole voice's measures steadies those of a phrase.
PAUSE, SHORTEST, LONGEST, BREAK, STEADY = 0.25, 2.0, 7.0, 1.5, 2.0
_RATE = 100  # of the analysis
ENERGY_WEIGHTS = (0.2, 0.1, 0.25, 0.1, 0.1, 0, 0)


@dataclass(frozen=True)
class Feeling:
    """What a voice sounds like. emotion: a key of PROFILES. controls: that ask for it. deviations: of MEASURES."""

    emotion: str
    controls: dict[str, float]
    deviations: dict[str, float]


@dataclass(frozen=True)
class Phrase:
    """What is said between two pauses: seconds of the sound, and how it sounds."""

    start: float
    end: float
    feeling: Feeling


def feeling(samples: np.ndarray) -> Feeling:
    """What a voice (S,) at 16 kHz sounds like. Raises EngineError where hardly anybody speaks."""
    return _nearest(_away(_measured(_Analysis.of(samples))))


def whole_and_phrases(samples: np.ndarray) -> tuple[Feeling, list[Phrase]]:
    """How a voice (S,) at 16 kHz sounds, and each of its phrases. Raises EngineError where hardly anybody speaks.

    A few syllables measure badly, so the whole voice counts as STEADY seconds more of every phrase.
    """
    heard = _Analysis.of(samples)
    whole = _away(_measured(heard))
    found = []
    for first, last in _phrase_spans(heard.loud):
        own = _measured(heard.part(first, last))
        away = whole if own is None else _away(own)
        seconds = (last - first) / _RATE
        away = (seconds * away + STEADY * whole) / (seconds + STEADY)
        found.append(Phrase(first / _RATE, last / _RATE, _nearest(away)))
    return _nearest(whole), found


def _phrase_spans(loud: np.ndarray) -> list[tuple[int, int]]:
    """First and end of each phrase of analysis frames (H,) that sound or not."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(int), [0]])))
    spans: list[tuple[int, int]] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        pause = start - spans[-1][1] if spans else np.inf
        short = bool(spans) and spans[-1][1] - spans[-1][0] < SHORTEST * _RATE
        if pause < PAUSE * _RATE or (short and pause < BREAK * _RATE):
            spans[-1] = spans[-1][0], end
        else:
            spans.append((start, end))
    divided = []
    for start, end in spans:
        edges = np.linspace(start, end, int(np.ceil((end - start) / (LONGEST * _RATE))) + 1).round().astype(int)
        divided += list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    return [(start, end) for start, end in divided if end - start >= PAUSE * _RATE]


def _away(found: dict[str, float] | None) -> np.ndarray:
    """How far measures are from those of people who read, standard deviations (7,)."""
    if found is None:
        raise EngineError("No voice is heard in this sound; choose a strip in which somebody speaks.")
    away = np.array([(found[name] - REFERENCE[name][0]) / REFERENCE[name][1] for name in MEASURES])
    return np.clip(away, -FARTHEST, FARTHEST)


def _nearest(away: np.ndarray) -> Feeling:
    names = list(PROFILES)
    profiles = np.array([PROFILES[name] for name in names], float)
    nearest = int(np.square(away - profiles).sum(1).argmin())
    emotion, profile = names[nearest], profiles[nearest]
    controls = {ENERGY: round(float(np.clip(away @ ENERGY_WEIGHTS, -1, 1)), 2)}
    if emotion != NEUTRAL:
        controls[emotion] = round(float(np.clip(away @ profile / (profile @ profile), LEAST, MOST)), 2)
    return Feeling(emotion, controls, dict(zip(MEASURES, away.round(2).tolist(), strict=True)))


def measures(samples: np.ndarray) -> dict[str, float] | None:
    """Measures of a voice (S,) at 16 kHz; None where hardly anything is voiced.

    pitch: median, octaves from the usual of the nearer sex; range: 5th to 95th percentile, semitones; tilt: share above
    1 kHz, dB; dynamics: deviation of the level of voiced frames, dB; rate: syllables a second that sounds; pauses:
    share of silence inside; roughness: what voiced frames lack of whole periodicity.
    """
    return _measured(_Analysis.of(samples))


@dataclass(frozen=True)
class _Analysis:
    """Level and level above 1 kHz in dB, voicing, pitch in Hz, and what sounds, (H,) each."""

    level: np.ndarray
    high: np.ndarray
    voicing: np.ndarray
    pitch: np.ndarray
    loud: np.ndarray

    @classmethod
    def of(cls, samples: np.ndarray) -> _Analysis:
        level, high, voicing, pitch = analysed(np.asarray(samples, np.float32))
        return cls(level, high, voicing, pitch, level > np.percentile(level, 95) - 28)

    def part(self, first: int, last: int) -> _Analysis:
        return _Analysis(*(getattr(self, name)[first:last] for name in ("level", "high", "voicing", "pitch", "loud")))


def _measured(heard: _Analysis) -> dict[str, float] | None:
    level, high, voicing, pitch, loud = heard.level, heard.high, heard.voicing, heard.pitch, heard.loud
    voiced = loud & (voicing > 0.5)
    if voiced.sum() < 20:
        return None
    inside = slice(int(np.flatnonzero(loud)[0]), int(np.flatnonzero(loud)[-1]) + 1)
    octaves = np.log2(median_filter(pitch, 5)[voiced])
    middle = float(np.median(octaves))
    octaves = octaves[np.abs(octaves - middle) < 0.9]
    usual = min(np.log2((118.0, 205.0)), key=lambda value: abs(value - middle))
    low, top = np.percentile(octaves, [5, 95])
    smooth = gaussian_filter1d(level, 4)
    syllables = (smooth == maximum_filter1d(smooth, 15)) & voiced
    return {
        "pitch": middle - float(usual),
        "range": 12 * float(top - low),
        "tilt": float((high - level)[voiced].mean()),
        "dynamics": float(level[voiced].std()),
        "rate": float(syllables.sum() / (loud[inside].sum() / 100)),
        "pauses": float(1 - loud[inside].mean()),
        "roughness": float(1 - voicing[voiced].mean()),
    }
