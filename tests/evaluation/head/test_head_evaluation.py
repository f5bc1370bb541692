"""The evaluation of the head against closed forms: every measure must see an error that was put there."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from closed_spheres import sphere
from scipy.spatial import cKDTree

from evaluation.head import evaluate, fixed_topology
from evaluation.head.fixed_topology import TemplateTruth, damaged_triangles, triangulated
from evaluation.head.meshes import floating_pieces
from evaluation.head.openings import (
    SECTION_STEP,
    SIGHT,
    LipSheets,
    lid_opening,
    lip_opening,
    middle_section,
    sight_lines,
    wrong_shares,
)
from evaluation.head.poses import JUDGED_POSES, POSES, SHOWN_POSES, evaluation_poses, is_speech
from evaluation.head.report import report_text
from evaluation.head.results import Results
from evaluation.head.surface_groups import GROUPS, seen
from evaluation.head.zero_level import nearest_feet
from training.head.ict import UNITS_PER_MILLIMETRE
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
    template = {
        "vertices": torch.from_numpy(np.concatenate([on_sheet, away])),
        "polygons": torch.tensor([[0, 1, 2, -1], [3, 4, 41, -1]]),
    }
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


@pytest.mark.parametrize("gap", [0.0, 0.4, 3.0])
def test_lip_opening_is_the_gap_between_two_lips(gap):
    y, z = np.meshgrid(np.arange(-40, 41) * SECTION_STEP, np.arange(-30, 31) * SECTION_STEP, indexing="ij")
    radius = 4.0 * MILLIMETRE
    middle = radius + (gap / 2 if gap else -0.1) * MILLIMETRE  # sealed lips press on each other
    section = np.minimum(np.hypot(y - middle, z), np.hypot(y + middle, z)) - radius
    seeds = np.array([[40 + 12, 30], [40 - 12, 30]])
    assert lip_opening(section, seeds) == pytest.approx(gap, abs=0.15)


def test_middle_of_a_ball_is_a_dense_circle():
    vertices, triangles = sphere((0.01, 0, 0), 0.1)
    points = middle_section(vertices[triangles])
    radius = np.sqrt(0.1**2 - 0.01**2)
    assert np.allclose(np.linalg.norm(points, axis=1), radius, atol=1e-3)
    around = radius * np.stack([np.cos(np.linspace(0, 7, 900)), np.sin(np.linspace(0, 7, 900))], 1)
    assert cKDTree(points).query(around)[0].max() < 1e-3


@pytest.mark.parametrize("gap", [-0.3, 0.4, 3.0])
def test_lips_are_apart_by_the_gap_of_their_sheets_whatever_stands_behind(gap):
    radius = 4.0 * MILLIMETRE
    upper, lower, tooth = (sphere((0.0, y, 0.0), radius) for y in (radius, -radius, 0.0))
    vertices = np.concatenate([upper[0], lower[0], tooth[0]])
    count = len(upper[0])
    triangles = np.concatenate([upper[1], lower[1] + count])
    landmarks = np.zeros(68, int)
    inner = [
        int(np.abs(vertices[part]).sum(1).argmin()) + start
        for part, start in ((slice(0, count), 0), (slice(count, 2 * count), count))
    ]
    landmarks[48:68] = np.repeat(inner, 10)
    landmarks[[62, 66]] = inner
    kit = SimpleNamespace(
        neutral=vertices, canonical=lambda head: head, landmarks=landmarks, submesh=lambda *names: triangles
    )
    posed = vertices.copy()
    posed[:count, 1] += gap * MILLIMETRE
    assert LipSheets(kit).opening(posed) == pytest.approx(max(gap, 0.0), abs=0.06)


def test_lid_opening_is_the_height_over_which_the_eyeball_is_seen():
    vertices, triangles = sphere((0.1, 0.05, 0.0), 15 * MILLIMETRE)
    lines = sight_lines(vertices, triangles, np.array([0.1, 0.05, 15 * MILLIMETRE]))
    x, y, z = np.moveaxis(lines, 2, 0) - np.array([0.1, 0.05, 0.0])[:, None, None]
    front = np.sqrt((15 * MILLIMETRE) ** 2 - y[:, :1] ** 2)
    assert np.allclose(x, 0)
    assert np.allclose(z, front + SIGHT, atol=0.1 * MILLIMETRE)
    assert lid_opening(np.ones(y.shape, bool)) == pytest.approx(22.0, abs=0.3)
    lid = (np.abs(z - 17 * MILLIMETRE) < MILLIMETRE) & (y > 4 * MILLIMETRE)  # thin, with air behind it
    lower_lid = (z < 16 * MILLIMETRE) & (y < -4 * MILLIMETRE)
    assert lid_opening(~lid & ~lower_lid) == pytest.approx(8.0, abs=0.5)


def test_wrong_solid_and_wrong_air_leave_the_surface_out():
    true = np.array([3.0, 3.0, 3.0, 3.0, 0.2, -0.2, -3.0, -3.0]) * MILLIMETRE
    found = np.array([1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0, -1.0]) * MILLIMETRE
    assert wrong_shares(true, found) == {"solid_in_air": 0.25, "air_in_solid": 0.5}


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


def measured_head(number: int, poses: int = 4, points: int = 60, error: float = 0.1) -> dict[str, np.ndarray]:
    """Arrays as `HeadEvaluation.measure` gives them, every distance `error` mm but for NaN at unseen points."""
    distance = np.full((poses, points), error, np.float16)
    distance[:, ::7] = np.nan
    cosine = np.where(np.isnan(distance), np.nan, 0.99).astype(np.float16)
    records = [
        {
            "identity": number,
            "pose": name,
            "floating": [],
            "true_opening": opening,
            "true_solid_opening": opening,
            "field_opening": opening + 0.3,
            "engine_opening": opening,
            "true_lids": [8.0, 8.0],
            "field_lids": [7.5, 8.0],
            "table_flipped": 2,
            "table_torn": 0,
            "roots_flipped": 0,
            "roots_torn": 1,
        }
        for name, opening in (("neutral", 0.0), ("jawOpen 1", 30.0), ("blink", 0.1), ("speech 1", 4.0))
    ][:poses]
    records[1] |= {"solid_in_air": 0.02, "air_in_solid": 0.0, "floating": [12.5]}
    canonical = {
        f"canonical_{name}": values[:1]
        for name, values in (("distance", distance), ("cosine", cosine), ("astray", 0 * cosine))
    }
    template = {
        f"template_{way}_{name}": np.full((poses, 6), error)
        for way in ("table", "roots")
        for name in ("to_field", "to_truth")
    }
    return (
        canonical
        | template
        | {
            "posed_distance": distance,
            "posed_cosine": cosine,
            "posed_astray": 0 * cosine,
            "extracted_distance": distance,
            "extracted_group": np.tile(np.arange(points) % len(GROUPS), (poses, 1)),
            "records": np.array(json.dumps(records)),
            "template": np.array(
                json.dumps({"vertices": 9, "polygons": 4, "quads": 0.75, "lip_triangles": 5, "milliseconds": 1.5})
            ),
        }
    )


def results() -> Results:
    """Two heads of 60 points in turn from all groups; the second is off by three times as much."""
    return Results(
        [measured_head(0), measured_head(1, error=0.3)],
        np.array(GROUPS * 10),
        np.repeat(["face", "lips", "eyelids"], 2),
    )


def test_summary_pools_points_and_keeps_speech_apart():
    summary = results().summary()
    assert (summary["identities"], summary["poses"]) == (2, 4)
    face = summary["surface"]["posed"]["face"]
    assert face["mean"] == pytest.approx(0.2, abs=1e-3)
    assert face["p95"] == pytest.approx(0.3, abs=1e-3)
    field = summary["lips"]["field"]  # neutral and the moment of speech
    assert field["mean"] == pytest.approx(0.3)
    assert field["poses"] == 4
    assert field["sealed_poses"] == 2
    assert field["sealed_share"] == 1.0
    assert field["sealed_largest"] == pytest.approx(0.3)
    assert summary["lids"]["mean"] == pytest.approx(0.25)
    assert summary["lids"]["blink_field"] == pytest.approx(7.75)
    assert summary["mouth"]["poses"] == 2
    assert summary["mouth"]["solid_in_air_mean"] == pytest.approx(0.02)
    assert summary["floating"] == {"surfaces": 8, "with_pieces": 2, "pieces": 2, "largest": 12.5}
    assert summary["template"]["table"]["flipped"] == {"all": 16, "most": 2}
    assert summary["by_head"][1]["lips"] == pytest.approx(0.3, abs=1e-3)


def test_report_shows_the_figures():
    text = report_text(results().summary() | {"resolution": 128})
    assert "2 heads in 4 of" in text
    assert "| mean | 0.200 |" in text
    assert "75.0 % quads" in text
    assert "The field holds 2 solid pieces" in text
    assert "nan" not in text


def test_interrupted_evaluation_goes_on_and_other_weights_start_anew(tmp_path, monkeypatch):
    calls = []

    class Evaluation:
        def __init__(self, *_):
            self.points = SimpleNamespace(group=np.array(GROUPS * 10))
            self.template = SimpleNamespace(group=np.repeat(["face", "lips", "eyelids"], 2), sample=np.arange(6))

        def measure(self, number: int, poses: int) -> dict[str, np.ndarray]:
            calls.append(number)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return measured_head(number, poses)

    monkeypatch.setattr(evaluate, "HeadEvaluation", Evaluation)
    monkeypatch.setattr(evaluate, "error_maps", lambda *_: np.zeros((4, 4, 3)))
    arguments = (None, "starter", tmp_path / "report", tmp_path / "parts", 2, 4)
    with pytest.raises(KeyboardInterrupt):
        evaluate.evaluate_head(*arguments)
    assert evaluate.evaluate_head(*arguments)["identities"] == 2
    assert calls == [0, 1, 1]
    assert json.loads((tmp_path / "report" / "head.json").read_text())["identities"] == 2
    monkeypatch.setattr(evaluate, "_digest", lambda _: "others")
    evaluate.evaluate_head(*arguments, first=1)
    assert calls == [0, 1, 1, 1, 0]
