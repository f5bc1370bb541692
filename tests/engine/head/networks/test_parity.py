"""The head against numbers of the reference implementations, at the fixtures' own tolerances."""

import numpy as np
import pytest
import torch
from official_heads import FORWARD_FULL, FORWARD_SMALL, FULL, SMALL, checkpoint, load

from engine.head import NeuralHead
from engine.head.networks.official import networks_from_official
from engine.head.networks.smoothing import GaussianMask, SmoothingConfig
from engine.shared.errors import EngineError

TOLERANCE, GRADIENT_TOLERANCE, LOOKUP_TOLERANCE = 1e-5, 2e-4, 1e-6


BACKWARD = [name for name in (*SMALL, *FULL) if name != FORWARD_FULL]


@pytest.fixture(scope="module", params=BACKWARD)
def fixture(request):
    return load(request.param)


@pytest.fixture(scope="module", params=[FORWARD_SMALL, FORWARD_FULL])
def forward_fixture(request):
    return load(request.param)


@pytest.fixture(params=range(3))
def case(request, fixture):
    """The head, the query points, the codes of one case, and a lookup of its reference arrays."""
    return _case(request.param, *fixture)


@pytest.fixture(params=range(3))
def forward_case(request, forward_fixture):
    return _case(request.param, *forward_fixture)


def _case(number, head, reference):
    identity_row, expression_row = reference["cases"][number]
    return (
        head,
        reference["points"],
        reference["id_codes"][identity_row],
        reference["exp_codes"][expression_row],
        lambda key: reference[f"case{number}_{key}"],
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


def test_smoothing_of_offsets_only(fixture, case):
    head, points, identity, expression, expected = case
    config = SmoothingConfig(scale_hyper=False)
    other_reading = NeuralHead(head.identity, head.expression, config)
    values = other_reading.signed_distance(points, identity, expression, mask=fixture[1]["smooth_weights"])
    assert_close(values, expected("sdf_smooth_offsets_only"))


def test_forward_anchors(forward_case):
    head, _, identity, _, expected = forward_case
    assert_close(head.anchors(identity), expected("anchors"))


def test_forward_canonical_distance(forward_case):
    head, points, identity, _, expected = forward_case
    assert_close(head.signed_distance(points, identity), expected("sdf_canonical"))


def test_forward_gradient(forward_case):
    head, points, identity, _, expected = forward_case
    query = torch.from_numpy(points).requires_grad_()
    (gradient,) = torch.autograd.grad(head.signed_distance(query, identity).sum(), query)
    assert_close(gradient.numpy(), expected("gradient_canonical"), GRADIENT_TOLERANCE)


def test_forward_deformation(forward_case):
    head, points, identity, expression, expected = forward_case
    offsets = head.deformation(points, identity, expression)
    assert_close(offsets, expected("offsets_forward"))
    assert_close(points + offsets, expected("posed"))


def test_a_forward_head_refuses_distances_at_posed_points(forward_fixture):
    head, reference = forward_fixture
    with pytest.raises(EngineError, match="deforms forward"):
        head.signed_distance(reference["points"], None, reference["exp_codes"][0])


def test_smoothing_weights_over_points(fixture):
    _, reference = fixture
    points = torch.from_numpy(reference["points"])
    config = SmoothingConfig(tuple(reference["smooth_center"]), tuple(reference["smooth_sigma"]))
    assert_close(GaussianMask.over_points(config, points)(points), reference["smooth_weights"])


@pytest.mark.parametrize("name", SMALL)
def test_code_books(name):
    head, reference = load(name)
    books = {part: checkpoint(name)["latent_codes"][f"codebook.{part}.embedding.weight"] for part in ("geo", "exp")}
    head = NeuralHead(head.identity, head.expression, identity_codes=books["geo"], expression_codes=books["exp"])
    for book, expected in ((head.identity_codes, "lookup_geo"), (head.expression_codes, "lookup_exp")):
        actual = np.stack([book.row(row) for row in range(len(reference[expected]))])
        assert_close(actual, reference[expected], LOOKUP_TOLERANCE)
    with pytest.raises(EngineError, match="0 to 4"):
        head.identity_codes.row(5)


@pytest.mark.slow
def test_the_closed_form_mask_agrees_with_a_fine_grid():
    config = SmoothingConfig(centre=(0.05, -0.6, 0.1), sigma=(0.3, 0.4, 0.2))
    minimum, maximum = torch.tensor([-0.55, -0.5, -0.95]), torch.tensor([0.55, 0.75, 0.40])
    axes = [torch.linspace(float(low), float(high), 181) for low, high in zip(minimum, maximum, strict=True)]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).view(-1, 3)
    weights = GaussianMask.over_box(config, minimum, maximum)(grid)
    assert_close(weights, GaussianMask.over_points(config, grid)(grid), 1e-3)
    assert weights.min() >= 0
    assert weights.max() <= 1


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
