"""`python -m engine`: real runs on the starter model, and one-line errors."""

import json
import subprocess
import sys

import numpy as np
import pytest
from repository import PARITY, ROOT

from engine.shared.arkit import ARKIT_NAMES

VOICE = ROOT / "demo" / "voice.wav"


def run(*arguments):
    command = [sys.executable, "-m", "engine", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def take(tmp_path_factory):
    path = tmp_path_factory.mktemp("take") / "take.npz"
    result = run("sample", "--audio", VOICE, "--output", path, "--duration", 1.5, "--seed", 3)
    assert result.returncode == 0, result.stderr
    return path


@pytest.mark.slow
def test_sample_writes_what_it_documents(take):
    with np.load(take, allow_pickle=False) as stored:
        assert stored["codes"].shape == (36, 200)
        assert np.isfinite(stored["codes"]).all()
        assert stored["weights"].shape == (36, len(stored["weight_names"]))
        assert stored["lip_opening_mm"].shape == (36,)
        assert (stored["lip_opening_mm"] >= 0).all()
        assert list(stored["weight_names"])[: len(ARKIT_NAMES)] == list(ARKIT_NAMES)
        assert stored["rate"] == 24.0
        assert stored["seed"] == 3


@pytest.mark.slow
def test_the_same_seed_gives_the_same_take(take, tmp_path):
    again = tmp_path / "again.npz"
    assert run("sample", "--audio", VOICE, "--output", again, "--duration", 1.5, "--seed", 3).returncode == 0
    other = tmp_path / "other.npz"
    assert run("sample", "--audio", VOICE, "--output", other, "--duration", 1.5, "--seed", 4).returncode == 0
    codes = [np.load(path, allow_pickle=False)["codes"] for path in (take, again, other)]
    np.testing.assert_array_equal(codes[0], codes[1])
    assert np.abs(codes[0] - codes[2]).max() > 1e-3


def read_ply(path):
    """A reader of its own: header by the PLY standard, numbers by NumPy."""
    data = path.read_bytes()
    end = data.index(b"end_header\n") + len(b"end_header\n")
    header = data[:end].decode().splitlines()
    assert header[:2] == ["ply", "format binary_little_endian 1.0"]
    counts = {line.split()[1]: int(line.split()[2]) for line in header if line.startswith("element")}
    properties = [line.split()[1:] for line in header if line.startswith("property") and "list" not in line]
    vertex_type = np.dtype([(name, {"float": "<f4", "uchar": "u1"}[kind]) for kind, name in properties])
    vertices = np.frombuffer(data, vertex_type, counts["vertex"], end)
    face_type = np.dtype([("count", "u1"), ("indices", "<i4", 3)])
    faces = np.frombuffer(data, face_type, counts["face"], end + vertices.nbytes)
    assert end + vertices.nbytes + faces.nbytes == len(data)
    assert (faces["count"] == 3).all()
    return np.stack([vertices[axis] for axis in "xyz"], -1), faces["indices"]


@pytest.mark.slow
def test_surface_writes_heads_in_metres_facing_minus_y(take, tmp_path):
    result = run("surface", "--take", take, "--output", tmp_path, "--resolution", 64, "--frames", "2:4")
    assert result.returncode == 0, result.stderr
    paths = sorted(tmp_path.glob("*.ply"))
    assert [path.name for path in paths] == ["frame_00002.ply", "frame_00003.ply"]
    vertices, faces = read_ply(paths[0])
    assert faces.min() == 0
    assert faces.max() == len(vertices) - 1
    size = np.ptp(vertices, axis=0)
    assert (size > 0.15).all()
    assert (size < 0.4).all()
    corners = vertices[faces].astype(float)
    volume = np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    assert 0.002 < volume < 0.01  # litres of a human head, faces outward
    nose = vertices[np.argmin(vertices[:, 1])]
    assert abs(nose[0]) < 0.01  # the foremost point lies on the mid-line


@pytest.mark.slow
def test_info_prints_json():
    result = run("info", "--json")
    assert result.returncode == 0, result.stderr
    information = json.loads(result.stdout)
    assert {"device", "versions", "bundle", "licences"} <= information.keys()
    assert information["bundle"] == "starter"
    assert information["licences"]
    assert information["arkit_weights"] == "exact"
    assert "jaw_width" in information["head_controls"]


@pytest.mark.parametrize("command", [(), ("sample",), ("surface",), ("info",)])
def test_help_is_complete(command):
    result = run(*command, "--help")
    assert result.returncode == 0
    assert "--help" in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("sample", "--audio", "none.wav", "--output", "x.npz"), "none.wav"),
        (("sample", "--audio", VOICE, "--output", "/no/such/folder/x.npz"), "folder"),
        (("sample", "--audio", VOICE, "--output", "x.txt"), ".npz"),
        (("sample", "--audio", VOICE, "--output", "x.npz", "--steps", "0"), "steps"),
        (("sample", "--audio", VOICE, "--output", "x.npz", "--device", "cuda:99"), "cuda:99"),
        (("info", "--bundle", "/no/such/bundle"), "config.json"),
        (("surface", "--take", "none.npz", "--output", "x"), "none.npz"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(arguments, reason, tmp_path):
    result = run(*arguments)
    assert result.returncode == 2
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert reason in lines[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--frames", "5:2"), "5:2"),
        (("--frames", "0:999"), "999"),
        (("--frames", "a:b"), "a:b"),
        (("--resolution", "100000"), "memory"),
        (("--identity", "nobody"), "nobody"),
        (("--identity", "random:x"), "random:x"),
    ],
)
def test_bad_surface_options_are_refused(take, tmp_path, arguments, reason):
    result = run("surface", "--take", take, "--output", tmp_path / "out", *arguments)
    assert result.returncode == 2
    assert reason in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not list((tmp_path).rglob("*.ply"))


@pytest.mark.slow
def test_import_makes_a_bundle_that_info_describes(tmp_path):
    source, output = PARITY / "nphm_forward_small", tmp_path / "nphm"
    result = run("import", "nphm", source, "--output", output)
    assert result.returncode == 0
    assert "surfaces: yes" in result.stdout
    assert "lacks speech, motion" in result.stdout
    information = json.loads(run("info", "--bundle", output, "--device", "cpu", "--json").stdout)
    assert information["arkit_weights"] == "none"
    assert information["head_controls"] == []
    assert information["missing"]["surfaces"] == []
    assert "NPHM" in information["licences"]["head"]
    again = run("import", "nphm", source, "--output", output)
    assert again.returncode == 2
    assert "--replace" in again.stderr
    assert len(again.stderr.splitlines()) == 1
    result = run("sample", "--audio", VOICE, "--output", tmp_path / "take.npz", "--bundle", output)
    assert result.returncode == 2
    assert "no speech and no motion" in result.stderr
    assert "import wav2vec2 SOURCE" in run("--help").stdout
