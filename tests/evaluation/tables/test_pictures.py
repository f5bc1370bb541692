"""FID and KID: the network's sizes, closed forms of the distances; pictures of a mouth where it is."""

import numpy as np
import pytest
import torch

from engine.shared.errors import EngineError
from evaluation.tables.crops import GRAY, Frame, face_pictures, mouth_pictures
from evaluation.tables.inception import Inception, frechet_distance, kernel_distance, picture_features


def test_the_network_has_the_published_sizes():
    with torch.device("meta"):
        state = Inception().state_dict()
    assert state["Conv2d_1a_3x3.conv.weight"].shape == (32, 3, 3, 3)
    assert state["Mixed_5c.branch1x1.conv.weight"].shape == (64, 256, 1, 1)
    assert state["Mixed_6b.branch7x7dbl_5.conv.weight"].shape == (192, 128, 1, 7)
    assert state["Mixed_7a.branch3x3_2.conv.weight"].shape == (320, 192, 3, 3)
    assert state["Mixed_7c.branch_pool.conv.weight"].shape == (192, 2048, 1, 1)
    # InceptionV3 of 27,161,264 parameters, less its two classifiers: 2,049,000 and 3,326,696.
    assert sum(t.numel() for name, t in state.items() if name.endswith(("weight", "bn.bias"))) == 21_785_568


def test_features_of_pictures():
    torch.manual_seed(0)
    network = Inception(divisor=32).eval()
    features = picture_features(network, np.random.default_rng(0).random((3, 80, 80)))
    assert features.shape == (3, 10 + 4 * 12 + 6)
    assert torch.isfinite(features).all()


def gaussian_clips(generator, mean, deviation, clips=8, pictures=500):
    return list(torch.from_numpy(mean + deviation * generator.standard_normal((clips, pictures, 6))).float())


def test_the_frechet_distance_of_two_gaussians():
    generator = np.random.default_rng(0)
    reference = gaussian_clips(generator, 0.0, 1.0)
    found = frechet_distance(gaussian_clips(generator, 0.5, 2.0), reference)
    # Squared difference of means, and of deviations where covariances are diagonal.
    assert found.value == pytest.approx(6 * 0.25 + 6 * 1.0, rel=0.05)
    assert found.interval[0] < found.value < found.interval[1]
    assert found.n == 8
    assert frechet_distance(reference, reference).value == pytest.approx(0, abs=1e-6)


def test_the_kernel_distance_of_two_gaussians():
    generator = np.random.default_rng(0)
    reference = gaussian_clips(generator, 0.0, 1.0)
    alike = kernel_distance(gaussian_clips(generator, 0.0, 1.0), reference)
    assert alike.value == pytest.approx(0, abs=0.05)
    # Constant features 2 and 0: the kernel (x.y / d + 1) ** 3 is 125 among the first, else 1.
    assert kernel_distance([torch.full((60, 6), 2.0)], [torch.zeros(60, 6)]).value == pytest.approx(124, rel=1e-4)


def test_too_few_pictures_are_refused():
    with pytest.raises(EngineError, match="at least two pictures"):
        frechet_distance([torch.zeros(1, 6)], [torch.zeros(5, 6)])


def test_the_mouth_is_in_the_middle():
    corners = np.array([[-0.2, -0.2, 0], [0.2, -0.2, 0], [0.2, 0.2, 0], [-0.2, 0.2, 0]])
    square = corners + np.array([0.3, -0.5, 0.1])
    frame = Frame(square, np.array([[0, 1, 2], [0, 2, 3]]))
    faces = face_pictures([frame, frame], square.mean(axis=0))
    assert faces.shape == (2, 224, 224)
    rows, columns = np.nonzero(faces[0] < 0.9)
    assert (rows.min() + rows.max()) / 2 == pytest.approx(111.5, abs=1)
    assert (columns.min() + columns.max()) / 2 == pytest.approx(111.5, abs=1)
    assert np.ptp(columns) == pytest.approx(224 * 0.4 / 1.12, abs=2)
    assert faces[0, 112, 112] < GRAY
    mouths = mouth_pictures(faces)
    assert mouths.shape == (2, 80, 80)
    assert (mouths < 0.9).mean() > 0.95
