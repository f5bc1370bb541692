"""Jaw and lips between the targets of neighbouring phones: dominance-weighted smoothing (Cohen and Massaro, 1993)."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from training.phones import PHONES, Segment
from training.prior.grid import GRID_RATE
from training.prior.speaking_style import SpeakingStyle

JAW_OPEN_VOWEL = 0.46  # jawOpen of a fully open vowel before coarticulation
CHANNELS = ("jaw", "funnel", "pucker", "stretch", "smile", "lower_down", "upper_up")


def _targets(phone_symbol: str, style: SpeakingStyle, gain: float) -> dict[str, float]:
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
        "funnel": rounding * (0.42 if protrudes else 0.07),
        "pucker": rounding * (0.25 if protrudes else 0.62),
        "stretch": 0.32 * spreading,
        "smile": 0.22 * spreading,
        "lower_down": style.teeth * ((0.50 if sibilant else 0.06) + 0.14 * spreading + 0.08 * opening),
        "upper_up": style.teeth * ((0.30 if sibilant else 0.04) + 0.08 * spreading + 0.11 * opening),
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


def coarticulated(
    segments: list[Segment], gains: np.ndarray, times: np.ndarray, style: SpeakingStyle
) -> dict[str, np.ndarray]:
    """Dominance-weighted mean of the phone targets around each time: {channel: (G,)}."""
    spans = []
    for segment, gain in zip(segments, gains, strict=True):
        strength = gain * segment.emphasis**style.contrast
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
        dominance, seconds, ahead = (
            (jaw_dominance, 0.0285, 0.010) if channel == "jaw" else (lip_dominance, 0.044, 0.028)
        )
        width = seconds * style.tempo * GRID_RATE
        smooth = gaussian_filter1d(dominance * target, width, mode="nearest")
        smooth /= gaussian_filter1d(dominance, width, mode="nearest")
        shift = round(ahead * GRID_RATE)
        channels[channel] = np.concatenate([smooth[shift:], np.full(shift, smooth[-1])])
    return channels
