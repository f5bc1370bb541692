"""What vertices keep from frame to frame, against functions of their places."""

import pytest
import torch

from engine.head.surface.vertex_memory import VertexMemory

REACH = 0.1


@pytest.fixture
def asked():
    """How many places a function has been asked for, call by call."""
    return []


@pytest.fixture
def function(asked):
    return lambda places: asked.append(len(places)) or torch.cat([places, places.sum(1, keepdim=True)], 1)


def places(count):
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(0))


def test_vertices_that_stay_keep_their_values_in_any_order(asked, function):
    memory, at = VertexMemory(50, REACH), places(20)
    first = memory(torch.arange(20), at, function)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(memory(order, at[order], function), first[order])
    assert asked == [20]


def test_new_edges_and_vertices_that_left_are_asked_for(asked, function):
    memory, at = VertexMemory(50, REACH), places(20)
    memory(torch.arange(20), at, function)
    moved = torch.cat([at[:15], places(5) + 3.0])  # edges 10 to 19 go on, 20 to 29 are new
    moved[12, 1] += 1.5 * REACH
    edge = torch.cat([torch.arange(10, 25), torch.arange(25, 30)])
    moved[:10] = torch.cat([at[10:12], moved[12:13], at[13:20]])
    values = memory(edge, moved, function)
    assert asked == [20, 11]
    torch.testing.assert_close(values, function(moved))


def test_small_movements_do_not_add_up(function):
    memory, at = VertexMemory(50, REACH), places(20)
    for step in range(40):
        now = at + 0.03 * step
        values = memory(torch.arange(20), now, function)
        assert (values[:, :3] - now).abs().max() <= REACH * 1.001


def test_a_vertex_that_was_gone_for_a_frame_is_asked_for_again(asked, function):
    memory, at = VertexMemory(50, REACH), places(20)
    memory(torch.arange(20), at, function)
    memory(torch.arange(10), at[:10], function)
    memory(torch.arange(20), at, function)
    assert asked == [20, 10]


def test_a_copy_goes_its_own_way(asked, function):
    memory, at = VertexMemory(50, REACH), places(20)
    memory(torch.arange(20), at, function)
    copy = memory.copy()
    memory(torch.arange(20, 40), at, function)
    torch.testing.assert_close(copy(torch.arange(20), at, function), function(at))
    assert asked == [20, 20, 20]
