"""Blinks, lids, brows and gaze of the articulation prior: drawn at random, tied to pauses and emphasis.

Timing follows the literature on conversation: 10 to 25 blinks a minute, a lid that closes in about 80 ms and opens in
about 150 ms, fixations of a few tenths of a second to a few seconds, and small saccades that take one or two frames.
Arrays are (G,) on the prior's grid of 240 Hz.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from engine.shared.lids import most_lift
from training.phones import PHONES, SILENCE, Segment
from training.prior.grid import GRID_RATE, OVERSAMPLING, slow_drift

BLINK_INTERVAL = (3.8, 0.42)  # median in seconds and logarithmic spread
SMALLEST_BLINK_INTERVAL = 1.0


def upper_face_weights(
    segments: list[Segment], frames: int, generator: np.random.Generator, squint: float
) -> dict[str, np.ndarray]:
    """ARKit weights of lids, eyes and brows: {name: (G,)} for `frames` code frames."""
    length = frames * OVERSAMPLING
    horizontal, vertical, shifts = _gaze(length, generator)
    blink = _blinks(segments, length, shifts, generator)
    raised, lowered = _brows(segments, length, generator)
    weights: dict[str, np.ndarray] = {}
    _set_eyes(weights, horizontal, vertical)
    lid_gain = 1 + 0.03 * generator.standard_normal()
    for side, gain in (("Left", lid_gain), ("Right", 2 - lid_gain)):
        following = 0.35 * np.clip(vertical * -1, 0, None)
        weights[f"eyeBlink{side}"] = np.clip(np.maximum(blink * gain, following), 0, 1)
        lift = most_lift(weights[f"eyeBlink{side}"])
        weights[f"eyeLookUp{side}"] = np.minimum(weights[f"eyeLookUp{side}"], lift)
        weights[f"eyeSquint{side}"] = squint + 0.15 * blink
        weights[f"eyeWide{side}"] = np.clip(0.25 * raised + 0.3 * vertical, 0, None) * (1 - blink)
        weights[f"browOuterUp{side}"] = 0.55 * raised * gain
        weights[f"browDown{side}"] = lowered + 0.06 * blink
        weights[f"noseSneer{side}"] = 0.15 * lowered
    weights["browInnerUp"] = raised
    return weights


def _blinks(segments: list[Segment], length: int, shifts: list[float], generator: np.random.Generator) -> np.ndarray:
    """Lid closure (length,) 0 to 1. Blinks come at drawn intervals and move to a pause or gaze shift close by."""
    pauses = [s.start + 0.1 for s in segments if s.phone == SILENCE and s.end - s.start > 0.15]
    cues = np.array(sorted(pauses + shifts))
    closure = np.zeros(length)
    times = np.arange(length) / GRID_RATE
    median, spread = BLINK_INTERVAL
    rate = np.exp(0.25 * generator.standard_normal())
    time = generator.uniform(-1.0, median)
    while time < times[-1]:
        near = cues[np.abs(cues - time) < 0.5]
        onset = float(generator.choice(near)) if len(near) and generator.random() < 0.6 else time
        closing, closed = generator.uniform(0.065, 0.095), generator.uniform(0.02, 0.05)
        opening = generator.uniform(0.13, 0.20)
        depth = 1.0 if generator.random() < 0.9 else generator.uniform(0.65, 0.95)
        rise = np.clip((times - onset) / closing, 0, 1)
        fall = np.clip((times - onset - closing - closed) / opening, 0, 1)
        blink = np.sin(0.5 * np.pi * rise) ** 2 * np.cos(0.5 * np.pi * fall**0.8) ** 2
        closure = np.maximum(closure, depth * blink)
        time = onset + max(rate * median * np.exp(spread * generator.standard_normal()), SMALLEST_BLINK_INTERVAL)
    return closure


def _gaze(length: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Gaze (length,) to the subject's left and up, -1 to 1 each, and the times of the larger shifts."""
    horizontal, vertical = np.zeros(length), np.zeros(length)
    shifts = []
    position, start = np.zeros(2), 0
    while start < length:
        fixation = np.clip(np.exp(-0.1 + 0.7 * generator.standard_normal()), 0.25, 4.0)
        end = start + round(fixation * GRID_RATE)
        # Eyes return to the listener most of the time.
        away = generator.random() < 0.3
        target = generator.standard_normal(2) * ((0.16, 0.09) if away else (0.035, 0.025))
        if np.linalg.norm(target - position) > 0.2:
            shifts.append(start / GRID_RATE)
        horizontal[start:end], vertical[start:end] = target
        position, start = target, end
    width = 0.014 * GRID_RATE
    return gaussian_filter1d(horizontal, width), gaussian_filter1d(vertical, width), shifts


def _set_eyes(weights: dict[str, np.ndarray], horizontal: np.ndarray, vertical: np.ndarray) -> None:
    to_left, to_right = np.clip(horizontal, 0, None), np.clip(-horizontal, 0, None)
    weights["eyeLookOutLeft"], weights["eyeLookInLeft"] = to_left, to_right
    weights["eyeLookInRight"], weights["eyeLookOutRight"] = to_left, to_right
    for side in ("Left", "Right"):
        weights[f"eyeLookUp{side}"] = np.clip(vertical, 0, None)
        weights[f"eyeLookDown{side}"] = np.clip(-vertical, 0, None)


def _brows(segments: list[Segment], length: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Brow raise and brow lowering (length,): a share of the emphasised vowels and of the phrase starts gets one."""
    times = np.arange(length) / GRID_RATE
    liveliness = np.clip(np.exp(0.4 * generator.standard_normal()), 0.4, 2.0)
    raised = np.clip(0.04 + 0.03 * slow_drift(length, 0.8, generator), 0, None)
    lowered = np.clip(0.02 + 0.02 * slow_drift(length, 0.8, generator), 0, None)
    after_pause, last = True, -1.0
    for segment in segments:
        if segment.phone == SILENCE:
            after_pause = after_pause or segment.end - segment.start > 0.2
        if PHONES[segment.phone].manner != "vowel" or segment.start - last < 0.45:
            continue
        chance = 0.35 if after_pause else 0.30 * np.clip((segment.emphasis - 0.95) / 0.15, 0, 1)
        after_pause = False
        if generator.random() < chance * min(liveliness, 1.5):
            height = liveliness * generator.uniform(0.08, 0.26)
            width = generator.uniform(0.10, 0.20)
            accent = height * np.exp(-0.5 * ((times - segment.start - 0.03) / width) ** 2)
            if generator.random() < 0.85:
                raised = raised + accent
            else:
                lowered = lowered + 0.6 * accent
            last = segment.start
    return np.clip(raised, 0, 0.7), np.clip(lowered, 0, 0.5)
