"""How a speaker moves the face: what a performance of the articulation prior draws anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.shared.controls import TRAITS


@dataclass(frozen=True)
class SpeakingStyle:
    """How one performance speaks; the defaults are the neutral speaker.

    jaw, lips, rounding, teeth: gains of the movements.
    tempo: gain of the smoothing; large values slur. lead: seconds by which the face runs ahead of the sound.
    contrast: exponent of a phone's emphasis; below 1 all syllables are alike.
    smile, frown, squint: resting mood. asymmetry: -1 (right side stronger) to 1 (left side stronger).
    brows, head, gaze: gains of their movements.
    variation: standard deviation of the gain of a single phone.
    rest: jawOpen at which a resting jaw hangs behind closed lips.
    """

    jaw: float = 1.0
    lips: float = 1.0
    rounding: float = 1.0
    teeth: float = 1.0
    tempo: float = 1.0
    lead: float = 0.0
    contrast: float = 1.0
    smile: float = 0.02
    frown: float = 0.0
    squint: float = 0.0
    asymmetry: float = 0.0
    brows: float = 1.0
    head: float = 1.0
    gaze: float = 1.0
    variation: float = 0.0
    rest: float = 0.02

    @classmethod
    def of_traits(cls, traits: Mapping[str, float], generator: np.random.Generator) -> SpeakingStyle:
        """The style that traits mean (see `engine.shared.controls`); what they do not say is drawn."""
        z = dict.fromkeys(TRAITS, 0.0) | dict(traits)
        jaw_share = float(np.exp(0.10 * z["jaw_share"]))
        return cls(
            jaw=float(np.exp(0.15 * z["opening"])) * jaw_share,
            lips=float(np.exp(0.10 * z["opening"])) / jaw_share**1.5,
            rounding=float(np.exp(0.20 * z["rounding"])),
            teeth=float(np.exp(0.25 * z["teeth"])) / jaw_share**2,
            tempo=float(np.exp(-0.16 * z["speed"])),
            lead=float(0.007 * z["lag"]),
            contrast=float(np.clip(1.2 + 0.7 * z["contrast"], 0, 3)),
            smile=float(np.clip(0.035 + 0.045 * z["mood"], 0.0, 0.14)),
            frown=float(np.clip(-0.035 * z["mood"] - 0.02, 0.0, 0.08)),
            squint=float(np.clip(0.05 + 0.04 * generator.standard_normal(), 0.0, 0.15)),
            asymmetry=float(np.clip(0.5 * z["asymmetry"], -1.0, 1.0)),
            brows=float(np.exp(0.30 * z["brow_motion"])),
            head=float(np.exp(0.25 * z["head"])),
            gaze=float(np.exp(0.20 * z["gaze_motion"])),
            variation=0.15,
            rest=float(np.clip(0.02 + 0.012 * generator.standard_normal(), 0.0, 0.05)),
        )
