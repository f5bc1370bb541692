"""The narrow band against dense grids, closed forms, and marching cubes' own conventions."""

import numpy as np
import pytest
import torch
from dense_surfaces import assert_surface_of, dense_values, distance, surface_of
from hypothesis import given, settings
from hypothesis import strategies as st
from official_heads import load
from repository import PARITY
from skimage.measure import marching_cubes

from engine.head import BOX, NeuralHead
from engine.head.networks.expression import ExpressionConfig, ExpressionNetwork
from engine.head.networks.identity import IdentityConfig, IdentityNetwork
from engine.head.surface.extract import (
    SurfaceExtractor,
    estimated_bytes,
    extract_surface,
    require_memory,
    triangulate,
)
from engine.head.surface.narrow_band import NarrowBand, around_solid, needed_by_marching_cubes, sample_narrow_band
from engine.shared.errors import EngineError

LOW, HIGH = np.array(BOX[0]), np.array(BOX[1])


def sphere(points, centre=(0.0, 0.05, -0.25), radius=0.38):
    return distance(points, torch.tensor(centre)) - radius


def two_nearly_touching_spheres(points):
    return torch.minimum(sphere(points, (-0.2, 0, -0.2), 0.196), sphere(points, (0.2, 0, -0.2), 0.198))


def thin_sheet(points):
    """A slanted plate of 0.006, thinner than the cells."""
    return ((points[:, 1] - 0.3 * points[:, 0]) / np.sqrt(1.09)).abs() - 0.003


def dense_surface(field, resolution):
    return surface_of(dense_values(field, BOX, resolution), BOX)


def volume(vertices, faces):
    a, b, c = np.moveaxis(vertices[faces].astype(np.float64), 1, 0)
    return np.einsum("ij,ij->", a, np.cross(b, c)) / 6


@pytest.mark.parametrize("resolution", [17, 40, 64])
@pytest.mark.parametrize("field", [sphere, two_nearly_touching_spheres, thin_sheet])
def test_closed_forms_equal_the_dense_grid(field, resolution):
    band = sample_narrow_band(lambda points: (field(points), points), *BOX, resolution, lipschitz=1.0)
    dense = dense_values(field, BOX, resolution)
    assert np.array_equal(band.values.numpy() > 0, dense > 0)
    vertices, faces, canonical = triangulate(band, *BOX)
    expected, expected_faces = dense_surface(field, resolution)
    np.testing.assert_allclose(vertices, expected, atol=1e-6)
    np.testing.assert_array_equal(faces, expected_faces)
    np.testing.assert_allclose(canonical, vertices, atol=1e-6)
    assert (band.row >= 0).sum() == len(band.canonical) < dense.size


def test_a_sphere_faces_outwards_and_has_its_volume():
    band = sample_narrow_band(lambda points: (sphere(points), points), *BOX, 64, lipschitz=1.0)
    vertices, faces, _ = triangulate(band, *BOX)
    assert volume(vertices, faces) == pytest.approx(4 / 3 * np.pi * 0.38**3, rel=2e-3)


@pytest.mark.slow
def test_a_surface_is_followed_where_the_lipschitz_bound_fails():
    steep = sample_narrow_band(lambda points: (3 * sphere(points), points), *BOX, 64, lipschitz=1.0)
    vertices, _, _ = triangulate(steep, *BOX)
    assert_surface_of(vertices, dense_values(lambda points: 3 * sphere(points), BOX, 64), BOX)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 2.0))
def test_marching_cubes_reads_no_other_values(seed, level):
    values = np.random.default_rng(seed).standard_normal((9, 8, 7)).astype(np.float32) + np.float32(level)
    needed = needed_by_marching_cubes(torch.from_numpy(values > 0)).numpy()
    elsewhere = np.where(needed, values, np.sign(values) * 1e-3).astype(np.float32)
    if values.min() < 0 < values.max():
        for one, other in zip(marching_cubes(values, 0.0)[:2], marching_cubes(elsewhere, 0.0)[:2], strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("shape", ["ellipsoid", "sheet"])
def test_the_family_s_grid_order_and_orientation(shape):
    reference = np.load(PARITY / "mc_convention.npz", allow_pickle=False)
    resolution = int(reference["resolution"])
    values = torch.from_numpy(reference[f"sdf_{shape}"]).view(3 * (resolution,))
    rows = torch.arange(values.numel(), dtype=torch.int32).view_as(values)
    band = NarrowBand(values, rows, torch.zeros(values.numel(), 3), values.numel())
    vertices, faces, _ = triangulate(band, tuple(reference["mini"]), tuple(reference["maxi"]))
    expected = reference[f"verts_{shape}"]
    assert len(vertices) == len(expected)
    distances = torch.cdist(torch.from_numpy(vertices).double(), torch.from_numpy(expected).double())
    assert distances.min(0).values.max() < 1e-5
    assert distances.min(1).values.max() < 1e-5
    if shape == "ellipsoid":
        assert volume(vertices, faces) == pytest.approx(float(reference["signed_volume"]), rel=1e-4)


@pytest.mark.parametrize("name", ["nphm_backward_small", "mononphm_small"])
def test_random_official_networks_equal_the_dense_grid(name):
    """Random weights are no distance field, so the bound is generous; the surface must still be the dense one."""
    head, reference = load(name)
    identity, expression = reference["id_codes"][0], reference["exp_codes"][1]
    surface = SurfaceExtractor(head, identity, 24, lipschitz=4.0).extract(expression, keep_small_pieces=True)
    values = dense_values(lambda points: head.signed_distance(points, identity, expression), BOX, 24)
    assert_surface_of(surface.vertices, values, BOX)


@pytest.fixture(scope="module")
def fitted_head():
    """A small head of the starter's kind, fitted to a sphere with a wavy deformation."""
    torch.manual_seed(3)
    directions = torch.nn.functional.normalize(torch.randn(11, 3), dim=1)
    centre = torch.tensor([0.0, 0.05, -0.25])
    config = IdentityConfig(anchors=11, symmetric_pairs=2, global_dimensions=4, local_dimensions=2, width=24)
    identity = IdentityNetwork(config, centre + 0.35 * directions)
    expression = ExpressionNetwork(
        ExpressionConfig(
            identity_dimensions=config.dimensions,
            anchors=11,
            compressed_dimensions=4,
            expression_dimensions=5,
            width=24,
        )
    )
    optimiser = torch.optim.Adam([*identity.parameters(), *expression.parameters()], 5e-3)
    low, high = torch.tensor(BOX[0]), torch.tensor(BOX[1])
    nobody = torch.zeros(1, config.dimensions)
    for _ in range(150):
        points = torch.rand(1, 1024, 3) * (high - low) + low
        waves = 0.02 * torch.sin(8 * points.flip(-1))
        offsets = expression(points, nobody, identity.anchor_mean[None], torch.full((1, 5), 0.1))
        loss = (identity(points, nobody) - sphere(points)).abs().mean() + (offsets - waves).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return NeuralHead(identity, expression)


@pytest.mark.parametrize("resolution", [31, 48])
def test_a_fitted_head_equals_the_dense_grid(fitted_head, resolution):
    code = np.full(5, 0.1, np.float32)
    surface = extract_surface(fitted_head, None, code, resolution)
    values = dense_values(lambda points: fitted_head.signed_distance(points, None, code), BOX, resolution)
    assert_surface_of(surface.vertices, values, BOX)
    assert surface.evaluated < resolution**3 / 2
    assert volume(surface.vertices, surface.faces) > 0
    assert surface.faces.dtype == np.int32
    assert surface.regions.shape == (len(surface.vertices), 1)


def test_canonical_points_are_the_deformed_vertices(fitted_head):
    code = np.full(5, 0.1, np.float32)
    surface = extract_surface(fitted_head, None, code, 48)
    expected = surface.vertices + fitted_head.deformation(surface.vertices, None, code)
    np.testing.assert_allclose(surface.canonical, expected, atol=5e-4)


def test_too_fine_a_grid_is_refused_with_a_way_out():
    with pytest.raises(EngineError, match="lower resolution"):
        require_memory(20000, torch.device("cpu"))
    assert estimated_bytes(256) < 2 << 30


def test_a_field_without_surface_is_named():
    band = sample_narrow_band(lambda points: (sphere(points, radius=-1.0), points), *BOX, 17, lipschitz=1.0)
    with pytest.raises(EngineError, match="no surface"):
        triangulate(band, *BOX)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_the_part_around_what_is_solid_is_no_larger_than_that(seed, count):
    """Against the least and greatest coordinates of the points themselves."""
    positive = torch.ones(9, 9, 9, dtype=torch.bool)
    points = np.random.default_rng(seed).integers(0, 9, (count, 3))
    positive[tuple(points.T)] = False
    part = around_solid(positive)
    if not count:
        assert positive[part].numel() == 0
        return
    assert [axis.start for axis in part] == np.maximum(points.min(0) - 1, 0).tolist()
    assert [min(axis.stop, 9) for axis in part] == np.minimum(points.max(0) + 2, 9).tolist()
