"""How a speaker moves the face: what a performance of the articulation prior draws anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SpeakingStyle:
    """How one performance speaks; the defaults are the neutral speaker.

    jaw, lips, rounding, teeth: gains of the movements.
    tempo: gain of the smoothing; large values slur. lead: seconds by which the face runs ahead of the sound.
    smile, frown, squint: resting mood. asymmetry: -1 (right side stronger) to 1 (left side stronger).
    variation: standard deviation of the gain of a single phone.
    rest: jawOpen at which a resting jaw hangs behind closed lips.
    """

    jaw: float = 1.0
    lips: float = 1.0
    rounding: float = 1.0
    teeth: float = 1.0
    tempo: float = 1.0
    lead: float = 0.0
    smile: float = 0.02
    frown: float = 0.0
    squint: float = 0.0
    asymmetry: float = 0.0
    variation: float = 0.0
    rest: float = 0.02

    @classmethod
    def draw(cls, generator: np.random.Generator) -> SpeakingStyle:
        """A random speaking style."""
        normal = generator.standard_normal
        return cls(
            jaw=float(np.clip(np.exp(0.13 * normal()), 0.78, 1.28)),
            lips=float(np.clip(np.exp(0.15 * normal()), 0.7, 1.35)),
            rounding=float(np.clip(np.exp(0.15 * normal()), 0.7, 1.35)),
            teeth=float(np.clip(np.exp(0.25 * normal()), 0.5, 1.7)),
            tempo=float(np.clip(np.exp(0.12 * normal()), 0.8, 1.25)),
            lead=float(np.clip(0.006 * normal(), -0.012, 0.012)),
            smile=float(np.clip(0.03 + 0.05 * normal(), 0.0, 0.16)),
            frown=float(np.clip(0.03 * normal(), 0.0, 0.08)),
            squint=float(np.clip(0.04 + 0.05 * normal(), 0.0, 0.15)),
            asymmetry=float(np.clip(0.4 * normal(), -1.0, 1.0)),
            variation=0.09,
            rest=float(np.clip(0.02 + 0.012 * normal(), 0.0, 0.05)),
        )
