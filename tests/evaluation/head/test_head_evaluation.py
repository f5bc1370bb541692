"""The evaluation of the head against closed forms: every measure must see an error that was put there."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from closed_spheres import sphere
from scipy.spatial import cKDTree

from engine.head.polygons import triangulated
from engine.shared.units import UNITS_PER_MILLIMETRE
from evaluation.head import fixed_topology
from evaluation.head.fixed_topology import TemplateTruth, damaged_triangles
from evaluation.head.meshes import floating_pieces
from evaluation.head.poses import JUDGED_POSES, POSES, SHOWN_POSES, evaluation_poses, is_speech
from evaluation.head.surface_groups import seen
from evaluation.head.zero_level import nearest_feet
from training.head.sampling import SurfaceSampler

MILLIMETRE = UNITS_PER_MILLIMETRE


def directions(count: int, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(count, 3))
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_distance_and_normal_to_a_shifted_sphere():
    centre, radius = np.array([0.3, -0.1, 0.2]) * MILLIMETRE, 0.2
    points = radius * directions(500)  # of the unshifted sphere
    feet = nearest_feet(lambda query: (query - torch.from_numpy(centre).float()).norm(dim=1) - radius, points)
    from_centre = points - centre
    length = np.linalg.norm(from_centre, axis=1)
    assert feet.converged.all()
    assert np.allclose(feet.distance, np.abs(length - radius), atol=0.006 * MILLIMETRE)
    assert np.allclose(feet.normals, from_centre / length[:, None], atol=1e-3)


def test_distance_to_an_ellipsoid_whose_field_is_no_distance():
    axes = np.array([0.30, 0.20, 0.10])
    polar, around = np.meshgrid(np.linspace(0, np.pi, 1200), np.linspace(0, 2 * np.pi, 2400))
    shell = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], -1)
    reference = cKDTree(shell.reshape(-1, 3) * axes)
    points = directions(400) * axes + 3.0 * MILLIMETRE * directions(400, 1)
    feet = nearest_feet(lambda query: 0.3 * ((query / torch.from_numpy(axes).float()).square().sum(1) - 1), points)
    assert feet.converged.all()
    error = np.abs(feet.distance - reference.query(points)[0])
    assert error.mean() < 0.01 * MILLIMETRE
    assert error.max() < 0.1 * MILLIMETRE


def test_point_in_a_flat_field_takes_its_neighbours_foot():
    points = np.concatenate([0.2 * directions(4000), [[0.0, 0.0, 0.23]]])
    feet = nearest_feet(lambda query: (query.norm(dim=1) - 0.2).clamp(max=0.01), points)
    assert feet.converged.all()
    assert feet.distance[-1] == pytest.approx(0.03, abs=0.005)


def test_field_without_zero_level_does_not_pass_for_one():
    assert not nearest_feet(lambda query: query.norm(dim=1) + 1.0, 0.2 * directions(50)).converged.any()


def test_floating_blob_is_found_and_a_hollow_is_not():
    head, blob, hollow = sphere((0, 0, 0), 0.2), sphere((0.3, 0, 0), 2 * MILLIMETRE, 20), sphere((0, 0, 0), 0.05, 20)
    parts = [head, blob, (hollow[0], hollow[1][:, ::-1])]
    offsets = np.cumsum([0] + [len(part[0]) for part in parts])
    vertices = np.concatenate([part[0] for part in parts])
    faces = np.concatenate([part[1] + offset for part, offset in zip(parts, offsets, strict=False)])
    assert floating_pieces(vertices, faces) == [pytest.approx(4 / 3 * np.pi * 2**3, rel=0.05)]
    assert floating_pieces(*head) == []


def sheet(size: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """A flat square of quads, 1 mm each."""
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), -1).reshape(-1, 2)
    corner = np.array([row * size + column for row in range(size - 1) for column in range(size - 1)])
    quads = np.stack([corner, corner + size, corner + size + 1, corner + 1], 1)
    return np.c_[grid, np.zeros(len(grid))] * MILLIMETRE, quads


def test_flipped_and_torn_triangles_are_counted():
    true, quads = sheet()
    triangles = triangulated(quads)
    assert len(triangles) == 2 * len(quads)
    for found in (true, true + np.array([5.0, 0.0, 0.0]), 1.5 * true):
        assert not np.any(damaged_triangles(found, true, triangles))
    folded = true.copy()
    folded[14] += [1.5 * MILLIMETRE, 0, 0]  # past its neighbour
    flipped, torn = damaged_triangles(folded, true, triangles)
    assert 0 < flipped.sum() <= 6
    assert (triangles[flipped] == 14).any(1).all()
    lifted = true.copy()
    lifted[14] += [0, 0, 5 * MILLIMETRE]  # to the other lip
    flipped, torn = damaged_triangles(lifted, true, triangles)
    assert flipped.sum() == 0
    assert np.array_equal(torn, (triangles == 14).any(1))


def test_template_vertices_follow_the_triangles_they_lie_on(monkeypatch):
    kit_vertices, quads = sheet()
    triangles = triangulated(quads)
    random = np.random.default_rng(3)
    rows, weights = random.integers(0, len(triangles), 40), random.dirichlet((1, 1, 1), 40)
    on_sheet = np.einsum("nk,nkc->nc", weights, kit_vertices[triangles[rows]])
    away = on_sheet[:5] + np.array([0, 0, MILLIMETRE])
    template = SimpleNamespace(
        vertices=torch.from_numpy(np.concatenate([on_sheet, away])),
        polygons=np.array([[0, 1, 2, -1], [3, 4, 41, -1]]),
    )
    sampler = SimpleNamespace(
        triangles=triangles,
        topology=SimpleNamespace(
            face_kit=SimpleNamespace(neutral=kit_vertices, canonical=lambda vertices: vertices),
            visible=np.arange(len(triangles)),
        ),
    )
    sampler.place = lambda *arguments: SurfaceSampler.place(sampler, *arguments)
    monkeypatch.setattr(fixed_topology, "group_of_triangles", lambda _: np.full(len(triangles), "lips"))
    truth = TemplateTruth(sampler, template, seed=0)
    assert (truth.group[:40] == "lips").all()
    assert (truth.group[40:] == "").all()
    assert truth.lip_triangles.tolist() == [[0, 1, 2]]
    matrix = random.normal(size=(3, 3))
    posed = SimpleNamespace(
        vertices=kit_vertices @ matrix,
        normals=lambda rows: np.tile((0.0, 0, 1), (len(rows), 1)),
        inside=lambda points: np.zeros(len(points), bool),
    )
    assert np.allclose(truth.on(posed).positions[:40], on_sheet @ matrix, atol=1e-9)


def test_points_that_another_sheet_covers_are_not_seen():
    solid = SimpleNamespace(inside=lambda points: (points[:, 0] > 0) & (points[:, 2] > 0.3 * MILLIMETRE))
    positions = np.array([[-0.1, 0, 0], [0.1, 0, 0], [-0.1, -1.0, 0]])
    assert seen(solid, positions, np.tile((0.0, 0, 1), (3, 1))).tolist() == [True, False, False]


def test_judged_expressions_differ_between_heads_and_are_drawn_the_same_again():
    first, again, other = evaluation_poses(3), evaluation_poses(3), evaluation_poses(4)
    assert len(first) == POSES
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert all(np.array_equal(first[name], other[name]) == (name in JUDGED_POSES) for name in first)
    few = evaluation_poses(3, 6)
    assert len(few) == 6
    assert any(name.startswith("speech") for name in few)
    assert any(map(is_speech, few))
    assert set(SHOWN_POSES) <= set(JUDGED_POSES)
