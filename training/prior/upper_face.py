"""Blinks, lids and brows of the articulation prior: drawn at random, tied to pauses, gaze shifts and accents.

Timing follows the literature on conversation: 10 to 25 blinks a minute, half of them where a phrase ends or the gaze
shifts far (Evinger et al., 1994; Nakano and Kitazawa, 2010), a lid that closes in about 80 ms and opens in about 150 ms
(VanderWerf et al., 2003), and brows that rise on pitch accents, a little before them (Flecha-García, 2010; Cavé et al.,
1996). Left and right are never quite alike. Arrays are (G,) on the prior's grid of 240 Hz.
"""

from __future__ import annotations

import numpy as np

from engine.shared.pose import DEGREES_PER_LOOK
from training.prior.gaze import Gaze
from training.prior.grid import GRID_RATE, slow_drift
from training.prior.head_motion import Beat
from training.prior.speaking_style import SpeakingStyle

BLINK_INTERVAL = (3.4, 0.45)  # median in seconds and logarithmic spread
SMALLEST_BLINK_INTERVAL = 0.9
CLOSED_SECONDS = (0.046, 0.075)  # longer than a code frame, so that one always shows the closed lid
BROW_SHARE = 0.8  # of the accents that the brows mark
SHALLOW_SHARE = 0.02  # of the blinks that do not close


def upper_face_weights(
    spans: list[tuple[float, float]],
    beats: list[Beat],
    gaze: Gaze,
    style: SpeakingStyle,
    generator: np.random.Generator,
) -> dict[str, np.ndarray]:
    """ARKit weights of lids, eyes and brows: {name: (G,)}.

    spans: start and end of every phrase. beats: accents. gaze: where the eyes look.
    """
    length = len(gaze.left)
    blink = _blinks([end for _, end in spans], length, gaze.large, generator)
    inner, outer, lowered = _brows(spans, beats, length, style, generator)
    weights: dict[str, np.ndarray] = {}
    up = gaze.up / DEGREES_PER_LOOK
    _set_eyes(weights, gaze.left / DEGREES_PER_LOOK, up)
    squint = np.clip(style.squint * (1 + 0.4 * slow_drift(length, 1.2, generator)), 0, None)
    for side, sign in (("Left", 1), ("Right", -1)):
        gain = 1 + 0.10 * sign * style.asymmetry + 0.06 * slow_drift(length, 1.0, generator)
        following = 0.35 * np.clip(-up, 0, None)
        weights[f"eyeBlink{side}"] = np.clip(following + (1 - following) * blink, 0, 1)
        weights[f"eyeSquint{side}"] = np.clip(squint * gain, 0, None) + 0.15 * blink
        weights[f"eyeWide{side}"] = np.clip(0.22 * inner * gain + 0.3 * up, 0, None) * (1 - blink)
        weights[f"browOuterUp{side}"] = np.clip(outer * gain, 0, 0.9)
        weights[f"browDown{side}"] = np.clip(lowered * gain, 0, 0.6) + 0.06 * blink
        weights[f"noseSneer{side}"] = 0.15 * lowered
    weights["browInnerUp"] = inner
    return weights


def _blinks(ends: list[float], length: int, shifts: list[float], generator: np.random.Generator) -> np.ndarray:
    """Lid closure (length,) 0 to 1. Blinks come at drawn intervals and move to the end of a phrase or a gaze shift."""
    cues = np.array(sorted([end + 0.08 for end in ends] + shifts))
    closure = np.zeros(length)
    times = np.arange(length) / GRID_RATE
    median, spread = BLINK_INTERVAL
    rate = np.exp(0.22 * generator.standard_normal())
    time = generator.uniform(-1.0, median)
    while time < times[-1]:
        near = cues[np.abs(cues - time) < 0.6]
        onset = float(generator.choice(near)) if len(near) and generator.random() < 0.65 else time
        closing, closed = generator.uniform(0.065, 0.095), generator.uniform(*CLOSED_SECONDS)
        opening = generator.uniform(0.13, 0.20)
        depth = generator.uniform(0.6, 0.9) if generator.random() < SHALLOW_SHARE else 1.0
        rise = np.clip((times - onset) / closing, 0, 1)
        fall = np.clip((times - onset - closing - closed) / opening, 0, 1)
        blink = np.sin(0.5 * np.pi * rise) ** 2 * np.cos(0.5 * np.pi * fall**0.8) ** 2
        closure = np.maximum(closure, depth * blink)
        interval = rate * median * np.exp(spread * generator.standard_normal())
        if generator.random() < 0.06:  # a double blink
            interval = generator.uniform(0.35, 0.6)
        time = onset + max(interval, SMALLEST_BLINK_INTERVAL if interval > 0.7 else interval)
    return closure


def _set_eyes(weights: dict[str, np.ndarray], horizontal: np.ndarray, vertical: np.ndarray) -> None:
    to_left, to_right = np.clip(horizontal, 0, None), np.clip(-horizontal, 0, None)
    weights["eyeLookOutLeft"], weights["eyeLookInLeft"] = to_left, to_right
    weights["eyeLookInRight"], weights["eyeLookOutRight"] = to_left, to_right
    for side in ("Left", "Right"):
        weights[f"eyeLookUp{side}"] = np.clip(vertical, 0, None)
        weights[f"eyeLookDown{side}"] = np.clip(-vertical, 0, None)


def _brows(
    spans: list[tuple[float, float]],
    beats: list[Beat],
    length: int,
    style: SpeakingStyle,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inner and outer raise and lowering (length,): accents, beginnings of phrases, and slow drift."""
    times = np.arange(length) / GRID_RATE
    inner = np.clip(0.05 + 0.05 * slow_drift(length, 0.8, generator), 0, None)
    outer = np.clip(0.03 + 0.03 * slow_drift(length, 0.8, generator), 0, None)
    lowered = np.clip(0.03 + 0.03 * slow_drift(length, 0.8, generator), 0, None)
    beginnings = [Beat(start + 0.08, 0.9) for start, _ in spans if generator.random() < 0.45]
    for beat in sorted([*beginnings, *beats], key=lambda beat: beat.time):
        if generator.random() > BROW_SHARE * min(style.brows, 1.4):
            continue
        height = style.brows * np.clip(beat.strength, 0.4, 1.5) * generator.uniform(0.22, 0.42)
        since = times - beat.time + 0.03 + 0.01 * generator.standard_normal()
        width = np.where(since < 0, generator.uniform(0.08, 0.11), generator.uniform(0.14, 0.26))
        accent = height * np.exp(-0.5 * (since / width) ** 2)
        if generator.random() < 0.92:
            share = generator.uniform(0.35, 1.0)
            inner, outer = inner + accent, outer + share * 0.7 * accent
        else:
            lowered = lowered + 0.6 * accent
    return np.clip(inner, 0, 0.85), np.clip(outer, 0, 0.7), np.clip(lowered, 0, 0.5)
