"""Intervals of the figures on sounds without a voice, and the parts in which such sounds are heard."""

import numpy as np
import pytest

from evaluation.motion.metrics import share_interval
from evaluation.motion.recordings import SHORTEST_SECONDS, VOICELESS_SECONDS, _parts

RATE = 16000


@pytest.mark.parametrize(
    ("count", "total", "expected"),
    [(0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0)), (5, 10, (0.2366, 0.7634)), (1, 100, (0.0018, 0.0545))],
)
def test_the_interval_of_a_share_is_wilsons(count, total, expected):
    assert share_interval(count, total) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("seconds", "parts"), [(0.2, 1), (2.9, 1), (3.1, 1), (8.0, 1), (10.0, 1), (11.5, 2), (50.0, 6)]
)
def test_long_sounds_are_cut_and_short_ones_repeated(seconds, parts):
    sound = np.random.default_rng(0).standard_normal(int(seconds * RATE)).astype(np.float32)
    found = _parts(sound)
    assert len(found) == parts
    for part in found:
        assert SHORTEST_SECONDS * RATE <= len(part) <= VOICELESS_SECONDS * RATE
        assert part.std() > 0.1
