"""Frames that several extractors share against the same frames one after the other."""

import threading
from random import Random
from time import sleep

import numpy as np
import pytest
import torch

from engine.bundle import Bundle
from engine.head import load_head
from engine.head.parallel import single_threads
from engine.head.surface import in_turn
from engine.head.surface.extract import SurfaceExtractor
from engine.head.surface.in_turn import LONGEST_GROUP, MOST_AHEAD, MOST_EXTRACTORS, extract_in_turn, groups
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


@pytest.mark.parametrize("count", range(2, MOST_EXTRACTORS + 1))
def test_groups_hold_every_frame_once_and_in_order_as_many_for_each_extractor(count):
    for frames in [*range(count, 70), 1000]:
        divided = groups(frames, count)
        assert [frame for group in divided for frame in group] == list(range(frames))
        lengths = [len(group) for group in divided]
        assert len(divided) % count == 0
        assert max(lengths) - min(lengths) <= 1
        assert 1 <= min(lengths)
        assert max(lengths) <= LONGEST_GROUP
        assert count * max(lengths) <= max(MOST_AHEAD, count)


def wait_for(condition):
    """Return once a condition holds, after ten seconds anyway."""
    for _ in range(2000):
        if condition():
            return
        sleep(0.005)


class Counting:
    """An extractor whose surface is the expression itself; some take longer, one fails."""

    def __init__(self, made, failing=None):
        self.made, self.failing, self.busy, self.random = made, failing, threading.Lock(), Random(len(made))

    def extract(self, expression):
        assert self.busy.acquire(blocking=False), "one frame at a time"
        sleep(self.random.choice([0.0, 0.0, 0.003]))
        self.busy.release()
        if expression == self.failing:
            raise ValueError(str(expression))
        self.made.append((self, expression))
        return expression


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("frames", [3, 7, 50])
def test_shared_frames_come_once_in_order_and_each_extractor_s_own_follow_each_other(count, frames):
    made = []
    seen = list(in_turn._shared([Counting(made) for _ in range(count)], np.arange(frames)))
    assert seen == list(range(frames))
    assert sorted(frame for _, frame in made) == seen
    divided = groups(frames, count)
    own = [[frame for extractor, frame in made if extractor is each] for each in {extractor for extractor, _ in made}]
    assert sorted(own) == [[frame for group in divided[k::count] for frame in group] for k in range(count)]


def test_no_more_is_made_ahead_than_the_groups_under_way_and_the_pool_stays_free():
    made = []
    surfaces = in_turn._shared([Counting(made), Counting(made)], np.arange(100))
    for taken in range(5):
        next(surfaces)
        wait_for(lambda last=taken + 2 * LONGEST_GROUP - 1: any(frame == last for _, frame in made))
        # A worker that waited for the caller would let the caller wait in turn.
        assert single_threads(2).submit(lambda: 7).result(timeout=10) == 7
        sleep(0.02)
        assert max(frame for _, frame in made) == taken + 2 * LONGEST_GROUP - 1
    surfaces.close()
    before = len(made)
    sleep(0.05)
    assert len(made) == before


def test_an_error_comes_at_its_frame_and_ends_the_work():
    made = []
    surfaces = in_turn._shared([Counting(made, failing=11), Counting(made, failing=11)], np.arange(40))
    seen = []
    with pytest.raises(ValueError, match="11"):
        for surface in surfaces:
            seen.append(surface)
    assert seen == list(range(11))
