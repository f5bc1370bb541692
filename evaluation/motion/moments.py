"""Pictures of the neural head at the phones that everybody reads from the lips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.head import NeuralHead
from engine.head.surface.extract import SurfaceExtractor
from engine.shared.units import CODE_RATE
from evaluation.shared.render import View, shade
from training.phones import BILABIALS, LABIODENTALS, OPEN_VOWELS, Segment

SHOWN = BILABIALS | LABIODENTALS | OPEN_VOWELS
MOMENTS = 9
RESOLUTION, PIXELS = 112, 210
VIEW = View(towards=(0.25, 0.0, 1.0), centre=(0.0, -0.2, 0.0), height=0.62)  # nose to chin
COLOURS = {
    "lips": (0.72, 0.36, 0.34), "teeth": (0.96, 0.94, 0.88), "gums": (0.66, 0.30, 0.30), "tongue": (0.74, 0.40, 0.38),
    "mouth_cavity": (0.35, 0.12, 0.12), "sclera": (0.95, 0.95, 0.95), "iris": (0.30, 0.36, 0.42),
    "pupil": (0.05, 0.05, 0.05), "brows": (0.35, 0.24, 0.18),
}  # fmt: skip
SKIN = (0.86, 0.68, 0.58)


@dataclass(frozen=True)
class Moment:
    """A frame in the middle of a phone."""

    phone: str
    frame: int


def moments_of(segments: list[Segment], frames: int) -> list[Moment]:
    """Up to MOMENTS moments of SHOWN phones within the first `frames` frames, evenly chosen."""
    middles = [(s.phone, round((s.start + s.end) / 2 * CODE_RATE)) for s in segments if s.phone in SHOWN]
    inside = [Moment(phone, frame) for phone, frame in middles if frame < frames]
    places = np.linspace(0, len(inside) - 1, min(MOMENTS, len(inside))).round().astype(int)
    return [inside[place] for place in places]


def pictures(head: NeuralHead, codes: np.ndarray, moments: list[Moment]) -> list[np.ndarray]:
    """Pictures (PIXELS, PIXELS, 3) in 0..1 of the mean head's neural surface at the moments of codes (N, E)."""
    extractor = SurfaceExtractor(head, None, RESOLUTION)
    palette = np.array([COLOURS.get(name, SKIN) for name in head.regions.names])
    shown = []
    for moment in moments:
        surface = extractor.extract(codes[moment.frame])
        shares = surface.regions / np.maximum(surface.regions.sum(1, keepdims=True), 1)
        shown.append(shade(surface.vertices, surface.faces, shares @ palette, VIEW, PIXELS))
    return shown
