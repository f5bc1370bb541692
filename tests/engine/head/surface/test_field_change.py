"""Bounds of a field's change from measurements at a few grid points."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.head.surface.field_change import CHANGE_MARGIN, ENOUGH, FieldChange


def at(bounds, resolution, place):
    return [float(way.view(3 * (resolution,))[place]) for way in bounds]


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([7, 24, 41, 64]), st.integers(1, 60))
def test_every_measurement_lies_within_its_bounds_with_the_margin(seed, resolution, count):
    random = np.random.default_rng(seed)
    coordinates = torch.from_numpy(random.integers(0, resolution, (count, 3)))
    measured = torch.from_numpy(random.standard_normal(count).astype(np.float32))
    fall, rise = (
        way.view(3 * (resolution,))[tuple(coordinates.T)]
        for way in FieldChange(resolution).bounds(coordinates, measured)
    )
    greatest = (1 + CHANGE_MARGIN) * measured.abs()
    assert (torch.where(measured < 0, fall, rise) >= greatest * (1 - 1e-6)).all()
    assert (torch.minimum(fall, rise) >= CHANGE_MARGIN * measured.abs() * (1 - 1e-6)).all()


def test_a_block_without_measurements_has_the_bounds_of_those_around_it():
    change = FieldChange(48)  # blocks of 4 points
    bounds = change.bounds(torch.tensor([[21, 21, 21]]), torch.tensor([0.2]))
    assert at(bounds, 48, (17, 25, 21)) == pytest.approx([0.1, 0.3], abs=1e-5)
    assert at(bounds, 48, (15, 21, 21)) == pytest.approx([0.0, 0.0], abs=1e-5)


@pytest.mark.parametrize(("number", "expected"), [(ENOUGH - 1, [0.11, 0.3]), (ENOUGH, [0.015, 0.005])])
def test_enough_measurements_in_half_a_block_say_more_than_a_change_beyond(number, expected):
    still = torch.tensor([[20, 20, 20], [21, 21, 21]])[:number]
    coordinates = torch.cat([still, torch.tensor([[24, 20, 20]])])  # two half blocks further
    measured = torch.cat([torch.full((number,), -0.01), torch.tensor([0.2])])
    bounds = FieldChange(48).bounds(coordinates, measured)
    assert at(bounds, 48, (20, 21, 20)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("resolution", [5, 24, 50, 128])
def test_every_block_is_measured_at_its_centre(resolution):
    change = FieldChange(resolution)
    blocks = change.centres // (2 * change.half_block)
    count = int(blocks.max()) + 1
    assert len(blocks.unique(dim=0)) == len(blocks) == count**3
    # Only a last block that is less than half full has no centre.
    assert resolution - 2 * change.half_block * count <= change.half_block
