"""Expression fitting: the loss in closed form, windows, resumption, and codes of a head whose truth is known."""

import numpy as np
import pytest
import torch

from engine.bundle import Bundle
from engine.head import load_head
from engine.head.topology.correspondence import FixedTopologyHead
from engine.motion.codes import codes_from_weights
from engine.shared.errors import EngineError
from engine.shared.units import METRES_PER_UNIT, UNITS_PER_MILLIMETRE
from training.capture.alignment import Similarity
from training.capture.expression_fitting import (
    ExpressionFitter,
    FittingOptions,
    Progress,
    fit_folder,
    fit_sequence,
    read_identity,
    to_model_units,
    windows,
    write_codes,
)
from training.capture.layout import save_arrays
from training.capture.points import cloud_path
from training.head.ict import named_weights
from training.paper_dataset import read_codes

SMALL = FittingOptions(window=3, overlap=1, points=64, steps=3, learning_rate=0.01)


@pytest.fixture(scope="module")
def head():
    return load_head(Bundle.open("starter"))


@pytest.fixture(scope="module")
def motion(head):
    """Codes (5, E) of a mouth that opens, and vertices of the face (5, V, 3) in model units."""
    codes = np.stack(
        [
            codes_from_weights(named_weights({"jawOpen": amount}), head.arkit_map.basis)
            for amount in np.linspace(0, 0.6, 5)
        ]
    )
    fixed = FixedTopologyHead(head, None)
    vertices = np.stack([np.asarray(positions) for positions in fixed.positions(codes)])
    skin = fixed.regions[:, [list(head.regions.names).index(name) for name in ("skin", "lips")]].max(1) > 200
    front = (vertices[0, :, 2] > 0.0) & (vertices[0, :, 1] > -0.38)
    return codes, vertices[:, skin & front]


def test_windows_share_their_overlap_and_reach_the_end():
    assert windows(26, 10, 2) == [range(0, 10), range(8, 18), range(16, 26)]
    assert windows(27, 10, 2)[-1] == range(24, 27)
    assert windows(4, 10, 2) == [range(0, 4)]
    assert windows(10, 10, 2) == [range(0, 10)]


def test_points_come_into_model_units():
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    pose = Similarity(1.2, turn, np.array([0.1, 0.2, 0.3]))
    points = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(to_model_units(pose, pose.apply(METRES_PER_UNIT * points)), points, atol=1e-6)


def test_the_loss_is_that_of_the_paper(head, motion):
    codes = torch.as_tensor(motion[0][:2], dtype=torch.float32)
    points = torch.as_tensor(motion[1][:2, :50], dtype=torch.float32)
    fitter = ExpressionFitter(head, np.zeros(head.identity_dimensions), FittingOptions())
    distances = np.stack([head.signed_distance(points[row].numpy(), None, codes[row]) for row in range(2)])
    with torch.no_grad():
        np.testing.assert_allclose(fitter.distances(points, codes), distances, atol=2e-5)
        found = fitter.loss(points, codes).item()
    step = (codes[1] - codes[0]).abs().double().numpy()
    huber = np.where(step < 1, 0.5 * step**2, step - 0.5).sum()
    expected = 10 * np.abs(distances).mean(1).sum() + 0.1 * huber + 0.0025 * np.linalg.norm(codes, axis=1).sum()
    assert found == pytest.approx(expected, rel=1e-3)


def test_fitted_codes_are_those_that_made_the_points(head, motion):
    vertices = motion[1]
    fitter = ExpressionFitter(
        head, np.zeros(head.identity_dimensions), FittingOptions(points=200, steps=40, learning_rate=0.02)
    )
    found = fit_sequence(
        fitter, lambda frame: vertices[frame], 5, Progress(np.zeros((0, 200), np.float32)), lambda _: None
    )
    with torch.no_grad():
        points = torch.as_tensor(vertices[:, ::20], dtype=torch.float32)
        left, at_rest = (
            fitter.distances(points, torch.as_tensor(value, dtype=torch.float32)).abs().mean().item()
            for value in (found, np.zeros_like(found))
        )
    assert left < min(0.3 * UNITS_PER_MILLIMETRE, 0.5 * at_rest)
    jaw = found @ head.arkit_map.basis[:, list(named_weights({"jawOpen": 1})).index(1.0)]
    np.testing.assert_allclose(jaw, np.linspace(0, 0.6, 5), atol=0.12)


class Stopped(Exception):
    """Ends a fit in the middle."""


def test_a_stopped_fit_ends_with_the_codes_of_one_that_was_not(head, motion):
    fitter = ExpressionFitter(head, np.zeros(head.identity_dimensions), SMALL)
    nothing = Progress(np.zeros((0, 200), np.float32))
    reached = []

    def stop(progress):
        reached.append(progress)
        if progress.windows == 1:
            raise Stopped

    with pytest.raises(Stopped):
        fit_sequence(fitter, lambda frame: motion[1][frame], 5, nothing, stop)
    resumed = fit_sequence(fitter, lambda frame: motion[1][frame], 5, reached[-1], lambda _: None)
    whole = fit_sequence(fitter, lambda frame: motion[1][frame], 5, nothing, lambda _: None)
    np.testing.assert_array_equal(resumed, whole)


def write_sequence(folder, vertices):
    """Points of the world, half a metre away, and the pose that says so."""
    away = np.array([0.5, 0.0, 0.0])
    for frame, points in enumerate(vertices):
        world = (METRES_PER_UNIT * points + away).astype(np.float32)
        save_arrays(cloud_path(folder, frame), points=world, normals=np.zeros_like(world))
    count = len(vertices)
    save_arrays(folder / "point_clouds/landmarks.npz", landmarks=np.zeros((count, 68, 3)))
    save_arrays(
        folder / "flame_2023_tracking/parameters.npz",
        scale=np.array(1.0),
        rotation=np.zeros((count, 3)),
        translation=np.tile(away, (count, 1)),
        shape=np.zeros(2),
        expression=np.zeros((count, 2)),
    )
    (folder / "nphm_tracking").mkdir()
    np.save(folder / "nphm_tracking/identity.npy", np.zeros(1344, np.float32))


def test_a_dataset_gets_its_codes_once(tmp_path, head, motion):
    folder = tmp_path / "001_A"
    write_sequence(folder, motion[1][:4])
    assert fit_folder(folder, head, SMALL) == 4
    codes = read_codes(folder)
    assert codes.shape == (4, 200)
    first = folder / "nphm_tracking/nphm_expressions/frame_00000.npz"
    before = first.stat().st_mtime_ns
    fit_folder(folder, head, SMALL)
    assert first.stat().st_mtime_ns == before
    first.unlink()  # half written: made again from what was fitted
    fit_folder(folder, head, SMALL)
    np.testing.assert_array_equal(read_codes(folder), codes)
    fit_folder(folder, head, FittingOptions(window=3, overlap=1, points=64, steps=4, learning_rate=0.01))
    assert not np.array_equal(read_codes(folder), codes)


def test_an_identity_of_another_head_is_named(tmp_path, head):
    with pytest.raises(EngineError, match="is missing"):
        read_identity(tmp_path / "identity.npy", head)
    np.save(tmp_path / "identity.npy", np.zeros(10, np.float32))
    with pytest.raises(EngineError, match="has shape"):
        read_identity(tmp_path / "identity.npy", head)
    (tmp_path / "identity.npy").write_bytes(b"nonsense")
    with pytest.raises(EngineError, match="damaged"):
        read_identity(tmp_path / "identity.npy", head)


def test_codes_of_another_length_are_refused(tmp_path):
    write_codes(tmp_path, np.zeros((3, 200)))
    save_arrays(tmp_path / "nphm_tracking/nphm_expressions/frame_00001.npz", expression=np.zeros(100, np.float32))
    with pytest.raises(EngineError, match="has 100 numbers"):
        read_codes(tmp_path)
