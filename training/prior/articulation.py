"""A stochastic articulation prior: phones with times to ARKit weights at the code rate.

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
from scipy.ndimage import gaussian_filter1d

from engine.shared.arkit import ARKIT_NAMES
from engine.shared.lip_opening import OPENING_MM_PER_WEIGHT, REST_OPENING_MM
from engine.shared.units import CODE_RATE
from training.phones import BILABIALS, LABIODENTALS, PHONES, SILENCE, Segment
from training.prior import upper_face

OVERSAMPLING = 10  # grid steps per code frame on which gestures are drawn
GRID_RATE = CODE_RATE * OVERSAMPLING

# Closed lips are pressed together a little beyond contact, so that they stay sealed over their whole width.
SEALED_OPENING_MM = -0.55

JAW_OPEN_VOWEL = 0.40  # jawOpen of a fully open vowel before coarticulation
CHANNELS = ("jaw", "funnel", "pucker", "stretch", "smile", "lower_down", "upper_up")
LONG_PAUSE = 0.22  # seconds; shorter pauses leave the lips partly open


@dataclass(frozen=True)
class Style:
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
    def draw(cls, generator: np.random.Generator) -> Style:
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


@dataclass
class Mouth:
    """Trajectories of a performance on the fine grid; every array has shape (G,)."""

    channels: dict[str, np.ndarray]
    bilabial: np.ndarray
    labiodental: np.ndarray
    silence: np.ndarray
    weights: dict[str, np.ndarray] = field(default_factory=dict)


def perform(segments: list[Segment], frames: int, seed: int) -> np.ndarray:
    """One performance: (frames, 52) float32 ARKit weights at 24 Hz, the same for the same seed."""
    generator = np.random.default_rng(seed)
    style = Style.draw(generator)
    weights = _mouth_weights(segments, frames, style, generator)
    weights |= upper_face.perform(segments, frames, generator, style.squint)
    return _at_code_rate(weights, frames)


def expected_mouth(segments: list[Segment], frames: int) -> np.ndarray:
    """The neutral speaker's mouth without chance: (frames, 52) float32 ARKit weights, upper face at rest."""
    return _at_code_rate(_mouth_weights(segments, frames, Style(), None), frames)


def _at_code_rate(weights: dict[str, np.ndarray], frames: int) -> np.ndarray:
    result = np.zeros((frames, len(ARKIT_NAMES)), np.float32)
    for name, values in weights.items():
        result[:, ARKIT_NAMES.index(name)] = values[: frames * OVERSAMPLING : OVERSAMPLING]
    return np.clip(result, 0.0, 1.0)


def _mouth_weights(
    segments: list[Segment], frames: int, style: Style, generator: np.random.Generator | None
) -> dict[str, np.ndarray]:
    times = np.arange(frames * OVERSAMPLING) / GRID_RATE + style.lead
    gains = np.ones(len(segments))
    if generator is not None:
        gains = np.exp(style.variation * generator.standard_normal(len(segments))).clip(0.75, 1.3)
    mouth = Mouth(
        channels=_coarticulated(segments, gains, times, style),
        bilabial=_gestures(segments, times, BILABIALS, approach=0.075, release=0.055),
        labiodental=_gestures(segments, times, LABIODENTALS, approach=0.070, release=0.060),
        silence=_rests(segments, times),
    )
    _set_free_weights(mouth, style)
    _tuck_lower_lip(mouth, style)
    _set_mood(mouth, style, generator)
    _seal_lips(mouth, style)
    return mouth.weights


def _targets(phone_symbol: str, style: Style, gain: float) -> dict[str, float]:
    """Channel targets of a phone for a speaking style."""
    phone = PHONES[phone_symbol]
    if phone.manner == "silence":
        return {"jaw": style.rest}
    opening = phone.opening * (gain if phone.manner == "vowel" else 1.0)
    rounding = min(phone.rounding * style.rounding * (0.5 + 0.5 * gain), 1.15)
    spreading = phone.spreading * style.lips
    protrudes = phone.place == "postalveolar"
    sibilant = phone.manner == "sibilant"
    return {
        "jaw": JAW_OPEN_VOWEL * opening * style.jaw,
        "funnel": rounding * (0.42 if protrudes else 0.12),
        "pucker": rounding * (0.25 if protrudes else 0.62),
        "stretch": 0.32 * spreading,
        "smile": 0.22 * spreading,
        "lower_down": style.teeth * ((0.20 if sibilant else 0.06) + 0.14 * spreading + 0.08 * opening),
        "upper_up": style.teeth * ((0.09 if sibilant else 0.03) + 0.08 * spreading + 0.03 * opening),
    }


def _dominances(phone_symbol: str) -> tuple[float, float]:
    """How strongly a phone holds its jaw target and its lip targets against its neighbours."""
    phone = PHONES[phone_symbol]
    jaw = {"vowel": 1.0, "sibilant": 2.4, "aspirate": 0.08, "silence": 1.0, "approximant": 0.7}.get(phone.manner, 0.6)
    if phone.place in ("bilabial", "labiodental"):
        jaw = 1.1
    if phone.place == "velar":
        jaw = 0.35
    lips = 0.35 + 1.6 * phone.rounding + 0.9 * phone.spreading
    if phone.manner == "vowel":
        lips += 0.35
    if phone.manner == "silence":
        lips = 0.8
    return jaw, 0.1 if phone.manner == "aspirate" else lips


def _coarticulated(
    segments: list[Segment], gains: np.ndarray, times: np.ndarray, style: Style
) -> dict[str, np.ndarray]:
    """Dominance-weighted mean of the phone targets around each time: {channel: (G,)}."""
    spans = []
    for segment, gain in zip(segments, gains, strict=True):
        strength = gain * segment.emphasis
        glide = PHONES[segment.phone].glide
        first = (_targets(segment.phone, style, strength), *_dominances(segment.phone))
        if glide is None:
            spans.append((segment.start, segment.end, first))
        else:
            middle = segment.start + 0.55 * (segment.end - segment.start)
            spans.append((segment.start, middle, first))
            spans.append((middle, segment.end, (_targets(glide, style, strength), *_dominances(glide))))
    span_of_time = np.searchsorted([start for start, _, _ in spans[1:]], times, side="right")
    jaw_dominance = np.array([entry[1] for _, _, entry in spans])[span_of_time]
    lip_dominance = np.array([entry[2] for _, _, entry in spans])[span_of_time]
    channels = {}
    for channel in CHANNELS:
        target = np.array([entry[0].get(channel, 0.0) for _, _, entry in spans])[span_of_time]
        # The lips prepare their shape earlier than the jaw: rounding is anticipated.
        dominance, seconds, ahead = (jaw_dominance, 0.036, 0.010) if channel == "jaw" else (lip_dominance, 0.052, 0.030)
        width = seconds * style.tempo * GRID_RATE
        smooth = gaussian_filter1d(dominance * target, width, mode="nearest")
        smooth /= gaussian_filter1d(dominance, width, mode="nearest")
        shift = round(ahead * GRID_RATE)
        channels[channel] = np.concatenate([smooth[shift:], np.full(shift, smooth[-1])])
    return channels


def _ramp(times: np.ndarray, start: float, end: float) -> np.ndarray:
    """0 before `start`, 1 after `end`, a raised cosine between."""
    return 0.5 - 0.5 * np.cos(np.pi * np.clip((times - start) / (end - start), 0.0, 1.0))


def _gestures(
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


def _rests(segments: list[Segment], times: np.ndarray) -> np.ndarray:
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


def _set_free_weights(mouth: Mouth, style: Style) -> None:
    """Weights of the mouth before any closure, left and right with the style's asymmetry."""
    channels = mouth.channels
    mouth.weights["jawOpen"] = channels["jaw"].copy()
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


def _tuck_lower_lip(mouth: Mouth, style: Style) -> None:
    """Labiodentals: the lower lip rolls up under the upper teeth, the upper lip stays clear."""
    tuck = mouth.labiodental
    target = {"jawOpen": 0.055, "mouthFunnel": 0.0, "mouthRollLower": 0.42 * style.lips**0.5}
    target |= dict.fromkeys(("mouthLowerDownLeft", "mouthLowerDownRight"), 0.0)
    target |= dict.fromkeys(("mouthUpperUpLeft", "mouthUpperUpRight"), 0.14 * style.teeth**0.5)
    for name, value in target.items():
        free = mouth.weights.get(name, np.zeros_like(tuck))
        mouth.weights[name] = (1 - 0.95 * tuck) * free + tuck * value


def _set_mood(mouth: Mouth, style: Style, generator: np.random.Generator | None) -> None:
    """Resting smile or frown that drifts slowly, and the small sideways drift of a real mouth."""
    length = len(mouth.bilabial)
    smile, sideways = np.full(length, style.smile), np.zeros(length)
    if generator is not None:
        smile = smile * (1 + 0.4 * upper_face.slow_drift(length, 1.2, generator))
        sideways = 0.03 * style.asymmetry + 0.012 * upper_face.slow_drift(length, 0.5, generator)
    for side, sign in (("Left", 1), ("Right", -1)):
        gain = 1 + 0.15 * sign * style.asymmetry
        mouth.weights[f"mouthSmile{side}"] = mouth.weights[f"mouthSmile{side}"] + smile * gain
        mouth.weights[f"mouthDimple{side}"] = 0.35 * smile * gain
        mouth.weights[f"cheekSquint{side}"] = 0.5 * mouth.weights[f"mouthSmile{side}"]
        mouth.weights[f"mouthFrown{side}"] = np.full(length, style.frown * gain)
        mouth.weights[f"mouth{side}"] = np.clip(sign * sideways, 0.0, None)
        mouth.weights[f"jaw{side}"] = np.clip(0.6 * sign * sideways, 0.0, None)


def _seal_lips(mouth: Mouth, style: Style) -> None:
    """Bring the lips together where a bilabial or a pause asks for it, whatever the jaw does behind them.

    `mouthClose` takes up exactly the opening that the other weights leave, by the linear estimate.
    """
    weights = mouth.weights
    seal = np.maximum(mouth.bilabial, mouth.silence)
    for name in ("mouthFunnel", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight"):
        weights[name] = weights[name] * (1 - 0.92 * seal)
    # The jaw rises with the lips, though not all the way.
    weights["jawOpen"] = weights["jawOpen"] * (1 - 0.35 * mouth.bilabial)
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
