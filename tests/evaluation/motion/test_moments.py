"""Moments of the evaluation's pictures: which frames are shown, and that an open mouth is seen in them."""

from __future__ import annotations

import numpy as np
import pytest

from engine.bundle import Bundle
from engine.head import load_head
from engine.motion.codes import codes_from_weights, expression_basis
from engine.shared.arkit import ARKIT_NAMES
from evaluation.motion import moments
from evaluation.motion.moments import MOMENTS, Moment, moments_of, pictures
from training.phones import Segment


def test_moments_are_the_middles_of_what_is_read_from_the_lips():
    segments = [Segment("M", 0.0, 0.25), Segment("S", 0.25, 0.5), Segment("AA", 0.5, 1.0), Segment("F", 2.0, 3.0)]
    assert moments_of(segments, 60) == [Moment("M", 3), Moment("AA", 18)]  # the last lies beyond the frames
    assert moments_of(segments[1:2], 60) == []


def test_moments_of_a_long_recording_are_spread_over_it():
    segments = [Segment("B", 0.5 * number, 0.5 * number + 0.25) for number in range(40)]
    chosen = moments_of(segments, 480)
    assert len(chosen) == MOMENTS
    assert chosen[0].frame == 3
    assert chosen[-1].frame == 471
    assert np.ptp(np.diff([moment.frame for moment in chosen])) <= 12


def test_an_open_mouth_is_seen(monkeypatch):
    pytest.importorskip("igl")
    monkeypatch.setattr(moments, "RESOLUTION", 56)
    monkeypatch.setattr(moments, "PIXELS", 60)
    weights = np.zeros((2, len(ARKIT_NAMES)), np.float32)
    weights[1, ARKIT_NAMES.index("jawOpen")] = 0.8
    codes = codes_from_weights(weights, expression_basis())
    closed, opened = pictures(load_head(Bundle.open("starter")), codes, [Moment("M", 0), Moment("AA", 1)])
    dark = [int((picture.mean(-1) < 0.15).sum()) for picture in (closed, opened)]  # the depth of the mouth
    assert opened.shape == (60, 60, 3)
    assert dark[1] > dark[0] + 10
