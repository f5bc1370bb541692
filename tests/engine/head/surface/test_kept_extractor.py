"""Takes of the same head one after the other: the first surface of a take goes on from the last of the one before."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from engine import Engine
from engine.head.surface.extract import SurfaceExtractor
from engine.motion.codes import ExpressionTake, codes_from_weights
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.options import TOLERANCE

RESOLUTION = 32


@pytest.fixture(scope="module")
def engine():
    return Engine.load(device="cpu")


@pytest.fixture
def made(monkeypatch):
    """(whether the band was carried, points) of every surface, in order."""
    surfaces = []
    plain = SurfaceExtractor.extract

    def watched(self, *arguments):
        surface = plain(self, *arguments)
        surfaces.append((self.band.carried, surface.evaluated))
        return surface

    monkeypatch.setattr(SurfaceExtractor, "extract", watched)
    return surfaces


def take(engine, jaw):
    weights = np.zeros((1, len(ARKIT_NAMES)), np.float32)
    weights[:, ARKIT_NAMES.index("jawOpen")] = jaw
    return ExpressionTake(codes_from_weights(weights, engine.head.arkit_map.basis))


def surface(engine, jaw=0.0, tolerance=TOLERANCE, identity=None):
    (frame,) = engine.surfaces(take(engine, jaw), resolution=RESOLUTION, tolerance=tolerance, identity=identity)
    return frame


def test_the_next_take_goes_on_from_the_last_and_is_as_near_to_the_exact_surface(engine, made):
    surface(engine)
    found, exact = surface(engine, 0.1), surface(engine, 0.1, tolerance=0.0)
    assert [carried for carried, _ in made] == [False, True, False]
    assert made[1][1] < 0.8 * made[2][1]
    assert abs(len(found.vertices) - len(exact.vertices)) < 10
    apart = cKDTree(exact.vertices).query(found.vertices)[0]  # metres; a cell is 8 mm
    assert np.quantile(apart, 0.99) < 1e-3


def test_other_heads_and_exact_surfaces_start_anew(engine, made):
    surface(engine)
    made.clear()
    surface(engine, identity="random:3")
    surface(engine, identity="random:3", tolerance=0.0)
    surface(engine, identity="random:3", tolerance=0.0)
    assert [carried for carried, _ in made] == [False, False, False]


def test_takes_at_the_same_time_do_not_share(engine, made):
    surface(engine)
    made.clear()
    one, other = (engine.surfaces(take(engine, 0.0), resolution=RESOLUTION, tolerance=TOLERANCE) for _ in range(2))
    next(one), next(other)
    assert [carried for carried, _ in made] == [True, False]


def test_a_failure_is_not_gone_on_from(engine, monkeypatch, made):
    surface(engine)
    with monkeypatch.context() as patched, pytest.raises(MemoryError):
        patched.setattr(SurfaceExtractor, "extract", lambda *_: (_ for _ in ()).throw(MemoryError()))
        surface(engine)
    made.clear()
    surface(engine)
    assert [carried for carried, _ in made] == [False]
