"""A stochastic articulation prior: phones with times to weights at the code rate.

Jaw and lips follow phone targets through dominance-weighted smoothing (after Cohen and Massaro's coarticulation
model), bilabials and labiodentals are gestures that win over whatever surrounds them, and a speaking style, blinks,
brows and gaze are drawn anew for every performance. There is no free corpus of speech with full facial capture; this
prior stands in for one. Amplitudes follow the real capture of FACEGOOD-Audio2Face (jawOpen 95th percentile 0.35 to
0.47) and the lip opening of ICT-FaceKit's meshes.

Times are seconds from the start of the clip; frame i stands for i / 24 s.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import grey_erosion

from engine.shared.lip_opening import OPENING_MM_PER_WEIGHT, REST_OPENING_MM
from training.phones import BILABIALS, LABIODENTALS, Segment
from training.prior.coarticulation import coarticulated
from training.prior.gestures import lip_gestures, rests
from training.prior.grid import GRID_RATE, OVERSAMPLING, at_code_rate, slow_drift
from training.prior.speaking_style import SpeakingStyle
from training.prior.tongue import DENTAL_JAW, dental_gesture, in_place, tongue_weights

# Closed lips are pressed together a little beyond contact, so that they stay sealed over their whole width.
SEALED_OPENING_MM = -0.55
# The quickest that anything opens or closes the mouth, in weight a code frame; the captured jaw reaches 0.35.
FASTEST = 0.45
OPENERS = ("mouthFunnel", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight")


@dataclass
class Mouth:
    """Trajectories of a performance on the fine grid; every array has shape (G,)."""

    channels: dict[str, np.ndarray]
    bilabial: np.ndarray
    labiodental: np.ndarray
    silence: np.ndarray
    weights: dict[str, np.ndarray] = field(default_factory=dict)


def expected_mouth(segments: list[Segment], frames: int) -> np.ndarray:
    """The neutral speaker's mouth without chance: (frames, 57) float32 weights, upper face at rest."""
    return at_code_rate(mouth_weights(segments, frames, SpeakingStyle(), None), frames)


def mouth_weights(
    segments: list[Segment],
    frames: int,
    style: SpeakingStyle,
    generator: np.random.Generator | None,
    gain: np.ndarray | float = 1.0,
) -> dict[str, np.ndarray]:
    """Weights of the mouth on the grid: {name: (G,)}.

    generator: of what chance adds; None leaves it out. gain: (G,) on jaw and lips, of energy and emotion.
    """
    times = np.arange(frames * OVERSAMPLING) / GRID_RATE + style.lead
    gains = np.ones(len(segments))
    if generator is not None:
        gains = np.exp(style.variation * generator.standard_normal(len(segments))).clip(0.65, 1.45)
        gain = gain * np.exp(0.14 * slow_drift(len(times), 0.7, generator))
    mouth = Mouth(
        channels=coarticulated(segments, gains, times, style),
        bilabial=lip_gestures(segments, times, BILABIALS, approach=0.075, release=0.055),
        labiodental=lip_gestures(segments, times, LABIODENTALS, approach=0.070, release=0.060),
        silence=rests(segments, times),
    )
    _set_free_weights(mouth, style, gain)
    mouth.weights["jawOpen"] = np.maximum(mouth.weights["jawOpen"], DENTAL_JAW * dental_gesture(segments, times))
    mouth.weights |= tongue_weights(segments, times, style)
    _tuck_lower_lip(mouth, style)
    _set_mood(mouth, style, generator)
    _seal_lips(mouth, style)
    return in_place(mouth.weights)


def _set_free_weights(mouth: Mouth, style: SpeakingStyle, gain: np.ndarray | float) -> None:
    """Weights of the mouth before any closure, left and right with the style's asymmetry."""
    channels = {name: values * gain**0.7 for name, values in mouth.channels.items()}
    mouth.weights["jawOpen"] = mouth.channels["jaw"] * gain
    mouth.weights["mouthFunnel"] = channels["funnel"].copy()
    mouth.weights["mouthPucker"] = channels["pucker"].copy()
    sided = {
        "mouthStretch": "stretch",
        "mouthSmile": "smile",
        "mouthLowerDown": "lower_down",
        "mouthUpperUp": "upper_up",
    }
    for name, channel in sided.items():
        mouth.weights[name + "Left"] = channels[channel] * (1 + 0.18 * style.asymmetry)
        mouth.weights[name + "Right"] = channels[channel] * (1 - 0.18 * style.asymmetry)


def _tuck_lower_lip(mouth: Mouth, style: SpeakingStyle) -> None:
    """Labiodentals: the lower lip rolls up under the upper teeth, the upper lip stays clear."""
    tuck = mouth.labiodental
    target = {"jawOpen": 0.055, "mouthFunnel": 0.0, "mouthRollLower": 0.42 * style.lips**0.5}
    target |= dict.fromkeys(("mouthLowerDownLeft", "mouthLowerDownRight"), 0.0)
    target |= dict.fromkeys(("mouthUpperUpLeft", "mouthUpperUpRight"), 0.14 * style.teeth**0.5)
    for name, value in target.items():
        free = mouth.weights.get(name, np.zeros_like(tuck))
        mouth.weights[name] = (1 - 0.95 * tuck) * free + tuck * value


def _set_mood(mouth: Mouth, style: SpeakingStyle, generator: np.random.Generator | None) -> None:
    """Resting smile or frown that drifts slowly, and the small sideways drift of a real mouth."""
    length = len(mouth.bilabial)
    smile, sideways = np.full(length, style.smile), np.zeros(length)
    if generator is not None:
        smile = smile * (1 + 0.4 * slow_drift(length, 1.2, generator))
        sideways = 0.03 * style.asymmetry + 0.012 * slow_drift(length, 0.5, generator)
    for side, sign in (("Left", 1), ("Right", -1)):
        gain = 1 + 0.15 * sign * style.asymmetry
        mouth.weights[f"mouthSmile{side}"] = mouth.weights[f"mouthSmile{side}"] + smile * gain
        mouth.weights[f"mouthDimple{side}"] = 0.35 * smile * gain
        mouth.weights[f"cheekSquint{side}"] = 0.5 * mouth.weights[f"mouthSmile{side}"]
        mouth.weights[f"mouthFrown{side}"] = np.full(length, style.frown * gain)
        mouth.weights[f"mouth{side}"] = np.clip(sign * sideways, 0.0, None)
        mouth.weights[f"jaw{side}"] = np.clip(0.6 * sign * sideways, 0.0, None)


def _seal_lips(mouth: Mouth, style: SpeakingStyle) -> None:
    """Bring the lips together where a bilabial or a pause asks for it, whatever the jaw does behind them.

    `mouthClose` takes up exactly the opening that the other weights leave, by the linear estimate.
    """
    weights = mouth.weights
    seal = np.maximum(mouth.bilabial, mouth.silence)
    for name in OPENERS:
        weights[name] = in_time(weights[name] * (1 - 0.92 * seal))
    # The jaw rises with the lips, though not all the way.
    weights["jawOpen"] = in_time(weights["jawOpen"] * (1 - 0.35 * mouth.bilabial))
    press = (0.26 * mouth.bilabial + 0.05 * mouth.silence * (1 - mouth.bilabial)) * style.lips
    for side, sign in (("Left", 1), ("Right", -1)):
        weights[f"mouthPress{side}"] = press * (1 + 0.15 * sign * style.asymmetry)
    weights["mouthRollUpper"] = 0.10 * mouth.bilabial * style.lips
    weights["mouthRollLower"] = weights["mouthRollLower"] * (1 - mouth.bilabial) + 0.12 * mouth.bilabial * style.lips
    weights["mouthShrugLower"] = 0.03 * mouth.bilabial
    opening = REST_OPENING_MM + sum(
        slope * weights[name] for name, slope in OPENING_MM_PER_WEIGHT.items() if name in weights
    )
    surplus = seal * np.clip(opening - SEALED_OPENING_MM, 0.0, None)
    weights["mouthClose"] = surplus / -OPENING_MM_PER_WEIGHT["mouthClose"]


def in_time(weights: np.ndarray) -> np.ndarray:
    """Weights (G,) on the fine grid that open less where FASTEST would not let them close in time.

    The largest curve under the given one that is nowhere steeper.
    """
    steps = np.abs(np.arange(-3 * OVERSAMPLING, 3 * OVERSAMPLING + 1))
    return grey_erosion(weights, structure=-FASTEST / OVERSAMPLING * steps, mode="nearest")
