"""FLAME: alignment in closed form, a fit of a small model whose truth is known, files that run nothing."""

import pickle
import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from closed_spheres import sphere
from scipy.sparse import csc_matrix
from scipy.spatial.transform import Rotation

from engine.shared.errors import EngineError
from training.capture.alignment import aligned, fitted
from training.capture.flame_fitting import FlameOptions, fit_flame, fit_folder, read_fit, rotation_matrices
from training.capture.flame_model import FLAME_SHAPES, FlameModel, read_flame
from training.capture.layout import save_arrays
from training.capture.plain_pickles import read_pickle
from training.capture.points import Cloud, cloud_path


def small_model() -> FlameModel:
    """A ball of 9 cm with three smooth shapes and two smooth expressions."""
    vertices, triangles = sphere((0.0, 0.0, 0.0), 0.09, rings=24)
    x, y, z = (vertices / 0.09).T
    zero = np.zeros_like(x)
    shapes = 0.004 * np.stack([np.stack(part, 1) for part in ((x, zero, zero), (zero, y, zero), (zero, zero, y * z))])
    front = np.exp(-4 * (1 - z))
    expressions = 0.008 * np.stack([np.stack(part, 1) for part in ((zero, front * y, zero), (front * x, zero, zero))])
    landmarks = np.random.default_rng(0).choice(np.flatnonzero(triangles.max(1) < len(vertices)), 68, replace=False)
    shares = np.random.default_rng(1).dirichlet(np.ones(3), 68)
    return FlameModel(vertices, triangles, shapes, expressions, landmarks, shares)


def small_sequence(model: FlameModel, frames: int = 4):
    """True vertices (N, V, 3) in the world, landmarks and points of a sequence of the small model."""
    random = np.random.default_rng(2)
    shape = np.array([1.0, -1.5, 0.5])
    expression = np.stack([np.sin(np.arange(frames)), np.cos(np.arange(frames))], 1)
    still = model.template + np.tensordot(shape, model.shapes, 1) + np.tensordot(expression, model.expressions, 1)
    turns = Rotation.from_rotvec(np.radians(20 + np.arange(frames))[:, None] * [0.0, 1.0, 0.0]).as_matrix()
    vertices = 1.1 * np.einsum("nij,nvj->nvi", turns, still) + [0.02, 0.3, -0.1]
    clouds = []
    for moved in vertices:
        corners = moved[model.triangles[random.integers(len(model.triangles), size=6000)]]
        points = np.einsum("pkc,pk->pc", corners, random.dirichlet(np.ones(3), 6000))
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        clouds.append(Cloud(points.astype(np.float32), normals.astype(np.float32)))
    return vertices, model.landmarks(vertices), clouds


def test_a_similarity_is_found_exactly():
    points = np.random.default_rng(0).normal(size=(20, 3))
    turn = Rotation.from_euler("xyz", [20, -50, 130], degrees=True).as_matrix()
    target = 1.7 * points @ turn.T + [3.0, -2.0, 0.5]
    found = fitted(points, target, scaled=True)
    assert found.scale == pytest.approx(1.7)
    np.testing.assert_allclose(found.rotation, turn, atol=1e-12)
    np.testing.assert_allclose(found.apply(points), target, atol=1e-12)
    np.testing.assert_allclose(found.inverse(target), points, atol=1e-12)
    assert fitted(points, target, scaled=False).scale == 1.0


def test_a_mirrored_target_is_met_by_a_rotation():
    points = np.random.default_rng(0).normal(size=(20, 3))
    assert np.linalg.det(fitted(points, points * (-1, 1, 1), scaled=True).rotation) == pytest.approx(1.0)


def test_landmarks_farther_than_two_centimetres_do_not_count():
    template = 0.1 * np.random.default_rng(0).normal(size=(68, 3))
    measured = template + np.array([0.5, 0.0, 0.2])
    measured[3] += 0.08
    measured[7] = np.nan
    found, inliers = aligned(template, measured)
    assert np.flatnonzero(~inliers).tolist() == [3, 7]
    np.testing.assert_allclose(found.apply(template[inliers]), measured[inliers], atol=1e-12)


def test_rotations_are_those_of_scipy_and_have_a_gradient_at_zero():
    vectors = torch.tensor([[0.3, -0.2, 0.5], [0.0, 0.0, 0.0]], requires_grad=True)
    found = rotation_matrices(vectors)
    np.testing.assert_allclose(found.detach(), Rotation.from_rotvec(vectors.detach().numpy()).as_matrix(), atol=1e-6)
    found[1, 0, 1].backward()
    assert vectors.grad[1].tolist() == pytest.approx([0.0, 0.0, -1.0])


def test_a_fit_finds_the_true_surface():
    model = small_model()
    vertices, landmarks, clouds = small_sequence(model)
    landmarks[0, 5] += 0.5
    landmarks[1, 6] = np.nan
    fit = fit_flame(model, landmarks, clouds, FlameOptions(steps=400, learning_rate=0.03))
    for frame, true in enumerate(vertices):
        found = fit.pose(frame).apply(fit.still(model, frame))
        assert np.linalg.norm(found - true, axis=1).mean() < 0.001


def test_a_frame_without_a_face_is_named():
    model = small_model()
    _, landmarks, clouds = small_sequence(model)
    landmarks[2] = np.nan
    with pytest.raises(EngineError, match="frame 2 are not those of a face"):
        fit_flame(model, landmarks, clouds)


def test_a_sequence_is_fitted_once_and_written_whole(tmp_path):
    model = small_model()
    _, landmarks, clouds = small_sequence(model, frames=2)
    folder = tmp_path / "001_A"
    for frame, cloud in enumerate(clouds):
        save_arrays(cloud_path(folder, frame), points=cloud.points, normals=cloud.normals)
    save_arrays(folder / "point_clouds/landmarks.npz", landmarks=landmarks)
    assert fit_folder(folder, model, FlameOptions(steps=2)) == 2
    meshes = sorted(path.name for path in (folder / "flame_2023_tracking/flame_meshes").iterdir())
    assert meshes == ["frame_00000.ply", "frame_00001.ply"]
    assert (folder / "flame_2023_tracking/flame_2023_template.ply").is_file()
    before = read_fit(folder)
    fit_folder(folder, model, FlameOptions(steps=50))
    np.testing.assert_array_equal(read_fit(folder).expression, before.expression)


class Chumpy:
    """Stands for chumpy's array, which FLAME's files are made of."""

    def __init__(self, values: np.ndarray) -> None:
        self.x = values


@pytest.fixture
def chumpy(monkeypatch):
    package, module = ModuleType("chumpy"), ModuleType("chumpy.ch")
    monkeypatch.setitem(sys.modules, "chumpy", package)
    monkeypatch.setitem(sys.modules, "chumpy.ch", module)
    made = type("Ch", (Chumpy,), {"__module__": "chumpy.ch"})
    module.Ch = made
    return made


@pytest.mark.parametrize("protocol", range(6))
def test_pickled_arrays_are_read(tmp_path, chumpy, protocol):
    values = np.random.default_rng(0).normal(size=(4, 3))
    content = {
        "v_template": chumpy(values),
        "f": np.arange(6, dtype=np.uint32).reshape(2, 3),
        "fortran": np.asfortranarray(values.astype(np.float32)),
        "J_regressor": csc_matrix(np.eye(3)),
        "number": np.float32(0.5),
        "text": "female",
        "list": [1, 2.0, None],
    }
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(content, protocol))
    found = read_pickle(tmp_path / "model.pkl")
    for name in ("f", "fortran"):
        np.testing.assert_array_equal(found[name], content[name])
    np.testing.assert_array_equal(found["v_template"], values)
    np.testing.assert_array_equal(found["J_regressor"]["data"], np.ones(3))
    assert (found["number"], found["text"], found["list"]) == (0.5, "female", [1, 2.0, None])


def test_a_pickled_npy_file_is_read(tmp_path):
    np.save(tmp_path / "embedding.npy", {"full_lmk_faces_idx": np.arange(68)[None]}, allow_pickle=True)
    np.testing.assert_array_equal(read_pickle(tmp_path / "embedding.npy")["full_lmk_faces_idx"], np.arange(68)[None])


class Malicious:
    """Writes a file when it is unpickled."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return (exec, (f"open({str(self.path)!r}, 'w')",))


class System(Malicious):
    """The same through a module."""

    def __reduce__(self):
        import os

        return (os.system, (f"touch {self.path}",))


@pytest.mark.parametrize("kind", [Malicious, System])
@pytest.mark.parametrize("protocol", range(6))
def test_a_foreign_pickle_is_refused_and_never_run(tmp_path, kind, protocol):
    content = {"v_template": np.zeros((3, 3)), "extra": kind(tmp_path / "ran")}
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(content, protocol))
    with pytest.raises(EngineError, match="holds more than numbers"):
        read_pickle(tmp_path / "model.pkl")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("length", [0, 1, 40, 200])
def test_a_damaged_pickle_is_one_sentence(tmp_path, length):
    data = pickle.dumps({"v_template": np.zeros((30, 3))})
    (tmp_path / "model.pkl").write_bytes(data[:length])
    with pytest.raises(EngineError, match="damaged or no pickle"):
        read_pickle(tmp_path / "model.pkl")


def write_flame(folder, chumpy, landmarks: int = 68):
    """FLAME's two files in small."""
    random = np.random.default_rng(0)
    vertices, triangles = sphere((0, 0, 0), 0.1, rings=12)
    shapes = random.normal(size=(len(vertices), 3, FLAME_SHAPES + 10))
    model = {"v_template": vertices, "f": triangles.astype(np.uint32), "shapedirs": chumpy(shapes)}
    (folder / "flame.pkl").write_bytes(pickle.dumps(model, 2))
    names = ("full_lmk_faces_idx", "full_lmk_bary_coords") if landmarks == 68 else ("lmk_face_idx", "lmk_b_coords")
    embedding = dict(zip(names, (np.arange(landmarks), np.full((landmarks, 3), 1 / 3)), strict=True))
    np.save(folder / "embedding.npy", embedding, allow_pickle=True)
    return vertices, triangles, shapes


@pytest.mark.parametrize("landmarks", [68, 51])
def test_flame_is_read_from_its_own_files(tmp_path, chumpy, landmarks):
    vertices, triangles, shapes = write_flame(tmp_path, chumpy, landmarks)
    model = read_flame(tmp_path / "flame.pkl", tmp_path / "embedding.npy")
    np.testing.assert_allclose(model.expressions[9], shapes[:, :, -1], rtol=1e-6)
    assert len(model.shapes) == FLAME_SHAPES
    found = model.landmarks(vertices)
    assert np.isnan(found).any(1).sum() == 68 - landmarks
    np.testing.assert_allclose(found[68 - landmarks], vertices[triangles[0]].mean(0))


def test_a_pickle_that_is_not_flame_is_one_sentence(tmp_path, chumpy):
    write_flame(tmp_path, chumpy)
    (tmp_path / "flame.pkl").write_bytes(pickle.dumps({"v_template": np.zeros((4, 3))}))
    with pytest.raises(EngineError, match="are not FLAME"):
        read_flame(tmp_path / "flame.pkl", tmp_path / "embedding.npy")
