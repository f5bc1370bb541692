"""The head against numbers of the reference implementations, at the fixtures' own tolerances."""

import numpy as np
import pytest
import torch
from official_heads import FULL, SMALL, checkpoint, load

from engine.errors import EngineError
from engine.head.official import book_row, networks_from_official
from engine.head.smoothing import GaussianMask, SmoothingConfig

TOLERANCE, GRADIENT_TOLERANCE, LOOKUP_TOLERANCE = 1e-5, 2e-4, 1e-6


@pytest.fixture(scope="module", params=[*SMALL, *FULL])
def fixture(request):
    return load(request.param)


@pytest.fixture(params=range(3))
def case(request, fixture):
    """The head, the query points, the codes of one case, and a lookup of its reference arrays."""
    head, reference = fixture
    identity_row, expression_row = reference["cases"][request.param]
    return (
        head,
        reference["points"],
        reference["id_codes"][identity_row],
        reference["exp_codes"][expression_row],
        lambda key: reference[f"case{request.param}_{key}"],
    )


def assert_close(actual, expected, tolerance=TOLERANCE):
    np.testing.assert_allclose(actual, expected, rtol=0.0, atol=tolerance)


def test_anchors(case):
    head, _, identity, _, expected = case
    assert_close(head.anchors(identity), expected("anchors"))


def test_deformation(case):
    head, points, identity, expression, expected = case
    deformation = head.deformation(points, identity, expression)
    assert_close(deformation[:, :3], expected("offsets"))
    assert_close(deformation[:, 3:], expected("hyper"))


def test_signed_distance(case):
    head, points, identity, expression, expected = case
    assert_close(head.signed_distance(points, identity, expression), expected("sdf"))


def test_gradient(case):
    head, points, identity, expression, expected = case
    query = torch.from_numpy(points).requires_grad_()
    (gradient,) = torch.autograd.grad(head.signed_distance(query, identity, expression).sum(), query)
    assert_close(gradient.numpy(), expected("gradient"), GRADIENT_TOLERANCE)


def test_a_zero_mask_gives_the_neutral_head(case):
    head, points, identity, expression, expected = case
    values = head.signed_distance(points, identity, expression, mask=np.zeros(len(points)))
    assert_close(values, expected("sdf_neutral"))


def test_smoothing_scales_offsets_and_hyper_coordinates(fixture, case):
    head, points, identity, expression, expected = case
    values = head.signed_distance(points, identity, expression, mask=fixture[1]["smooth_weights"])
    assert_close(values, expected("sdf_smooth"))


def test_smoothing_of_offsets_only_is_a_composition(fixture, case):
    head, points, identity, expression, expected = case
    field = head.pose(identity, expression)
    moved = field.deformation(torch.from_numpy(points)).numpy()
    offsets = fixture[1]["smooth_weights"][:, None] * moved[:, :3]
    canonical = torch.from_numpy(np.hstack([points + offsets, moved[:, 3:]]))
    assert_close(field.canonical_distance(canonical), expected("sdf_smooth_offsets_only"))


def test_smoothing_weights_over_points(fixture):
    _, reference = fixture
    points = torch.from_numpy(reference["points"])
    config = SmoothingConfig(tuple(reference["smooth_center"]), tuple(reference["smooth_sigma"]))
    assert_close(GaussianMask.over_points(config, points)(points), reference["smooth_weights"])


@pytest.mark.parametrize("name", SMALL)
def test_code_books(name):
    _, reference = load(name)
    for book, expected in (("geo", "lookup_geo"), ("exp", "lookup_exp")):
        rows = checkpoint(name)["latent_codes"][f"codebook.{book}.embedding.weight"]
        actual = np.stack([book_row(rows, row) for row in range(len(rows))])
        assert_close(actual, reference[expected], LOOKUP_TOLERANCE)


def test_the_closed_form_mask_agrees_with_a_fine_grid():
    config = SmoothingConfig(centre=(0.05, -0.6, 0.1), sigma=(0.3, 0.4, 0.2))
    minimum, maximum = torch.tensor([-0.55, -0.5, -0.95]), torch.tensor([0.55, 0.75, 0.40])
    axes = [torch.linspace(float(low), float(high), 181) for low, high in zip(minimum, maximum, strict=True)]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).view(-1, 3)
    weights = GaussianMask.over_box(config, minimum, maximum)(grid)
    assert_close(weights, GaussianMask.over_points(config, grid)(grid), 1e-3)
    assert weights.min() >= 0 and weights.max() <= 1


def test_results_do_not_depend_on_the_batch():
    head, reference = load("nphm_backward_small")
    points, codes = torch.from_numpy(reference["points"]), torch.from_numpy(reference["id_codes"])
    canonical = torch.cat([points, torch.zeros(len(points), 2)], 1)
    together = head.identity(canonical.expand(2, -1, -1), codes)
    apart = torch.stack([head.identity(canonical[None], code[None])[0] for code in codes])
    assert_close(together, apart, 2e-6)


def test_a_foreign_file_is_named():
    with pytest.raises(EngineError, match="nphm_backward"):
        networks_from_official({"model": {}}, torch.zeros(39, 3))
    with pytest.raises(EngineError, match=r"anchors_39\.npy"):
        networks_from_official(checkpoint("nphm_backward_small"), torch.zeros(65, 3))


def test_a_code_of_another_model_is_refused():
    head, reference = load("nphm_backward_small")
    with pytest.raises(EngineError, match="identity code"):
        head.signed_distance(reference["points"], np.zeros(1344))
