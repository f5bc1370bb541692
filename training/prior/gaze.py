"""Gaze of the prior: small saccades on the listener's face, looks aside, a head that follows, eyes that hold on.

A listener's face is scanned in fixations of about 0.3 to 0.6 s, 1 to 3 saccades a second and mostly below 5 degrees
(Bahill, Adler and Stark, 1975; Lee, Badler and Badler, 2002: Eyes Alive). Speakers look away when they begin or
hesitate, and back where they end (Kendon, 1967). Saccades take 2.2 ms a degree and 21 ms (Carpenter, 1988). The eyes
counter what the head does, so that the gaze stays where it is (the vestibulo-ocular reflex); of a large shift the head
takes a third.

Angles are degrees: to the subject's own left and up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from engine.shared.pose import HELD_SECONDS, HELD_SHARE, REFLEX
from training.prior.grid import GRID_RATE
from training.prior.head_motion import PITCH, YAW

FARTHEST = 24.0  # degrees that an eye turns at most
LARGE = 9.0  # degrees from which the head follows and a blink is likely
HEAD_SHARE, HEAD_DELAY, HEAD_SECONDS = 0.33, 0.06, 0.35
HELD_DEVIATION = HELD_SECONDS / 2.355  # of the Gaussian whose full width at half maximum is HELD_SECONDS


@dataclass(frozen=True)
class Gaze:
    """Where the eyes look. left, up: degrees against the head, (G,). large: seconds of the larger shifts."""

    left: np.ndarray
    up: np.ndarray
    large: list[float]


def gaze_and_head(
    pose: np.ndarray,
    spans: list[tuple[float, float]],
    liveliness: float,
    generator: np.random.Generator,
) -> Gaze:
    """Gaze for a head pose (G, 6), to which the head's share of large shifts is added in place.

    spans: start and end of every phrase. liveliness: factor on how often and how far the eyes go, about 1.
    """
    target, large = _targets(len(pose), spans, liveliness, generator)
    following = np.zeros((len(pose), 2))
    times = np.arange(len(pose)) / GRID_RATE
    for start, shift in large:
        place = np.clip((times - start - HEAD_DELAY) / HEAD_SECONDS, 0, 1)
        following += (place**2 * (3 - 2 * place))[:, None] * HEAD_SHARE * shift
    pose[:, YAW] += following[:, 0]
    pose[:, PITCH] -= following[:, 1]
    turned = np.stack([pose[:, YAW], -pose[:, PITCH]], 1)
    # What the head holds for long is where the listener stands.
    turned = turned - HELD_SHARE * gaussian_filter1d(turned, HELD_DEVIATION * GRID_RATE, axis=0, mode="nearest")
    eyes = np.clip(target - REFLEX * turned, -FARTHEST, FARTHEST)
    return Gaze(eyes[:, 0], eyes[:, 1], [start for start, _ in large])


def _targets(
    length: int, spans: list[tuple[float, float]], liveliness: float, generator: np.random.Generator
) -> tuple[np.ndarray, list[tuple[float, np.ndarray]]]:
    """Targets (length, 2) in space, and time and size of the large shifts."""
    target = np.zeros((length, 2))
    position, start, away_until = np.array([0.0, 0.0]), 0, 0.0
    aside, large = np.zeros(2), []
    tempo = np.exp(0.15 * generator.standard_normal()) / liveliness**0.5
    while start < length:
        now = start / GRID_RATE
        away = now < away_until
        if not away and generator.random() < _chance_of_looking_away(now, spans) * min(liveliness, 1.5):
            away_until = now + np.clip(np.exp(-0.1 + 0.5 * generator.standard_normal()), 0.4, 2.5)
            aside = generator.standard_normal(2) * (8.5, 4.0) * liveliness
            aside[0] += np.copysign(4.0, aside[0])
            away = True
        around = aside if away else np.zeros(2)
        spread = (2.6, 1.6) if away else (2.4, 1.5)
        goal = around + generator.standard_normal(2) * spread
        if np.linalg.norm(goal - position) > LARGE:
            large.append((now, goal - position))
        fixation = tempo * np.clip(np.exp(-0.95 + 0.55 * generator.standard_normal()), 0.12, 2.0)
        end = min(start + round(fixation * GRID_RATE), length)
        duration = max(round((0.021 + 0.0022 * np.linalg.norm(goal - position)) * GRID_RATE), 1)
        share = np.clip(np.arange(end - start) / duration, 0, 1)[:, None]
        target[start:end] = position + (share * share * (3 - 2 * share)) * (goal - position)
        position, start = goal, end
    return target, large


def _chance_of_looking_away(now: float, spans: list[tuple[float, float]]) -> float:
    """For each fixation: likely where a phrase begins and in a pause between two, unlikely at the end of one."""
    for start, end in spans:
        if start - 0.5 < now < start + 0.4:
            return 0.28
        if end - 0.6 < now < end + 0.2:
            return 0.03
        if start <= now < end:
            return 0.09
    return 0.07
