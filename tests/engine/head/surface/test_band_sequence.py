"""Bands that are carried from frame to frame against dense grids: closed forms, the starter, official layouts."""

import numpy as np
import pytest
import torch
from dense_surfaces import assert_surface_of, dense_values, distance, grid
from hypothesis import given, settings
from hypothesis import strategies as st
from official_heads import load

from engine.bundle import Bundle
from engine.head import BOX, load_head
from engine.head.surface.extract import SurfaceExtractor, triangulate
from engine.head.surface.narrow_band import BandSequence
from engine.motion.codes import codes_from_weights
from engine.shared.arkit import ARKIT_NAMES

RESOLUTION = 32
SPEECH = [
    {},
    {"jawOpen": 0.15, "mouthFunnel": 0.1},
    {"jawOpen": 0.3, "mouthFunnel": 0.2, "eyeBlinkLeft": 0.2, "eyeBlinkRight": 0.2},
    {"jawOpen": 0.25, "eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    {"jawOpen": 1.0, "mouthLowerDownLeft": 0.6, "mouthLowerDownRight": 0.6},
    {"mouthPucker": 1.0, "browInnerUp": 0.8},
    {"mouthPucker": 0.97, "browInnerUp": 0.8},
]


def balls(points, spheres):
    """Union of spheres (x, y, z, radius): Lipschitz 1, and a motion that is local to each."""
    centres = torch.tensor([sphere[:3] for sphere in spheres], dtype=torch.float32)
    radii = torch.tensor([sphere[3] for sphere in spheres], dtype=torch.float32)
    return (distance(points[:, None], centres) - radii).min(1).values


def assert_dense_surfaces(extractor, head, identity, expressions, resolution):
    for expression in expressions:
        surface = extractor.extract(expression, keep_small_pieces=True)
        values = dense_values(
            lambda points, code=expression: head.signed_distance(points, identity, code), head.box, resolution
        )
        assert_surface_of(surface.vertices, values, head.box)


coordinate = st.floats(-0.35, 0.35)
sphere = st.tuples(coordinate, coordinate, coordinate, st.floats(0.02, 0.3))
drift = st.floats(-0.03, 0.03)


@pytest.mark.slow
@settings(max_examples=40)
@given(st.lists(st.lists(sphere, min_size=1, max_size=4), min_size=1, max_size=3), st.lists(drift, max_size=4))
def test_jumps_and_small_steps_give_the_dense_signs(scenes, steps):
    """Every scene is an abrupt jump, followed by small steps of its first sphere."""
    points, sequence = grid(BOX, RESOLUTION), BandSequence(*BOX, RESOLUTION, lipschitz=1.0)
    for first, *others in scenes:
        for step in (0.0, *steps):
            spheres = [(first[0] + step, first[1] - step, *first[2:]), *others]
            dense = balls(points, spheres).view(3 * (RESOLUTION,))
            band = sequence.sample(lambda at, spheres=spheres: (balls(at, spheres), at))
            assert torch.equal(band.values > 0, dense > 0)
            exact = band.row >= 0
            assert torch.equal(band.values[exact], dense[exact])


def test_a_change_between_the_places_where_it_is_measured_is_found():
    """A bump grows within one frame, narrower than a block and between the sampled points."""
    still = [(0.0, 0.0, -0.2, 0.3)]
    points, sequence = grid(BOX, 64), BandSequence(*BOX, 64, lipschitz=1.0)
    for height in np.linspace(0.0, 0.05, 6):
        spheres = [*still, (0.013, 0.017, 0.08 + height, 0.025)]
        band = sequence.sample(lambda at, spheres=spheres: (balls(at, spheres), at))
        assert torch.equal(band.values > 0, balls(points, spheres).view(64, 64, 64) > 0)
        triangulate(band, *BOX)
    assert sequence.carried


def test_a_still_field_evaluates_little_more_than_marching_cubes_reads():
    sequence, evaluated = BandSequence(*BOX, 64, lipschitz=1.0), []
    for _ in range(3):
        evaluated.append(len(sequence.sample(lambda at: (balls(at, [(0.0, 0.0, -0.2, 0.3)]), at)).canonical))
    assert sequence.carried
    assert evaluated[2] < 0.9 * evaluated[0]


@pytest.fixture(scope="module")
def starter():
    return load_head(Bundle.open("starter"), torch.device("cpu"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [None, 5])
def test_the_starter_s_frames_are_the_dense_surfaces(starter, seed):
    """Speech in small steps, a blink, the jaw wide open, a jump to a pucker, for two identities."""
    identity = None if seed is None else starter.modes.random(seed, 1.0, 2.5)
    weights = np.array([[frame.get(name, 0.0) for name in ARKIT_NAMES] for frame in SPEECH], np.float32)
    expressions = codes_from_weights(weights, starter.arkit_map.basis)
    assert_dense_surfaces(SurfaceExtractor(starter, identity, 40), starter, identity, expressions, 40)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nphm_backward_small", "mononphm_small"])
def test_official_layouts_give_the_dense_surfaces(name):
    """Random weights are no distance field, so the bound is generous; then a small step and two jumps."""
    head, reference = load(name)
    identity, codes = reference["id_codes"][0], reference["exp_codes"]
    extractor = SurfaceExtractor(head, identity, 24, lipschitz=4.0)
    expressions = [codes[1], codes[1] + 0.01 * (codes[0] - codes[1]), codes[0], codes[1]]
    assert_dense_surfaces(extractor, head, identity, expressions, 24)
