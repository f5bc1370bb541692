"""Movements that win over whatever surrounds them: lips that close or tuck for a phone, and the rest in a pause."""

from __future__ import annotations

import numpy as np

from training.phones import SILENCE, Segment

LONG_PAUSE = 0.22  # seconds; shorter pauses leave the lips partly open


def _ramp(times: np.ndarray, start: float, end: float) -> np.ndarray:
    """0 before `start`, 1 after `end`, a raised cosine between."""
    return 0.5 - 0.5 * np.cos(np.pi * np.clip((times - start) / (end - start), 0.0, 1.0))


def lip_gestures(
    segments: list[Segment], times: np.ndarray, phones: frozenset[str], approach: float, release: float
) -> np.ndarray:
    """Activation (G,) of a lip gesture: complete just before the acoustic onset, held, then released.

    The hold lasts at least 55 ms, so that a frame of the code rate always falls into it. A voiceless stop is
    released before its phone ends, because the phone includes the aspiration.
    """
    activation = np.zeros(len(times))
    held_share = {"P": 0.60, "B": 0.75, "M": 0.85}
    for segment in segments:
        if segment.phone not in phones:
            continue
        duration = segment.end - segment.start
        hold_start = segment.start - 0.008
        hold_end = max(hold_start + 0.055, segment.start + min(held_share.get(segment.phone, 0.8) * duration, 0.30))
        near = slice(*np.searchsorted(times, (hold_start - approach, hold_end + release)))
        inside = times[near]
        gesture = _ramp(inside, hold_start - approach, hold_start) * (1 - _ramp(inside, hold_end, hold_end + release))
        activation[near] = np.maximum(activation[near], gesture)
    return activation


def rests(segments: list[Segment], times: np.ndarray) -> np.ndarray:
    """Activation (G,) of closed lips in pauses: they close after the last phone and part just before the next."""
    activation = np.zeros(len(times))
    for index, segment in enumerate(segments):
        duration = segment.end - segment.start
        if segment.phone != SILENCE or duration < 0.08:
            continue
        at_start, at_end = index == 0, index == len(segments) - 1
        closing = min(0.20, 0.45 * duration)
        opening = min(0.13, 0.35 * duration)
        depth = 1.0 if at_start or at_end else float(np.clip((duration - 0.06) / (LONG_PAUSE - 0.06), 0.0, 1.0))
        rest = np.full(len(times), depth)
        if not at_start:
            rest *= _ramp(times, segment.start + 0.01, segment.start + 0.01 + closing)
            rest[times < segment.start] = 0.0
        if not at_end:
            rest *= 1 - _ramp(times, segment.end - opening, segment.end)
            rest[times > segment.end] = 0.0
        activation = np.maximum(activation, rest)
    return activation
