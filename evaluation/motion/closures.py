"""Which closures of the lips are heard: by what makes them hard, against chance, by a second measure, and the misses.

A closure is an interval of /p b m/ that reaches closed lips within one frame (`metrics.closures`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import binomtest

from engine.head import NeuralHead
from engine.head.topology.correspondence import posed_positions
from engine.motion.codes import expression_basis, weights_from_codes
from engine.shared.units import SAMPLE_RATE, UNITS_PER_MILLIMETRE
from engine.shared.weights import WEIGHT_NAMES
from evaluation.motion import metrics
from evaluation.motion.metrics import Count
from evaluation.motion.performer import Motion, Performer
from evaluation.motion.recordings import Recording
from evaluation.shared.lip_section import SECTION_STEP
from evaluation.shared.lip_section import lip_opening as opening_of_section
from training.phones import BILABIALS, LABIODENTALS, PHONES, SILENCE, Segment

SHORT, QUIET_DECIBELS = 0.05, -6.0  # seconds; of the sound around a phone, against its recording
AROUND = 0.1  # seconds before and after a phone that tell how loud it is spoken
SECTION_MARGIN = 5.0 * UNITS_PER_MILLIMETRE  # around the lips
VOWEL_ORDER = ("AA", "AE", "EH", "IH", "IY")  # from the most open one
NOT_CLOSING = frozenset(PHONES) - BILABIALS - LABIODENTALS - {SILENCE}
WORST = 10


@dataclass(frozen=True)
class Place:
    """A phone of a recording among its neighbours; None where the recording ends. decibels: against the recording."""

    segment: Segment
    after: Segment | None
    decibels: float

    @property
    def before_consonant(self) -> bool:
        """Whether another consonant follows."""
        return self.after is not None and PHONES[self.after.phone].manner not in ("vowel", "silence")


KINDS: dict[str, Callable[[Place], bool]] = {
    "all": lambda place: True,
    "shorter than 50 ms": lambda place: place.segment.end - place.segment.start < SHORT - 1e-6,
    "before another consonant": lambda place: place.before_consonant,
    "before a pause": lambda place: place.after is None or place.after.phone == SILENCE,
    "spoken 6 dB softer than the rest": lambda place: place.decibels < QUIET_DECIBELS,
    "/m/": lambda place: place.segment.phone == "M",
    "/p b/": lambda place: place.segment.phone != "M",
}


def places(recording: Recording, phones: frozenset[str]) -> Iterator[Place]:
    """The places of some phones in a recording."""
    spoken = [_level(recording, s) for s in recording.segments if s.phone != SILENCE]
    usual = float(np.median(spoken)) if spoken else 0.0
    following = [*recording.segments[1:], None]
    for segment, after in zip(recording.segments, following, strict=True):
        if segment.phone in phones:
            yield Place(segment, after, _level(recording, segment) - usual)


def _level(recording: Recording, segment: Segment) -> float:
    """Decibels of a phone and what is around it."""
    first, last = (int(t * SAMPLE_RATE) for t in (max(segment.start - AROUND, 0.0), segment.end + AROUND))
    return 10 * float(np.log10(np.mean(np.square(recording.audio[first:last])) + 1e-10))


def closure_figures(performer: Performer, recordings: list[Recording], motions: list[Motion]) -> dict:
    """Shares of closures with 95 % confidence intervals, by kind; chance; by the surface; order of vowels; misses."""
    counts, found = dict.fromkeys(KINDS, Count(0, 0)), []
    solid, chance = Count(0, 0), Count(0, 0)
    for recording, motion in zip(recordings, motions, strict=True):
        closed = motion.opening <= metrics.closed_threshold(motion.opening)
        chance += metrics.touched(closed, recording.segments, NOT_CLOSING)
        for place in places(recording, BILABIALS):
            hit = metrics.touched(closed, [place.segment], BILABIALS)
            counts = {kind: count + hit if KINDS[kind](place) else count for kind, count in counts.items()}
            frame = metrics.narrowest(motion.opening, place.segment)
            found.append((float(motion.opening[frame]), recording.key, place))
        solid += surface_closures(performer.head, recording, motion)
    worst = sorted(found, key=lambda row: -row[0])[:WORST]
    return {
        "kinds": {kind: share(count) for kind, count in counts.items() if count.total},
        "chance": share(chance),
        "surface": share(solid),
        "vowels_mm": vowel_openings(recordings, motions),
        "worst": [
            {
                "recording": key, "phone": place.segment.phone, "seconds": round(place.segment.start, 2),
                "milliseconds": round(1000 * (place.segment.end - place.segment.start)),
                "before": place.after.phone if place.after else SILENCE,
                "decibels": round(place.decibels, 1), "opening_mm": round(opening, 1),
            }
            for opening, key, place in worst
        ],
    }  # fmt: skip


def share(count: Count) -> dict:
    """A share with its number and Wilson's 95 % interval."""
    interval = binomtest(count.hits, count.total).proportion_ci(method="wilson") if count.total else (0.0, 1.0)
    return {"share": count.share, "total": count.total, "low": float(interval[0]), "high": float(interval[1])}


def vowel_openings(recordings: list[Recording], motions: list[Motion]) -> dict[str, float]:
    """Median of the widest opening in mm within each vowel of VOWEL_ORDER that lasts 60 ms or more."""
    openings: dict[str, list[float]] = {phone: [] for phone in VOWEL_ORDER}
    for recording, motion in zip(recordings, motions, strict=True):
        for segment in recording.segments:
            inside = metrics.within(motion.opening, segment)
            if segment.phone in openings and segment.end - segment.start >= 0.06 and len(inside):
                openings[segment.phone].append(float(inside.max()))
    return {phone: float(np.median(values)) for phone, values in openings.items() if values}


def surface_closures(head: NeuralHead, recording: Recording, motion: Motion) -> Count:
    """Closures counted by the solid of the neural surface between the lips, in the frames that open least.

    The threshold is that of `metrics.closures`.
    """
    segments = [s for s in recording.segments if s.phone in BILABIALS]
    if not segments:
        return Count(0, 0)
    frames = [metrics.narrowest(motion.opening, segment) for segment in segments]
    openings = solid_openings(head, motion.codes[frames])
    return Count(int((openings <= metrics.closed_threshold(motion.opening)).sum()), len(frames))


@torch.no_grad()
def solid_openings(head: NeuralHead, codes: np.ndarray) -> np.ndarray:
    """Distance in mm (N,) between the two lips in the mid-sagittal section of the neural surface for codes (N, E).

    A lip is the connected solid around it: 0 where the two are one. Raises EngineError for a head without a template.
    """
    template, prepared = head.fixed_topology(), head.prepare_identity(None)
    upper, lower = template.lip_curves(head.modes.coefficients(prepared.code))
    curves = torch.cat([upper, lower])
    motion = torch.cat(list(template.lip_displacements(len(WEIGHT_NAMES))))
    weights = torch.from_numpy(weights_from_codes(codes, expression_basis())).to(curves)
    posed = posed_positions(curves, motion, weights).cpu().numpy()  # (N, n + m, 3)
    return np.array([_section_opening(head, code, lips, len(upper)) for code, lips in zip(codes, posed, strict=True)])


def _section_opening(head: NeuralHead, code: np.ndarray, lips: np.ndarray, upper: int) -> float:
    """Opening in mm for one code (E,) around lips (n + m, 3), of which the first `upper` are the upper lip's."""
    low, high = lips.min(axis=0) - SECTION_MARGIN, lips.max(axis=0) + SECTION_MARGIN
    y, z = (np.arange(low[axis], high[axis], SECTION_STEP) for axis in (1, 2))
    points = np.stack(np.meshgrid([0.0], y, z, indexing="ij"), -1).reshape(-1, 3)
    distances = head.signed_distance(points, identity=None, expression=code).reshape(len(y), len(z))
    seeds = np.stack([lips[:upper].mean(axis=0), lips[upper:].mean(axis=0)])[:, 1:]
    return opening_of_section(distances, (seeds - low[1:]) / SECTION_STEP)
