"""Blinks of sampled lids: each closes or is none, and there are as many as asked for.

A sampler that weighs several possible moments of a blink draws one that closes by three quarters. Such a movement is
decided here: what goes most of its way closes, what does not becomes a flutter. Lids are (N, 2), left and right.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

REACH_SECONDS = 0.34  # from a blink's peak to where its lids are open again
DECIDED = 0.45  # of the way to closed, from which a movement becomes a blink
SEEN = 0.10  # and from which it becomes a flutter
FLUTTER = 0.3  # what is left of it
ONE_SIDED = 0.2  # of the way; a lid that moves less takes no part in the blink
SHORTEST_GAP = 0.75  # seconds between a blink that is added and the others
CLOSING, CLOSED, OPENING = 0.08, 0.06, 0.16  # seconds of a blink that is added
SEED = 9002  # apart from the stream of the sampler's noise


@dataclass(frozen=True)
class Blink:
    """A movement of the lids. peak, start, end: frames, end excluded. base: (2,) open lids. share: of the way, 0..1."""

    peak: int
    start: int
    end: int
    base: np.ndarray
    share: float


def found_blinks(lids: np.ndarray, rate: float) -> list[Blink]:
    """Movements that close the lids and open them again, in the order of time."""
    closure, reach = lids.mean(axis=1), max(round(REACH_SECONDS * rate), 1)
    inner = closure[1:-1]
    peaks = np.flatnonzero((inner >= closure[:-2]) & (inner > closure[2:])) + 1
    blinks, taken = [], np.zeros(len(lids), bool)
    for peak in sorted(peaks, key=lambda frame: -closure[frame]):
        if taken[peak]:
            continue
        before = max(peak - reach, 0) + int(closure[max(peak - reach, 0) : peak + 1].argmin())
        after = peak + int(closure[peak : peak + reach + 1].argmin())
        open_frame = before if closure[before] > closure[after] else after
        share = (closure[peak] - closure[open_frame]) / max(1 - closure[open_frame], 1e-6)
        if share > SEEN:
            taken[before : after + 1] = True
            blinks.append(Blink(int(peak), before, after + 1, lids[open_frame], float(min(share, 1))))
    return sorted(blinks, key=lambda blink: blink.peak)


def decided(lids: np.ndarray, rate: float, amount: float = 1.0) -> np.ndarray:
    """Lids whose movements are whole blinks or flutters: (N, 2). amount: 0 leaves them, 1 decides wholly."""
    result = np.array(lids, np.float32)
    for blink in found_blinks(lids, rate):
        part = result[blink.start : blink.end]
        above = np.clip(part - blink.base, 0, None)
        height = above.max(axis=0)
        whole = np.where(height > ONE_SIDED * (1 - blink.base), (1 - blink.base) / np.maximum(height, 1e-6), 1.0)
        gain = whole if blink.share >= DECIDED else FLUTTER
        part += amount * (gain - 1) * above
    return np.minimum(result, np.maximum(lids, 1))


def as_often(
    lids: np.ndarray, rate: float, more: np.ndarray, shifts: np.ndarray, free: np.ndarray, seed: int
) -> np.ndarray:
    """Lids with fewer or more blinks: (N, 2).

    more: (N,), -1 none, 0 as they are, 1 twice as many. shifts: (N,), how far the gaze jumps, where blinks like to be.
    free: (N,) booleans, the frames that may change. seed: of the moments that nothing else decides.
    """
    blinks = [blink for blink in found_blinks(lids, rate) if blink.share >= DECIDED]
    result, owed = np.array(lids, np.float32), 0.0
    for blink in blinks:
        owed += float(-min(more[blink.peak], 0))
        if owed > 1 - 1e-6:
            owed -= 1
            if free[blink.start : blink.end].all():
                _take_out(result, blink)
    generator, owed = np.random.default_rng((SEED, abs(int(seed)))), 0.0
    edges = [0, *(blink.peak for blink in blinks), len(lids) - 1]
    for first, last in pairwise(edges):
        owed += float(max(more[(first + last) // 2], 0))
        place = generator.uniform(0.35, 0.65)
        margin = round(SHORTEST_GAP * rate)
        if owed > 1 - 1e-6 and last - first > 2 * margin:
            owed -= 1
            inside = slice(first + margin, last - margin + 1)
            jumps = shifts[inside]
            moment = int(jumps.argmax()) if jumps.max() > 0 else int(place * len(jumps))
            _put_in(result, inside.start + moment, rate, free)
    return result


def _take_out(lids: np.ndarray, blink: Blink) -> None:
    part = lids[blink.start : blink.end]
    share = np.linspace(0, 1, len(part))[:, None]
    np.minimum(part, (1 - share) * part[0] + share * part[-1], out=part)


def _put_in(lids: np.ndarray, frame: int, rate: float, free: np.ndarray) -> None:
    length = max(round((CLOSING + CLOSED + OPENING) * rate) + 1, 3)
    part = lids[frame : frame + length]
    if not free[frame : frame + length].all():
        return
    since = np.arange(len(part)) / rate
    rise, fall = np.clip(since / CLOSING, 0, 1), np.clip((since - CLOSING - CLOSED) / OPENING, 0, 1)
    closure = (np.sin(0.5 * np.pi * rise) ** 2 * np.cos(0.5 * np.pi * fall) ** 2)[:, None]
    np.maximum(part, part + (1 - part) * closure, out=part)
