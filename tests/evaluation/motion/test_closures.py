"""Closures of the lips by kind: on courses whose answer is known, and on a head whose lips are seen from the side."""

import numpy as np
import pytest

from engine.bundle import Bundle
from engine.head import load_head
from engine.head.topology.lips import lip_opening
from engine.motion.codes import codes_from_weights, expression_basis
from engine.shared.weights import WEIGHT_NAMES
from evaluation.motion import closures, metrics
from evaluation.motion.conditions import Among
from evaluation.motion.recordings import Recording
from training.phones import BILABIALS, Segment

RATE = 16000
SEGMENTS = [
    Segment("AA", 0.0, 0.5), Segment("M", 0.5, 0.54), Segment("AA", 0.54, 1.0), Segment("P", 1.0, 1.1),
    Segment("T", 1.1, 1.2), Segment("AA", 1.2, 1.5), Segment("B", 1.5, 1.6), Segment("sil", 1.6, 2.0),
]  # fmt: skip


def recording(softer: slice = slice(0)) -> Recording:
    audio = 0.1 * np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32)
    audio[softer] *= 0.1
    return Recording("made/up", audio, SEGMENTS)


def test_places_tell_what_makes_a_closure_hard():
    found = list(closures.places(recording(slice(int(1.35 * RATE), int(1.75 * RATE))), BILABIALS))
    kinds = [{kind for kind, is_one in closures.KINDS.items() if is_one(place)} for place in found]
    assert kinds == [
        {"all", "shorter than 50 ms", "/m/"},
        {"all", "before another consonant", "/p b/"},
        {"all", "before a pause", "spoken 6 dB softer than the rest", "/p b/"},
    ]


def test_a_share_comes_with_wilsons_interval():
    shown = closures.share(metrics.Count(9, 10))
    # Wilson 1927: centre (p + z^2 / 2n) / (1 + z^2 / n)
    z, p, n = 1.959964, 0.9, 10
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (shown["low"], shown["high"]) == pytest.approx((centre - half, centre + half), abs=1e-6)


@pytest.mark.parametrize(("start", "end", "frame"), [(0.5, 0.54, 12), (1.99, 2.4, 47), (5.0, 5.1, 47)])
def test_the_narrowest_frame_lies_at_the_segment_or_at_the_end(start, end, frame):
    opening = np.full(48, 9.0)
    opening[[12, 30, 47]] = 1.0, 0.0, 2.0
    assert metrics.narrowest(opening, Segment("M", start, end)) == frame


def test_the_surface_opens_as_its_lip_curves_do():
    head = load_head(Bundle.open("starter"), "cpu")
    weights = np.zeros((3, len(WEIGHT_NAMES)), np.float32)
    weights[1:, WEIGHT_NAMES.index("jawOpen")] = 0.3, 0.6
    codes = codes_from_weights(weights, expression_basis())
    assert closures.solid_openings(head, codes) == pytest.approx(lip_opening(head, codes), abs=1.0)


def test_voices_behind_the_speaker_are_three_decibels_softer():
    generator = np.random.default_rng(1)
    voices = [generator.standard_normal(RATE).astype(np.float32) for _ in range(6)]
    audio = 0.1 * generator.standard_normal(3 * RATE).astype(np.float32)
    among, speed = Among(voices)(audio, generator)
    assert speed == 1.0
    assert 20 * np.log10(audio.std() / (among - audio).std()) == pytest.approx(3.0, abs=0.01)
