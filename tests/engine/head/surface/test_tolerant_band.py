"""Bands whose values may be off by a tolerance against dense grids and exact bands."""

import numpy as np
import pytest
import torch
from dense_surfaces import distance, grid

from engine.bundle import Bundle
from engine.head import BOX, load_head
from engine.head.surface.extract import SurfaceExtractor
from engine.head.surface.narrow_band import BandSequence
from engine.head.surface.tolerant_band import JUMP, LEAP, SIDE, TolerantBandSequence
from engine.motion.codes import codes_from_weights
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.options import EXACT_RESOLUTION, RESOLUTIONS, TOLERANCE, tolerance_of

RESOLUTION = 64
CELL = min((high - low) / (RESOLUTION - 1) for low, high in zip(*BOX, strict=True))


def two_balls(points, shift):
    """A large sphere that rests and a small one that has moved by `shift` along y."""
    resting = distance(points, torch.tensor([0.0, 0.0, -0.5])) - 0.3
    return torch.minimum(resting, distance(points, torch.tensor([0.0, shift, 0.1])) - 0.2)


def bands(shifts, sequence):
    """(band, values of the dense grid) of each frame; a band is valid until the next."""
    points = grid(BOX, RESOLUTION)
    for shift in map(float, shifts):
        band = sequence.sample(lambda at, shift=shift: (two_balls(at, shift), at))
        yield band, two_balls(points, shift).view(3 * (RESOLUTION,))


def tolerant(tolerance=TOLERANCE):
    return TolerantBandSequence(*BOX, RESOLUTION, 1.0, tolerance=tolerance)


def assert_within(band, dense, tolerance):
    """Known values are within a tolerance in cells, and signs are wrong only where the field is nearer to zero."""
    known = band.row >= 0
    assert (band.values - dense)[known].abs().max() <= tolerance * CELL
    wrong = (band.values > 0) != (dense > 0)
    assert (dense[wrong].abs() <= tolerance * CELL).all()


@pytest.mark.parametrize("step", [0.002, 0.05, 0.6])
def test_values_stay_within_the_tolerance_however_many_frames_pass(step):
    """Steps in cells: one far below the tolerance, which must not add up, one above it, and a fast one."""
    for band, dense in bands(step * CELL * np.arange(40), tolerant()):
        assert_within(band, dense, 1.6 * TOLERANCE)


def test_what_rests_is_evaluated_at_probes_only():
    tolerant_band, exact_band = tolerant(), BandSequence(*BOX, RESOLUTION, 1.0)
    shifts = 0.05 * CELL * np.arange(6)
    counts = [[band.evaluated for band, _ in bands(shifts, sequence)][-1] for sequence in (tolerant_band, exact_band)]
    assert tolerant_band.carried
    assert counts[0] < 0.6 * counts[1]


def test_a_jump_starts_anew_with_the_dense_signs():
    sequence = tolerant()
    jump = 2 * JUMP * SIDE * CELL
    for shift in (0.0, jump):
        ((band, dense),) = bands([shift], sequence)
        assert torch.equal(band.values > 0, dense > 0)
    assert not sequence.carried


def test_a_fast_step_below_a_leap_is_followed():
    sequence = tolerant()
    for band, dense in bands(0.5 * LEAP * SIDE * CELL * np.arange(5), sequence):
        assert torch.equal(band.values > 0, dense > 0)
    assert sequence.carried


def test_where_a_small_part_leaps_only_its_surroundings_are_open():
    """A tip of the tongue moves by several cells in a frame; the rest of the head is carried."""
    resolution, points = 96, grid(BOX, 96)
    cell = min((high - low) / (resolution - 1) for low, high in zip(*BOX, strict=True))
    sequence = TolerantBandSequence(*BOX, resolution, 1.0, tolerance=TOLERANCE)
    first = None
    for shift in np.cumsum([0.0, 0.9, 1.1, -1.0]) * SIDE * cell:

        def field(at, shift=float(shift)):
            resting = distance(at, torch.tensor([0.0, 0.0, -0.5])) - 0.3
            return torch.minimum(resting, distance(at, torch.tensor([0.01, shift, 0.1])) - 2 * cell)

        band = sequence.sample(lambda at, field=field: (field(at), at))
        dense = field(points).view(3 * (resolution,))
        assert torch.equal(band.values > 0, dense > 0)
        assert (band.values - dense)[band.row >= 0].abs().max() <= TOLERANCE * cell
        first = first or band.evaluated
    assert sequence.carried
    assert band.evaluated < 0.6 * first


def test_the_highest_resolution_alone_is_exact():
    assert [tolerance_of(resolution) for resolution in RESOLUTIONS] == [TOLERANCE, TOLERANCE, 0.0]
    assert max(RESOLUTIONS) == EXACT_RESOLUTION


@pytest.mark.slow
@pytest.mark.parametrize("seed", [None, 5])
def test_the_starter_s_frames_are_near_the_exact_ones(seed):
    """A jaw that opens, rounding lips and a blink, at speed: values, canonical points and signs."""
    head = load_head(Bundle.open("starter"), torch.device("cpu"))
    identity = None if seed is None else head.modes.random(seed, 1.0, 2.5)
    weights = np.zeros((8, len(ARKIT_NAMES)), np.float32)
    for name, rate in {"jawOpen": 0.05, "mouthFunnel": 0.04, "eyeBlinkLeft": 0.14, "eyeBlinkRight": 0.14}.items():
        weights[:, ARKIT_NAMES.index(name)] = rate * np.arange(8)
    exact = SurfaceExtractor(head, identity, 48)
    near = SurfaceExtractor(head, identity, 48, tolerance=TOLERANCE)
    cell = min(exact.band.spacing)
    for code in codes_from_weights(weights, head.arkit_map.basis):
        surfaces = [extractor.extract(code, keep_small_pieces=True) for extractor in (exact, near)]
        values = [extractor.band.values for extractor in (exact, near)]
        known = (exact.band.row >= 0) & (near.band.row >= 0)
        error = (values[0] - values[1])[known].abs()
        assert error.quantile(0.99) < TOLERANCE * cell
        # Single points at the lids of a blink in a few frames; the benchmark of tolerance tells how far off they are.
        assert error.max() < 15 * TOLERANCE * cell
        wrong = (values[0] > 0) != (values[1] > 0)
        assert wrong.sum() < 10
        assert values[0][wrong].abs().sum() < 10 * TOLERANCE * cell
        assert abs(len(surfaces[0].vertices) - len(surfaces[1].vertices)) < 60
    assert near.band.carried
    assert surfaces[1].evaluated < 0.75 * surfaces[0].evaluated
