"""Training of the starter's head: resumption, ground truth against closed forms, the OBJ converter."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from closed_spheres import sphere
from torch import nn

from engine.head.networks.conditioned_mlp import last_linear
from engine.head.template import Template
from engine.motion.codes import ICT_NAMES
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.errors import EngineError
from engine.shared.units import UNITS_PER_MILLIMETRE
from training.head import convert as converter
from training.head.ground_truth import NECK_PLANE, HeadSolid, close_with_fans
from training.head.ict import named_weights
from training.head.networks import head_optimisers, new_expression_network, smoothing_mask
from training.head.parts import boundary_loops
from training.head.poses import random_weights
from training.head.sampling import material_positions
from training.head.template import sparse_displacements
from training.head.train_expression import SHELL_SHARE, SURFACE_SHARE, expression_losses
from training.head.train_identity import BELOW_SHARE, _below_neck
from training.muon import orthogonalised
from training.run.loop import Recipe, Run


class PowerCut(Exception):
    """Ends a training in the middle."""


def small_network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 8), nn.SiLU(), nn.Linear(8, 1))


def small_loss(network: nn.Module, cut: int | None = None):
    """The error of the distance from the origin; a training with it ends before step `cut`."""

    def loss(step: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        if step == cut:
            raise PowerCut
        points = torch.from_numpy(np.random.default_rng([0, step]).normal(size=(32, 3))).float()
        value = (network(points)[:, 0] - points.norm(dim=1)).abs().mean()
        return value, {"distance": value}

    return loss


def train_small(network: nn.Module, folder, steps: int, cut: int | None = None, matrices=()) -> nn.Module | None:
    """The averaged network of a run that may end before step `cut`."""
    optimisers, recipe = head_optimisers(network, matrices), Recipe(save_every=10)
    with pytest.raises(PowerCut) if cut else nullcontext():
        return Run(folder, 1e-2, steps).train(network, optimisers, small_loss(network, cut), recipe)


def test_interrupted_run_ends_with_the_parameters_of_an_uninterrupted_one(tmp_path):
    whole = small_network()
    averaged_whole = train_small(whole, tmp_path / "whole", 40).state_dict()
    for cut in (17, None):
        resumed = small_network()
        averaged = train_small(resumed, tmp_path / "parts", 40, cut)
    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key])
        assert torch.equal(averaged_whole[key], averaged.state_dict()[key])


def test_training_lowers_the_loss(tmp_path):
    network = small_network()
    before = small_loss(network)(1000)[0].item()
    averaged = train_small(network, tmp_path, 300)
    assert small_loss(averaged)(1000)[0].item() < 0.3 * before


def test_the_average_is_a_moving_one_whose_decay_grows(tmp_path):
    network = small_network()
    expected = network[0].weight.detach().clone()
    seen = []

    def loss(step: int):
        seen.append(network[0].weight.detach().clone())
        return small_loss(network)(step)

    averaged = Run(tmp_path, 1e-2, steps=30).train(network, head_optimisers(network), loss, Recipe(average_decay=0.7))
    for step, weights in enumerate([*seen[1:], network[0].weight.detach()], start=1):
        decay = min(0.7, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weights
    torch.testing.assert_close(averaged[0].weight.detach(), expected, atol=1e-6, rtol=1e-5)


def test_the_learning_rate_rises_and_falls_with_the_budget(tmp_path):
    network, rates = small_network(), []
    optimisers = head_optimisers(network)

    def loss(step: int):
        rates.append(optimisers[0].param_groups[0]["lr"])  # of the step before
        return small_loss(network)(step)

    Run(tmp_path, 0.5, steps=200).train(network, optimisers, loss, Recipe(warm_up_steps=50, final_rate=0.1))
    warm_up = np.minimum(np.arange(1, 200) / 20, 1)  # a tenth of the steps at most
    cosine = 0.1 + 0.9 * (0.5 + 0.5 * np.cos(np.pi * np.arange(199) / 200))
    np.testing.assert_allclose(rates[1:], 0.5 * warm_up * cosine, rtol=1e-9)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    train_small(small_network(), tmp_path, 2)
    other = nn.Sequential(nn.Linear(3, 9), nn.SiLU(), nn.Linear(9, 1))
    with pytest.raises(EngineError, match="choose another --output"):
        train_small(other, tmp_path, 4)


def test_a_gradient_that_is_not_finite_is_left_out(tmp_path):
    network = small_network()

    def loss(step: int):
        value, values = small_loss(network)(step)
        return value * (float("nan") if step == 5 else 1.0), values

    Run(tmp_path, 1e-2, steps=10).train(network, head_optimisers(network), loss, Recipe())
    assert all(bool(weights.isfinite().all()) for weights in network.state_dict().values())


def sphere_solid(radius: float = 0.2) -> HeadSolid:
    """A ground-truth solid whose skin is one sphere; pocket, gums and tongue are a speck deep inside it."""
    skin, triangles = sphere((0, 0, 0), radius)
    speck, speck_triangles = sphere((0, 0, -0.1), 0.001, 8)
    inner = speck_triangles + len(skin)
    topology = SimpleNamespace(
        mouth_corners=np.array([0, 1]),
        solid=triangles,
        cap_loops=[],
        pocket=inner,
        pocket_loops=[],
        gums=inner,
        tongue=inner,
        tongue_loops=[],
        candidates=triangles,
        visible=np.arange(len(triangles)),
    )
    return HeadSolid(topology, np.concatenate([skin, speck]), throat=-1.0)


def test_signed_distance_of_a_sphere_is_its_closed_form():
    points = np.random.default_rng(0).uniform(-0.4, 0.4, (3000, 3))
    points = points[points[:, 1] > -0.3]
    expected = np.linalg.norm(points, axis=1) - 0.2
    # 60 rings: the polyhedron lies up to 0.2 (1 - cos(pi / 60)) = 0.0003 inside the sphere.
    np.testing.assert_allclose(sphere_solid().signed_distance(points), expected, atol=6e-4)


def test_neck_plane_ends_the_solid():
    solid = sphere_solid(radius=0.7)
    points = np.array([[0.0, -0.55, 0.0], [0.0, -0.50, 0.0]])
    np.testing.assert_allclose(solid.signed_distance(points), [0.03, -0.02], atol=1e-3)


def test_boundary_loops_and_fans_close_a_mesh():
    vertices, triangles = sphere((0, 0, 0), 1.0, 12)
    opened = triangles[(triangles < 12 * 11).all(1)]  # both polar caps taken away
    loops = boundary_loops(opened)
    assert sorted(len(loop) for loop in loops) == [12, 12]
    closed_vertices, closed = close_with_fans(vertices, opened, loops)
    a, b, c = (closed_vertices[closed[:, corner]] for corner in range(3))
    assert boundary_loops(closed) == []
    volume = np.einsum("tc,tc->t", a, np.cross(b, c)).sum() / 6
    assert 3.5 < volume < 4 * np.pi / 3


def test_material_points_follow_their_triangle():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float64)
    triangles = np.array([[0, 1, 2]])
    material = np.array([[0, 0.5, 0.25, 0.0], [0, 1.0, 0.0, 2.0]])
    moved = vertices @ np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]]).T  # a rotation
    for mesh in (vertices, moved):
        positions, normals = material_positions(mesh, triangles, material)
        normal = np.cross(mesh[1] - mesh[0], mesh[2] - mesh[0])
        np.testing.assert_allclose(positions[0], 0.5 * mesh[0] + 0.25 * mesh[1] + 0.25 * mesh[2], atol=1e-6)
        np.testing.assert_allclose(positions[1], mesh[0] + 0.008 * normal, atol=1e-6)
        np.testing.assert_allclose(normals[0], normal, atol=1e-6)


def test_random_weights_are_possible_faces():
    random = np.random.default_rng(0)
    drawn = np.stack([random_weights(random) for _ in range(400)])
    column = ARKIT_NAMES.index
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert (drawn[:, column("mouthClose")] <= drawn[:, column("jawOpen")]).all()
    assert (drawn[:, column("jawLeft")] * drawn[:, column("jawRight")] == 0).all()
    assert (drawn[:, [i for i, name in enumerate(ARKIT_NAMES) if name != "tongueOut"]].max(0) > 0.2).all()


def test_a_name_without_side_sets_both_sides():
    weights = named_weights({"eyeBlink": 1.0, "jawOpen": 0.5})
    assert weights.sum() == 2.5
    assert weights[ARKIT_NAMES.index("eyeBlinkRight")] == 1.0


def write_obj(path, vertices):
    lines = [f"v {x} {y} {z}" for x, y, z in vertices] + ["vt 0 0", "vt 1 0", "vt 1 1", "vt 0 1"]
    path.write_text("\n".join([*lines, "usemtl M_Face", "f 1/1 2/2 3/3 4/4", "f 1/1/1 3/3/1 5/2/1"]) + "\n")


def test_converter_keeps_meshes_and_displacements(tmp_path):
    vertices = np.random.default_rng(0).normal(size=(5, 3)).round(4)
    write_obj(tmp_path / converter.NEUTRAL, vertices)
    moved = {name: vertices + 0.25 * (1 + number) for number, name in enumerate(["identity000", *ICT_NAMES])}
    for name, shape in moved.items():
        write_obj(tmp_path / f"{name}.obj", shape)
    converter.convert(tmp_path, tmp_path / "out" / "kit.npz", identities=1)
    with np.load(tmp_path / "out" / "kit.npz", allow_pickle=False) as archive:
        np.testing.assert_allclose(archive["neutral"], vertices, atol=1e-6)
        np.testing.assert_allclose(archive["identity"][0], 0.25, atol=1e-3)
        np.testing.assert_allclose(archive["expression"][5], 0.25 * 7, atol=1e-3)
        assert archive["poly"].tolist() == [[0, 1, 2, 3], [0, 2, 4, -1]]
        assert archive["poly_uv"].tolist() == [[0, 1, 2, 3], [0, 2, 1, -1]]
        assert archive["tri_poly"].tolist() == [0, 0, 1]
        assert set(archive["tri"][:2].ravel()) == {0, 1, 2, 3}


def test_converter_names_the_missing_file(tmp_path):
    write_obj(tmp_path / converter.NEUTRAL, np.zeros((5, 3)))
    with pytest.raises(EngineError, match=r"identity000\.obj is missing"):
        converter.convert(tmp_path, tmp_path / "kit.npz", identities=1)


def test_stored_template_displacements_are_read_back_where_they_were():
    shape = (9, len(ARKIT_NAMES) + 1)
    dense = np.random.default_rng(0).normal(size=(*shape, 3)) * np.random.default_rng(1).integers(0, 2, (*shape, 1))
    moved, displacement = sparse_displacements(dense)
    read = Template.of(
        {
            "vertices": torch.zeros(9, 3),
            "polygons": torch.tensor([[0, 1, 2, -1]], dtype=torch.int32),
            "polygon_uv": torch.zeros(1, 4, 2),
            "regions": torch.full((9, 1), 255, dtype=torch.uint8),
            "lip_upper": torch.zeros(2, 3),
            "lip_lower": torch.zeros(2, 3),
            "identity_modes_q": torch.zeros(1, 9, 3, dtype=torch.int8),
            "identity_modes_scale": torch.zeros(1),
            "displacement_moved": torch.from_numpy(moved),
            "displacement": torch.from_numpy(displacement).float(),
        }
    ).displacements()
    np.testing.assert_allclose(read.numpy(), dense, atol=1e-6)


def test_orthogonalised_matrices_keep_their_directions():
    generator = torch.Generator().manual_seed(0)
    for shape in ((2, 3, 8, 8), (5, 12), (12, 5)):
        left, values, right = torch.linalg.svd(torch.randn(shape, generator=generator), full_matrices=False)
        stretched = left @ torch.diag_embed(torch.linspace(0.1, 1, values.shape[-1]).expand_as(values)) @ right
        nearest = left.mT @ orthogonalised(stretched) @ right.mT  # diagonal where the singular vectors are kept
        diagonal = torch.diagonal(nearest, dim1=-2, dim2=-1)
        assert (nearest - torch.diag_embed(diagonal)).abs().max() < 1e-3
        assert diagonal.min() > 0.6
        assert diagonal.max() < 1.3


def test_muon_trains_the_matrices_it_is_given(tmp_path):
    torch.manual_seed(5)
    network = nn.Sequential(nn.Linear(3, 24), nn.SiLU(), nn.Linear(24, 24), nn.SiLU(), nn.Linear(24, 1))
    before = small_loss(network)(1000)[0].item()
    for cut in (70, None):
        averaged = train_small(network, tmp_path, 150, cut, matrices=[network[2].weight])
    assert small_loss(averaged)(1000)[0].item() < 0.5 * before
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["optimisers"]
    assert [len(state["state"]) for state in saved] == [5, 1]


@torch.no_grad()
def test_an_error_along_the_normal_costs_more_than_one_across_it():
    network = new_expression_network(0, {"width": 32})
    last_linear(network.deformation.layers).weight.zero_()  # it leaves every point where it is
    shape = (2, SURFACE_SHARE + SHELL_SHARE, 3)
    posed, normals = torch.rand(shape) * 0.1, torch.tensor([0.0, 0.0, 1.0]).expand(shape)
    batch = {"identity": torch.zeros(2, 1344), "expression": torch.zeros(2, 200), "posed": posed, "normals": normals}
    batch["offset"] = torch.zeros(shape[:2])
    along, across = (
        expression_losses(network, smoothing_mask(), batch | {"canonical": posed + UNITS_PER_MILLIMETRE * way})
        for way in (torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.0, 1.0, 0.0]))
    )
    assert along["surface"].item() == pytest.approx(across["surface"].item(), rel=1e-4)
    assert along["along"].item() == pytest.approx(1.0, rel=1e-3)
    assert across["along"].item() == pytest.approx(0.0, abs=1e-4)


def test_points_below_the_neck_lie_under_its_end_and_half_of_them_at_its_edge():
    random = np.random.default_rng(0)
    angle = random.uniform(0, 2 * np.pi, 300)
    surface = np.c_[0.2 * np.cos(angle), random.uniform(NECK_PLANE, NECK_PLANE + 0.3, 300), 0.2 * np.sin(angle)]
    below = _below_neck(surface, random)
    assert below.shape == (BELOW_SHARE, 3)
    assert (below[:, 1] <= NECK_PLANE).all()
    distance = np.abs(np.hypot(below[:, 0], below[:, 2]) - 0.2)
    assert (distance[: BELOW_SHARE // 2] < 0.08).all()
    assert (distance[BELOW_SHARE // 2 :] > 0.08).any()
