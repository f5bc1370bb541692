"""FLAME takes become vertex sequences that the tables read, and caches that Blender plays."""

import struct

import numpy as np
import pytest
import soundfile

from engine.shared.errors import EngineError
from evaluation.tables.methods import Clip, VertexSequences
from training.capture.flame_model import FlameModel
from training.flame_sequences import positions, write_sequences


@pytest.fixture
def model():
    """A tetrahedron of a head's size that two expressions move along y and z."""
    template = np.array([[-0.07, 0, 0.1], [0.07, 0, 0.1], [0, 0.25, 0.1], [0, 0, -0.1]])
    expressions = np.zeros((2, 4, 3))
    expressions[0, 0, 1], expressions[1, 1, 2] = 1.0, 1.0
    triangles = np.array([[0, 1, 2], [0, 2, 3], [1, 3, 2], [0, 3, 1]])
    nowhere = np.full(68, -1)
    return FlameModel(template, triangles, np.zeros((0, 4, 3)), expressions, nowhere, np.zeros((68, 3)))


@pytest.fixture
def takes(tmp_path):
    coefficients = np.random.default_rng(0).normal(0, 0.01, (24, 2)).astype(np.float32)
    codes = tmp_path / "takes" / "a_b" / "nphm_tracking" / "nphm_expressions"
    codes.mkdir(parents=True)
    (codes.parents[1] / "audio").mkdir()
    soundfile.write(codes.parents[1] / "audio" / "cleaned_audio.wav", np.zeros(16000), 16000)
    for number, code in enumerate(coefficients):
        np.savez(codes / f"frame_{number:05d}.npz", expression=code)
    return tmp_path / "takes", coefficients


def test_the_tables_and_blender_read_the_same_vertices(takes, model, tmp_path):
    folder, coefficients = takes
    assert write_sequences(folder, model, tmp_path / "out") == ["a_b"]
    read = VertexSequences("flame", tmp_path / "out")
    found = read.positions(Clip("a_b", np.zeros(0))) / 4  # units of 0.25 m
    expected = np.repeat(model.template[None], 24, axis=0)
    expected[:, 0, 1] += coefficients[:, 0]
    expected[:, 1, 2] += coefficients[:, 1]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert read.rate == 24
    cache = (tmp_path / "out" / "a_b.pc2").read_bytes()
    assert struct.unpack("<12siiffi", cache[:32]) == (b"POINTCACHE2\0", 1, 4, 0.0, 1.0, 24)
    points = np.frombuffer(cache[32:], "<f4").reshape(24, 4, 3)
    np.testing.assert_array_equal(points, np.load(tmp_path / "out" / "a_b.npy"))
    np.testing.assert_allclose(points[3, 2], (0, -0.1, 0.25), atol=1e-6)  # Blender's axes


def test_coefficients_of_another_model_are_refused(model):
    with pytest.raises(EngineError, match="have 3 coefficients and this FLAME 2 expression components"):
        positions(model, np.zeros((5, 3)))
