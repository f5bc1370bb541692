"""Figures of sampled motion against phone labels: closures, timing, silence, blinks, smoothness.

All take the lip opening (N,) in mm or weights (N, 52) at 24 Hz, frame i at i / 24 s, and segments in seconds. They are
the geometry's counterparts of lip-sync scores that need trained judges, and are named differently on purpose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from engine.shared.arkit import ARKIT_NAMES
from engine.shared.units import CODE_RATE
from training.phones import BILABIALS, LABIODENTALS, OPEN_CONSONANTS, OPEN_VOWELS, SILENCE, Segment

CLOSED_MM, CLOSED_SHARE = 1.0, 0.10
CONTACT_MM = 1.0
LARGEST_LAG = 15  # frames
LONG_PAUSE = 0.3  # seconds
_BLINKS = [ARKIT_NAMES.index("eyeBlinkLeft"), ARKIT_NAMES.index("eyeBlinkRight")]


@dataclass(frozen=True)
class Count:
    """hits of total."""

    hits: int
    total: int

    def __add__(self, other: Count) -> Count:
        return Count(self.hits + other.hits, self.total + other.total)

    @property
    def share(self) -> float:
        """Hits over all, 0 where there is nothing to hit."""
        return self.hits / max(self.total, 1)


def closed_threshold(opening: np.ndarray) -> float:
    """Millimetres below which lips count as closed: 1 mm or a tenth of the clip's 95th percentile."""
    return max(CLOSED_MM, CLOSED_SHARE * float(np.percentile(opening, 95)))


def _frames(segment: Segment, margin: int, count: int) -> slice:
    first = int(np.ceil(segment.start * CODE_RATE - 1e-6)) - margin
    last = int(np.floor(segment.end * CODE_RATE + 1e-6)) + margin
    return slice(max(first, 0), min(max(last, first) + 1, count))


def within(course: np.ndarray, segment: Segment, margin: int = 0) -> np.ndarray:
    """The part of a course (N, ...) in a segment and `margin` frames around it; at least a frame, but at the end."""
    return course[_frames(segment, margin, len(course))]


def narrowest(opening: np.ndarray, segment: Segment) -> int:
    """The frame with the smallest opening within one frame of a segment."""
    frames = _frames(segment, 1, len(opening))
    first = min(frames.start, len(opening) - 1)  # a segment may begin after the last frame
    return first + int(np.argmin(opening[first : max(frames.stop, first + 1)]))


def closures(opening: np.ndarray, segments: list[Segment]) -> Count:
    """Intervals of /p b m/ that reach closed lips within one frame of the interval."""
    return touched(opening <= closed_threshold(opening), segments, BILABIALS)


def labiodental_contacts(lip_to_teeth: np.ndarray, segments: list[Segment]) -> Count:
    """Intervals of /f v/ in which the lower lip touches the upper teeth within one frame of the interval.

    lip_to_teeth: their distance (N,) in mm, of which contact is up to 1 mm: vertices have gaps between them.
    """
    return touched(lip_to_teeth <= CONTACT_MM, segments, LABIODENTALS)


def touched(contact: np.ndarray, segments: list[Segment], phones: frozenset[str]) -> Count:
    """Intervals of `phones` that see a contact (N,) within one frame of the interval."""
    intervals = [within(contact, s, 1) for s in segments if s.phone in phones]
    return Count(sum(bool(part.any()) for part in intervals), len(intervals))


def unasked_closures(opening: np.ndarray, segments: list[Segment]) -> Count:
    """Consonants that need no contact of the lips, and during which they close nevertheless."""
    return unasked(opening <= closed_threshold(opening), segments, OPEN_CONSONANTS)


def unasked(contact: np.ndarray, segments: list[Segment], phones: frozenset[str]) -> Count:
    """Intervals of `phones` that see a contact (N,) inside, of those whose neighbours neither ask for one nor rest."""
    around = zip([None, *segments[:-1]], segments, [*segments[1:], None], strict=True)
    alone = [s for before, s, after in around if s.phone in phones and not _closes(before) and not _closes(after)]
    intervals = [part for s in alone if len(part := within(contact, s))]
    return Count(sum(bool(part.any()) for part in intervals), len(intervals))


def _closes(segment: Segment | None) -> bool:
    return segment is None or segment.phone in BILABIALS | LABIODENTALS | {SILENCE}


def false_closures(opening: np.ndarray, segments: list[Segment]) -> Count:
    """Open vowels of at least 60 ms during which the lips never open beyond the threshold."""
    threshold = closed_threshold(opening)
    vowels = [s for s in segments if s.phone in OPEN_VOWELS and s.end - s.start >= 0.06]
    peaks = [within(opening, s) for s in vowels]
    peaks = [part for part in peaks if len(part)]
    return Count(sum(part.max() <= threshold for part in peaks), len(peaks))


def vowel_peaks(opening: np.ndarray, segments: list[Segment]) -> list[float]:
    """Largest opening in mm within each emphasised open vowel of at least 60 ms."""
    strong = [s for s in segments if s.phone in OPEN_VOWELS and s.end - s.start >= 0.06 and s.emphasis > 1.0]
    return [float(part.max()) for s in strong if len(part := within(opening, s))]


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson correlation of two courses, cut to the shorter one; 0 when one does not move."""
    length = min(len(a), len(b))
    a, b = a[:length] - a[:length].mean(), b[:length] - b[:length].mean()
    scale = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum() / scale) if scale > 0 else 0.0


def lag(opening: np.ndarray, reference: np.ndarray) -> tuple[int, float]:
    """Frames by which the opening comes after the reference, and the correlation at that lag."""
    length = min(len(opening), len(reference))
    scores = {}
    for shift in range(-LARGEST_LAG, LARGEST_LAG + 1):
        moved = opening[max(shift, 0) : length + min(shift, 0)]
        still = reference[max(-shift, 0) : length - max(shift, 0)]
        scores[shift] = correlation(moved, still)
    best = max(scores, key=lambda shift: scores[shift])
    return best, scores[best]


def pause_openings(opening: np.ndarray, segments: list[Segment]) -> np.ndarray:
    """Openings in the middle of long pauses inside and around speech."""
    margin = 0.2
    pauses = [s for s in segments if s.phone == SILENCE and s.end - s.start >= LONG_PAUSE + margin]
    parts = [opening[int((s.start + margin) * CODE_RATE) + 1 : int((s.end - 0.13) * CODE_RATE)] for s in pauses]
    return np.concatenate([*parts, np.zeros(0, opening.dtype)])


def blinks(weights: np.ndarray) -> list[float]:
    """Durations in seconds, at half closure, of every blink."""
    closed = np.concatenate([[0], (weights[:, _BLINKS].mean(axis=1) > 0.5).astype(int), [0]])
    starts, ends = np.flatnonzero(np.diff(closed) == 1), np.flatnonzero(np.diff(closed) == -1)
    return [float(end - start) / CODE_RATE for start, end in zip(starts, ends, strict=True)]


def mouth_jitter(opening: np.ndarray) -> float:
    """Mean absolute second difference of the lip opening, mm per frame squared."""
    return float(np.abs(np.diff(opening, 2)).mean())


def code_step(codes: np.ndarray) -> float:
    """Mean absolute change of the codes from frame to frame (Table 3's MAE)."""
    return float(np.abs(np.diff(codes, axis=0)).mean())


def code_step_rms(codes: np.ndarray) -> float:
    """Root mean square change of the codes from frame to frame (Table 3's RMSE)."""
    return float(np.sqrt(np.square(np.diff(codes, axis=0)).mean()))


@dataclass(frozen=True)
class Diversity:
    """Eq. 20 of the paper's supplement, in units of the codes, of `takes` takes for each of several recordings.

    The equation does not say whether a norm is of a frame or of a whole sequence. per_frame: norms of frames, averaged
    over a recording, which does not grow with its length. per_sequence: norms of whole recordings.
    """

    per_frame: float
    per_sequence: float
    takes: int

    @classmethod
    def of(cls, recordings: list[list[np.ndarray]]) -> Diversity:
        """Diversity of K takes (F, D) for every recording: differences of all ordered pairs, summed, over K."""
        per_frame, per_sequence = [], []
        for takes in recordings:
            norms = [np.linalg.norm(a - b, axis=-1) for a, b in permutations(takes, 2)]  # (F,) each
            per_frame.append(sum(float(frames.mean()) for frames in norms) / len(takes))
            per_sequence.append(sum(float(np.linalg.norm(frames)) for frames in norms) / len(takes))
        return cls(float(np.mean(per_frame)), float(np.mean(per_sequence)), len(recordings[0]))


def share_interval(count: int, total: int) -> tuple[float, float]:
    """95 % interval of a share of `total` in which `count` were seen (Wilson, 1927)."""
    square = 1.96**2
    middle = (count + square / 2) / (total + square)
    half = 1.96 / (total + square) * math.sqrt(count * (total - count) / total + square / 4)
    return max(middle - half, 0.0), min(middle + half, 1.0)
