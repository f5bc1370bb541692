"""Chunks on several threads against the same function on all points at once."""

from threading import Thread, current_thread

import pytest
import torch

from engine.head.networks.conditioned_mlp import activate
from engine.head.parallel import chunk_threads, in_chunks, undivided_operations


@pytest.mark.parametrize("count", [0, 1, 7, 600, 601])
def test_chunks_come_back_in_order_and_no_larger_than_asked(threads, count):
    points, sizes = torch.arange(3.0 * count).view(count, 3), []

    def function(chunk):
        sizes.append(len(chunk))
        return chunk.sum(1), chunk + 1

    sums, moved = in_chunks(function, points, 100)
    assert torch.equal(sums, points.sum(1))
    assert torch.equal(moved, points + 1)
    assert max(sizes) <= 100
    assert sum(sizes) == count


def test_each_chunk_has_one_core_and_no_gradients(threads):
    seen = []

    def function(chunk):
        seen.append((current_thread().name, torch.get_num_threads(), torch.is_grad_enabled()))
        return (chunk,)

    in_chunks(function, torch.zeros(64, requires_grad=True), 8)
    assert {cores for _, cores, _ in seen} == {1}
    assert not any(gradients for *_, gradients in seen)
    assert torch.get_num_threads() == threads
    later = []
    thread = Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [threads]


def test_an_error_in_a_chunk_is_raised(threads):
    with pytest.raises(ZeroDivisionError):
        in_chunks(lambda chunk: (chunk / (1 // 0),), torch.zeros(50), 8)


def test_softplus_without_denormals_is_softplus():
    values = torch.linspace(-3.0, 3.0, 100001)
    exact = torch.log1p(torch.exp(-100 * values.double().abs())) / 100 + values.double().clamp_min(0.0)
    with torch.no_grad():
        torch.testing.assert_close(activate(values.clone(), "softplus").double(), exact, rtol=1e-7, atol=3e-8)


def test_undivided_operations_leave_every_core_to_chunks(threads):
    """Also when one is within another, and when what is inside fails."""
    with pytest.raises(ZeroDivisionError), undivided_operations():
        with undivided_operations():
            assert torch.get_num_threads() == 1
            assert chunk_threads() == threads
        assert torch.get_num_threads() == 1
        assert chunk_threads() == threads
        sizes = []
        in_chunks(lambda chunk: (sizes.append(len(chunk)) or chunk,), torch.zeros(60, 3), 1000)
        assert len(sizes) == threads
        raise ZeroDivisionError
    assert torch.get_num_threads() == threads == chunk_threads()
