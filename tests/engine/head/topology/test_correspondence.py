"""Fixed topology: roots of known maps, linear forward positions, and lip gaps in closed form."""

import numpy as np
import pytest
import torch

from engine.head import NeuralHead
from engine.head.arkit_map import ExactArkitMap
from engine.head.identities import IdentityModes
from engine.head.networks.expression import ExpressionConfig, ExpressionNetwork
from engine.head.networks.identity import IdentityConfig, IdentityNetwork
from engine.head.template import Template
from engine.head.topology import lips
from engine.head.topology.correspondence import ACCEPTED_DISTANCE, FixedTopologyHead, find_roots
from engine.head.topology.lips import gap, has_lip_curves, lip_opening
from engine.motion.codes import codes_from_weights
from engine.shared.errors import Cancelled, EngineError

MODES, VERTICES = 3, 50


def make_head(still=False, template=True):
    """A small head with random networks; `still` makes both deformations vanish."""
    generator = torch.Generator().manual_seed(5)
    torch.manual_seed(5)
    config = IdentityConfig(anchors=9, symmetric_pairs=1, global_dimensions=4, local_dimensions=2, width=16)
    expression = ExpressionNetwork(
        ExpressionConfig(
            identity_dimensions=config.dimensions,
            anchors=9,
            compressed_dimensions=4,
            expression_dimensions=60,
            width=16,
        )
    )
    if still:
        torch.nn.init.zeros_(expression.deformation.layers[-1].weight)
        torch.nn.init.zeros_(expression.deformation.layers[-1].bias)
    moved = np.random.default_rng(5).random((53, VERTICES)) < (0.0 if still else 0.3)
    along = torch.linspace(0.0, 0.02, 7)
    tensors = {
        "vertices": torch.rand(VERTICES, 3, generator=generator) * 0.3,
        "identity_modes_q": torch.randint(-127, 128, (MODES, VERTICES, 3), generator=generator, dtype=torch.int8),
        "identity_modes_scale": torch.full((MODES,), 1e-4),
        "polygons": torch.tensor([[0, 1, 2, 3], [4, 5, 6, -1]], dtype=torch.int32),
        "polygon_uv": torch.zeros(2, 4, 2),
        "regions": torch.zeros(VERTICES, 1, dtype=torch.uint8),
        "displacement_moved": torch.from_numpy(np.packbits(moved, axis=1)),
        "displacement": 0.01 * torch.randn(int(moved.sum()), 3, generator=generator),
        "lip_upper": torch.stack([0 * along, -0.2 + along, 0.2 - along], 1),
        "lip_lower": torch.stack([0 * along, -0.212 - along, 0.2 - along], 1),
    }
    columns = torch.linalg.qr(torch.randn(60, 52, generator=generator)).Q
    return NeuralHead(
        IdentityNetwork(config, torch.randn(9, 3, generator=generator) * 0.3),
        expression,
        template=Template.of(tensors) if template else None,
        arkit_map=ExactArkitMap(columns.numpy()),
        modes=IdentityModes(torch.randn(config.dimensions, MODES, generator=generator)),
    )


def test_roots_of_a_smooth_map_are_found():
    def canonical(points):
        return points + 0.05 * torch.sin(5 * points.flip(-1))

    generator = torch.Generator().manual_seed(1)
    posed = torch.rand(2, 200, 3, generator=generator)
    posed[1] = posed[0]
    guesses = posed + 0.001 * torch.randn(posed.shape, generator=generator).clamp(-1, 1)
    roots = find_roots(canonical, canonical(posed)[0], guesses)
    assert roots.accepted.all()
    np.testing.assert_allclose(roots.points, posed, atol=1e-5)
    assert roots.statistics()["p95_mm"] < 1e-2


def test_a_root_on_the_other_sheet_is_refused():
    """Two sheets: above y = 0 the map shifts up, below it shifts down; the target's only root lies far away."""

    def canonical(points):
        shift = torch.where(points[..., 1:2] > 0, 0.05, -0.05)
        return points + shift * torch.tensor([0.0, 1.0, 0.0])

    guess = torch.tensor([[[0.0, 0.001, 0.0]]])
    roots = find_roots(canonical, torch.tensor([[0.0, -0.06, 0.0]]), guess)
    assert not roots.accepted.any()
    assert torch.equal(roots.points, guess)


def test_an_accepted_root_stays_near_its_guess():
    head = make_head()
    fixed = FixedTopologyHead(head)
    code = np.random.default_rng(0).standard_normal(60).astype(np.float32) * 0.1
    (guess,) = fixed.positions(code[None])
    found, statistics = fixed.on_surface(code)
    assert np.linalg.norm(found - guess, axis=1).max() <= ACCEPTED_DISTANCE + 1e-6
    assert 0 <= statistics["accepted"] <= 1


def test_positions_are_linear_in_the_weights():
    head = make_head()
    identity = head.modes.random(seed=2, deviation=0.8, limit=2.0)
    fixed = FixedTopologyHead(head, identity)
    weights = np.random.default_rng(0).random((3, 52)).astype(np.float32)
    codes = codes_from_weights(weights, head.arkit_map.basis)
    moved = head.template.moved.numpy()
    displacement = np.zeros((VERTICES, 53, 3))
    stored = iter(head.template.displacement.numpy())
    for column, vertices in enumerate(moved):
        for vertex in np.flatnonzero(vertices):
            displacement[vertex, column] = next(stored)
    for row, positions in zip(weights, fixed.positions(codes), strict=True):
        expected = fixed.canonical.numpy() + displacement[:, 52]
        for weight, column in zip(row, displacement.transpose(1, 0, 2), strict=False):
            expected = expected + weight * column
        np.testing.assert_allclose(positions, expected, atol=1e-5)
    (resting,) = fixed.positions(np.zeros((1, 60)))
    np.testing.assert_allclose(resting, fixed.neutral(), atol=1e-6)


def test_weights_are_read_back_from_codes():
    head = make_head()
    weights = np.random.default_rng(0).random((4, 52)).astype(np.float32)
    codes = codes_from_weights(weights, head.arkit_map.basis)
    np.testing.assert_allclose(head.arkit_map.weights(codes), weights, atol=1e-5)


def test_the_template_follows_the_identity_modes():
    head = make_head()
    coefficients = np.array([0.5, -1.0, 2.0], np.float32)
    identity = head.modes.basis.numpy() @ coefficients
    np.testing.assert_allclose(head.modes.coefficients(torch.as_tensor(identity)[None]), coefficients, atol=1e-4)
    modes = head.template.modes.numpy() * 1e-4
    expected = head.template.vertices.numpy() + np.tensordot(coefficients, modes, 1)
    np.testing.assert_allclose(FixedTopologyHead(head, identity).canonical, expected, atol=1e-5)


def test_random_heads_are_seeded_and_limited():
    head = make_head()
    one, again, other = (head.modes.random(seed, 5.0, 0.5) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0
    assert np.abs(head.modes.coefficients(torch.as_tensor(one)[None])).max() <= 0.5 + 1e-4


def test_a_head_without_template_says_so():
    head = make_head(template=False)
    assert not has_lip_curves(head)
    with pytest.raises(EngineError, match="no lip curves"):
        lip_opening(head, np.zeros((2, 60)))
    with pytest.raises(EngineError, match="Frame Meshes"):
        FixedTopologyHead(head)


def test_a_still_head_keeps_its_lip_opening():
    openings = lip_opening(make_head(still=True), np.random.default_rng(0).standard_normal((40, 60)))
    np.testing.assert_allclose(openings, np.full(40, 0.012 * 250), atol=1e-3)


def test_many_openings_tell_their_progress_and_can_be_stopped(monkeypatch):
    monkeypatch.setattr(lips, "CHUNKS_A_REPORT", 2)
    head, codes, shares = make_head(), 0.1 * np.random.default_rng(0).standard_normal((150, 60)), []
    openings = lip_opening(head, codes, progress=shares.append)
    assert shares == pytest.approx([64 / 150, 128 / 150])
    np.testing.assert_array_equal(openings, lip_opening(head, codes))

    def stop(share):
        raise Cancelled

    with pytest.raises(Cancelled):
        lip_opening(head, codes, progress=stop)


def curve(*yz, x=0.0):
    return torch.tensor([[[x, y, z] for y, z in yz]])


def test_gap_between_a_vertex_and_a_segment():
    assert gap(curve((1.0, -2.0), (1.0, 2.0)), curve((-3.0, -1.0), (0.25, 0.0), (-3.0, 1.0))).item() == 0.75


def test_gap_is_zero_where_the_curves_cross():
    assert gap(curve((1.0, -1.0), (-1.0, 1.0)), curve((-1.0, -1.0), (1.0, 1.0))).item() == 0.0


def test_gap_is_zero_where_the_order_is_reversed():
    above, below = curve((1.0, -1.0), (1.0, 1.0)), curve((0.5, -1.0), (0.5, 1.0))
    assert gap(above, below).item() == 0.5
    assert gap(below, above).item() == 0.0


def test_a_sideways_shift_opens_nothing():
    upper, lower = curve((0.0, -1.0), (0.0, 1.0), x=3.0), curve((0.0, -1.0), (0.0, 1.0))
    assert gap(upper, lower).item() == 0.0
