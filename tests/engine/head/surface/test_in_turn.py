"""Frames that several extractors share against the same frames one after the other."""

import threading

import numpy as np
import pytest
import torch

from engine.bundle import Bundle
from engine.head import load_head
from engine.head.surface import in_turn
from engine.head.surface.extract import SurfaceExtractor
from engine.head.surface.in_turn import extract_in_turn
from engine.motion.codes import codes_from_weights
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.options import TOLERANCE

RESOLUTION, FRAMES = 32, 6


@pytest.fixture(scope="module")
def head():
    return load_head(Bundle.open("starter"), torch.device("cpu"))


@pytest.fixture(scope="module")
def codes(head):
    weights = np.zeros((FRAMES, len(ARKIT_NAMES)), np.float32)
    weights[:, ARKIT_NAMES.index("jawOpen")] = 0.08 * np.arange(FRAMES)
    return codes_from_weights(weights, head.arkit_map.basis)


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_exact_surfaces_are_the_same_and_in_order(head, codes, threads):
    alone = SurfaceExtractor(head, None, RESOLUTION)
    for expected, found in zip(
        [alone.extract(code) for code in codes],
        extract_in_turn(SurfaceExtractor(head, None, RESOLUTION), codes),
        strict=True,
    ):
        np.testing.assert_array_equal(found.faces, expected.faces)
        np.testing.assert_allclose(found.vertices, expected.vertices, atol=1e-5)
    assert torch.get_num_threads() == threads


def test_every_extractor_makes_its_own_frames_on_one_core(head, codes, monkeypatch):
    monkeypatch.setattr(in_turn, "_extractors", lambda *_: 2)
    seen = []
    plain = SurfaceExtractor.extract

    def watched(self, expression=None, keep_small_pieces=False):
        seen.append((id(self.band), threading.current_thread().name, torch.get_num_threads()))
        return plain(self, expression, keep_small_pieces)

    monkeypatch.setattr(SurfaceExtractor, "extract", watched)
    surfaces = list(extract_in_turn(SurfaceExtractor(head, None, RESOLUTION, tolerance=TOLERANCE), codes))
    assert len(surfaces) == FRAMES
    assert seen[0][1] == threading.main_thread().name
    assert {cores for *_, cores in seen[1:]} == {1}
    assert [sum(band == chosen for band, *_ in seen[1:]) for chosen in {band for band, *_ in seen}] in ([3, 2], [2, 3])


def test_leaving_early_waits_for_what_runs(head, codes, monkeypatch):
    monkeypatch.setattr(in_turn, "_extractors", lambda *_: 2)
    running = []
    plain = SurfaceExtractor.extract

    def watched(self, *arguments):
        running.append(1)
        try:
            return plain(self, *arguments)
        finally:
            running.pop()

    monkeypatch.setattr(SurfaceExtractor, "extract", watched)
    surfaces = extract_in_turn(SurfaceExtractor(head, None, RESOLUTION), codes)
    next(surfaces), next(surfaces)
    surfaces.close()
    assert not running


def test_too_little_memory_leaves_one_extractor(head, codes, monkeypatch):
    extractor = SurfaceExtractor(head, None, RESOLUTION)
    monkeypatch.setattr(in_turn, "chunk_threads", lambda: 4)
    assert in_turn._extractors(extractor, 10) == 4
    assert in_turn._extractors(extractor, 2) == 2
    monkeypatch.setattr(in_turn, "free_bytes", lambda _: 2 * in_turn.estimated_bytes(RESOLUTION) + 1)
    assert in_turn._extractors(extractor, 10) == 2
    monkeypatch.setattr(in_turn, "free_bytes", lambda _: 0)
    assert in_turn._extractors(extractor, 10) == 1
    assert len(list(extract_in_turn(extractor, codes[:2]))) == 2
