"""Further engine processes for surfaces: the same surfaces, and nothing that goes wrong with one is seen."""

import os
import signal
import sys
import time

import numpy as np
import pytest
import torch

from engine import Engine, surface_process
from engine.head.surface.extract import SurfaceExtractor
from engine.head.surface.in_turn import Lost
from engine.shared.options import STARTER
from engine.surface_process import SurfaceProcess, SurfaceProcesses

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-m", "engine.process"]
RESOLUTION = 32


def wait_until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def process():
    process = SurfaceProcess(COMMAND, STARTER)
    wait_until(lambda: process.ready)
    yield process
    process.stop()


def test_a_surface_of_another_process_is_that_of_an_extractor(process):
    head = Engine.load(device="cpu").head
    generator = np.random.default_rng(3)
    identity = 0.5 * generator.standard_normal(head.identity_dimensions).astype(np.float32)
    for code in 0.05 * generator.standard_normal((2, head.expression_dimensions)):
        found = process.extract(identity, RESOLUTION, 0.0, code)
        expected = SurfaceExtractor(head, identity, RESOLUTION).extract(code.astype(np.float32))
        np.testing.assert_array_equal(found.faces, expected.faces)
        np.testing.assert_allclose(found.vertices, expected.vertices, atol=1e-5)
        np.testing.assert_allclose(found.canonical, expected.canonical, atol=1e-4)
        assert found.regions.shape == expected.regions.shape


def test_a_killed_or_stopped_process_is_lost(process, monkeypatch):
    monkeypatch.setattr(surface_process, "SILENT_SECONDS", 2.5)
    code = np.zeros(200, np.float32)
    assert len(process.extract(None, RESOLUTION, 0.0, code).faces)
    if hasattr(signal, "SIGSTOP"):
        os.kill(process._process.pid, signal.SIGSTOP)
    else:
        process._process.kill()
    with pytest.raises(Lost):
        process.extract(None, RESOLUTION, 0.0, code)
    assert not process.ready
    assert process._process.poll() is not None
    with pytest.raises(Lost):
        process.extract(None, RESOLUTION, 0.0, code)


def test_an_error_leaves_the_process_ready(process):
    for resolution, code in ((1 << 20, np.zeros(200)), (RESOLUTION, np.zeros(1))):
        with pytest.raises(Lost):
            process.extract(None, resolution, 0.0, code)
        assert process.ready
    assert len(process.extract(None, RESOLUTION, 0.0, np.zeros(200)).faces)


def test_as_many_start_as_cores_and_memory_allow_and_not_for_a_few_frames(monkeypatch):
    started = []

    class Recorded:
        def __init__(self, command, bundle):
            started.append(bundle)

        def stop(self):
            started.remove(started[-1])

    monkeypatch.setattr(surface_process, "SurfaceProcess", Recorded)
    monkeypatch.setattr(surface_process, "chunk_threads", lambda: 4)
    monkeypatch.setattr(surface_process, "free_bytes", lambda _: None)
    processes = SurfaceProcesses(COMMAND)
    processes.expect("first", surface_process.WORTH_STARTING - 1)
    assert not started
    processes.start_later()
    assert started == ["first"] * 3
    processes.start_later()
    processes.expect("first", surface_process.WORTH_STARTING)
    assert started == ["first"] * 3
    monkeypatch.setattr(surface_process, "free_bytes", lambda _: 9 * surface_process.PROCESS_BYTES)
    processes.expect("second", surface_process.WORTH_STARTING)
    assert started == ["second"] * 2
    assert processes.extractors("first", None, RESOLUTION, 0.0) == []


def test_surfaces_of_an_engine_are_shared_with_a_process(process):
    engine = Engine.load(device="cpu")
    take = engine.take_from_weights(np.linspace(0, 0.3, 9 * 52, dtype=np.float32).reshape(9, 52), 24.0)
    exact = list(engine.surfaces(take, resolution=RESOLUTION, tolerance=0.0))
    asked = []

    class Watched:
        ready = True

        def __init__(self, resolution, tolerance):
            self.kind = None, resolution, tolerance

        def extract(self, expression):
            asked.append(expression)
            return process.extract(*self.kind, expression)

    engine.head_surfaces.elsewhere = lambda code, resolution, tolerance: [Watched(resolution, tolerance)]
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        shared = list(engine.surfaces(take, resolution=RESOLUTION, tolerance=0.0))
    finally:
        torch.set_num_threads(before)
    assert 3 <= len(asked) <= 5
    for found, expected in zip(shared, exact, strict=True):
        np.testing.assert_array_equal(found.faces, expected.faces)
        np.testing.assert_allclose(found.vertices, expected.vertices, atol=1e-5)
