"""The tongue in speech: the tip at the ridge, between the teeth or curled, the back at the palate; vowels between."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from engine.shared.tongue import with_tongue_in_place
from engine.shared.weights import TONGUE_NAMES, WEIGHT_NAMES
from training.phones import PHONES, Segment
from training.prior.gestures import lip_gestures
from training.prior.grid import GRID_RATE
from training.prior.speaking_style import SpeakingStyle

DENTALS = frozenset({"TH", "DH"})
DENTAL_JAW = 0.15  # jawOpen that lets the tip between the teeth
APPROACH, RELEASE = 0.065, 0.055  # seconds
# What a consonant does with the tongue, whatever surrounds it.
CONSONANTS = (
    (frozenset({"T", "D", "N"}), {"tongueUp": 1.0}),
    (frozenset({"L"}), {"tongueUp": 1.0, "tongueRoll": 0.1}),
    (frozenset({"S", "Z"}), {"tongueUp": 0.82, "tongueRoll": 0.25}),
    (frozenset({"CH", "JH", "SH", "ZH"}), {"tongueUp": 0.65, "tongueRoll": 0.2, "tongueBack": 0.1}),
    (DENTALS, {"tongueForward": 1.0}),
    (frozenset({"K", "G", "NG"}), {"tongueBack": 1.0}),
    (frozenset({"Y"}), {"tongueUp": 0.25, "tongueWide": 0.5, "tongueBack": 0.25}),
    (frozenset({"R"}), {"tongueUp": 0.35, "tongueRoll": 0.45, "tongueBack": 0.2}),
)
# Towards what a vowel draws it; the others leave it at rest.
VOWELS = {
    "IY": {"tongueUp": 0.2, "tongueWide": 0.6, "tongueBack": 0.1},
    "IH": {"tongueUp": 0.12, "tongueWide": 0.4},
    "EY": {"tongueUp": 0.1, "tongueWide": 0.45},
    "EH": {"tongueWide": 0.3},
    "AE": {"tongueWide": 0.35},
    "ER": {"tongueUp": 0.2, "tongueRoll": 0.35, "tongueBack": 0.2},
    "AA": {"tongueBack": 0.15},
    "AO": {"tongueBack": 0.3},
    "AW": {"tongueBack": 0.2},
    "AY": {"tongueBack": 0.1},
    "OW": {"tongueBack": 0.35},
    "OY": {"tongueBack": 0.3},
    "UH": {"tongueBack": 0.35},
    "UW": {"tongueBack": 0.45},
    "W": {"tongueBack": 0.35},
}
VOWEL_SECONDS = 0.045
FREE_SHARE = 0.1  # how much labials and breath hold the tongue where they have it: it is free for its neighbours


def dental_gesture(segments: list[Segment], times: np.ndarray) -> np.ndarray:
    """(G,) 0 to 1, the tip between the teeth."""
    return lip_gestures(segments, times, DENTALS, APPROACH, RELEASE)


def tongue_weights(segments: list[Segment], times: np.ndarray, style: SpeakingStyle) -> dict[str, np.ndarray]:
    """Weights (G,) of TONGUE_NAMES at times (G,), before the jaw has its say."""
    weights = _vowels(segments, times, style)
    for phones, targets in CONSONANTS:
        gesture = lip_gestures(segments, times, phones, APPROACH * style.tempo, RELEASE * style.tempo)
        for name in TONGUE_NAMES:
            weights[name] = weights[name] * (1.0 - gesture) + gesture * targets.get(name, 0.0)
    return weights


def in_place(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same weights (G,) by name, the tongue no farther than the jaw lets it."""
    names = [name for name in WEIGHT_NAMES if name in weights]
    table = np.zeros((len(weights["jawOpen"]), len(WEIGHT_NAMES)), np.float32)
    table[:, [WEIGHT_NAMES.index(name) for name in names]] = np.stack([weights[name] for name in names], 1)
    placed = with_tongue_in_place(table)
    return weights | {name: placed[:, WEIGHT_NAMES.index(name)] for name in TONGUE_NAMES}


def _vowels(segments: list[Segment], times: np.ndarray, style: SpeakingStyle) -> dict[str, np.ndarray]:
    spans = []
    for segment in segments:
        glide = PHONES[segment.phone].glide
        middle = segment.end if glide is None else segment.start + 0.55 * (segment.end - segment.start)
        spans.append((segment.start, segment.phone))
        if glide is not None:
            spans.append((middle, glide))
    place = np.searchsorted([start for start, _ in spans[1:]], times, side="right")
    held = np.array([1.0 if PHONES[phone].manner in ("vowel", "silence") else FREE_SHARE for _, phone in spans])[place]
    width = VOWEL_SECONDS * style.tempo * GRID_RATE
    total = gaussian_filter1d(held, width, mode="nearest")
    weights = {}
    for name in TONGUE_NAMES:
        target = np.array([VOWELS.get(phone, {}).get(name, 0.0) for _, phone in spans])[place]
        weights[name] = gaussian_filter1d(held * target, width, mode="nearest") / total
    return weights
