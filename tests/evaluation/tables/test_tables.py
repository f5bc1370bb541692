"""Tables: intervals, autocorrelation, vertex sequences in foreign axes and units, and the command as a whole."""

import json
from itertools import pairwise

import numpy as np
import pytest
import soundfile
import torch

from engine.shared.errors import EngineError
from evaluation.tables.__main__ import main
from evaluation.tables.intervals import Estimate, mean_over_clips
from evaluation.tables.measurement import autocorrelation
from evaluation.tables.methods import Clip, VertexSequences
from evaluation.tables.syncnet import SyncNet


def test_intervals_cover_the_mean():
    generator = np.random.default_rng(0)
    intervals = [mean_over_clips(generator.normal(3, 2, 40)).interval for _ in range(200)]
    assert 0.88 < np.mean([low < 3 < high for low, high in intervals]) < 0.99
    assert mean_over_clips([5.0]) == Estimate(5.0, None, 1)
    assert mean_over_clips([1.0, 3.0]).text(2).startswith("2.00 [")
    assert Estimate(1.6e-8, None, 1).text(3) == "1.60e-08"


def test_autocorrelation_of_known_courses():
    wave = np.sin(2 * np.pi * np.arange(4000) / 40)[:, None]
    np.testing.assert_allclose(autocorrelation(wave, 20), np.cos(2 * np.pi * np.arange(21) / 40), atol=0.01)
    noise = autocorrelation(np.random.default_rng(0).standard_normal((4000, 3)), 3)
    np.testing.assert_allclose(noise, [1, 0, 0, 0], atol=0.05)
    assert not autocorrelation(np.ones((9, 2))).any()


TEMPLATE = np.array([[-0.07, 0, 0.1], [0.07, 0, 0.1], [0, 0.25, 0.1], [0, 0, -0.1]])
FACES = "3 0 1 2\n3 0 2 3\n3 1 3 2\n3 0 3 1\n"


def write_template(folder, vertices=TEMPLATE):
    folder.mkdir(parents=True)
    header = "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    header += "element face 4\nproperty list uchar int vertex_indices\nend_header\n"
    (folder / "template.ply").write_text(header + "".join(f"{x} {y} {z}\n" for x, y, z in vertices) + FACES)


def moving(frames=31):
    sequence = np.repeat(TEMPLATE[None], frames, axis=0)
    sequence[:, 0, 1] -= 0.01 * np.sin(np.arange(frames))
    return sequence


def test_vertex_sequences_in_other_units_and_axes(tmp_path):
    def in_blender(points):  # millimetres, z up, looking to -y
        return points[..., [0, 2, 1]] * (1000, -1000, 1000)

    write_template(tmp_path / "voca")
    np.save(tmp_path / "voca" / "clip.npy", moving().astype(np.float32).reshape(31, -1))
    (tmp_path / "voca" / "sequence.json").write_text('{"fps": 30}')
    write_template(tmp_path / "other", in_blender(TEMPLATE))
    np.save(tmp_path / "other" / "clip.npy", in_blender(moving()).astype(np.float32))
    (tmp_path / "other" / "sequence.json").write_text('{"fps": 30, "up": "z", "forward": "-y"}')
    clip = Clip("clip", np.zeros(16000))
    voca, other = (VertexSequences(name, tmp_path / name) for name in ("voca", "other"))
    np.testing.assert_allclose(voca.positions(clip), other.positions(clip), atol=1e-5)
    np.testing.assert_allclose(voca.positions(clip)[0], 4 * TEMPLATE, atol=1e-5)  # 1 unit is 0.25 m
    np.testing.assert_allclose(voca.mouth, voca.positions(clip)[:, 0].mean(axis=0), atol=1e-4)
    frames = list(voca.frames(clip, 0, 25.0))
    assert len(frames) == 25
    between = 0.8 * voca.positions(clip)[1] + 0.2 * voca.positions(clip)[2]  # 1 / 25 s is frame 1.2 of 30 Hz
    np.testing.assert_allclose(frames[1].vertices, between, atol=1e-5)


def giant(folder):
    text = (folder / "template.ply").read_text()
    (folder / "template.ply").write_text(text.replace("0.25 0.1", "5 0.1"))


BAD = {
    "has no clip.npy": lambda folder: (folder / "clip.npy").unlink(),
    "should hold finite frames of 4 vertices": lambda folder: np.save(folder / "clip.npy", np.zeros((5, 11))),
    "not a readable array": lambda folder: np.save(folder / "clip.npy", np.array([{}], object), allow_pickle=True),
    "no template.ply": lambda folder: (folder / "template.ply").unlink(),
    "may hold fps, up, forward and mouth": lambda folder: (folder / "sequence.json").write_text('{"rate": 3}'),
    "neither metres nor millimetres": giant,
}


@pytest.mark.parametrize("sentence", BAD)
def test_bad_sequences_are_one_sentence(tmp_path, sentence):
    folder = tmp_path / "voca"
    write_template(folder)
    np.save(folder / "clip.npy", moving())
    BAD[sentence](folder)
    with pytest.raises(EngineError, match=sentence):
        VertexSequences("voca", folder).positions(Clip("clip", np.zeros(0)))


class Shrunk(torch.nn.Module):
    """A few means of a picture for features."""

    def forward(self, pictures):
        return torch.nn.functional.adaptive_avg_pool2d(pictures, 2).flatten(1)


@pytest.mark.slow
def test_the_command_prints_tables_and_what_is_missing(tmp_path, capsys, monkeypatch):
    (tmp_path / "sounds").mkdir()
    for name in ("a", "b"):
        soundfile.write(tmp_path / "sounds" / f"{name}.wav", 0.1 * np.sin(np.arange(16000) / 9), 16000)
        write_template(tmp_path / name)
        np.save(tmp_path / name / "a.npy", moving(61))
        np.save(tmp_path / name / "b.npy", moving(61))
    vertices = [f"--vertices={name}={tmp_path / name}" for name in ("a", "b")]
    common = ["--audio", str(tmp_path / "sounds"), "--output", str(tmp_path / "out"), "--takes", "2"]
    assert main([*common, "--bundle", "ours=starter"]) == 0
    said = capsys.readouterr().out
    assert "get syncnet_v2.model" in said
    assert "get pt_inception-2015-12-05-6726825d.pth" in said
    assert "| ours | 2 | " in said
    (ours,) = json.loads((tmp_path / "out" / "tables.json").read_text())["methods"]
    assert ours["estimates"]["Diversity"]["value"] > 0
    assert all(a > b for a, b in pairwise(ours["autocorrelation"][:3]))
    assert (tmp_path / "out" / "autocorrelation.png").stat().st_size > 5000

    monkeypatch.setattr("evaluation.tables.__main__.load_syncnet", lambda _path: SyncNet(divisor=32).eval())
    monkeypatch.setattr("evaluation.tables.__main__.load_inception", lambda _path: Shrunk())
    assert main([*common, *vertices, "--syncnet", "s", "--inception", "i", "--reference", "b"]) == 0
    said = capsys.readouterr().out
    cells = next(line.split("|") for line in said.splitlines() if line.startswith("| a |"))
    assert cells[2].strip() == "2"
    assert all("[" in cell for cell in cells[3:7])  # LSE-D, LSE-C, FID and KID with intervals
    assert float(cells[5].split("[")[0]) == pytest.approx(0, abs=1e-3)  # the same sequences as the reference's


def test_methods_need_names(tmp_path, capsys):
    common = ["--audio", str(tmp_path), "--output", str(tmp_path / "out")]
    assert main([*common, "--bundle", "starter"]) == 2
    assert "no NAME=FOLDER" in capsys.readouterr().err
    assert main(common) == 2
    assert "Nothing to measure" in capsys.readouterr().err
    assert main([*common, "--bundle", "ours=starter", "--reference", "theirs"]) == 2
    assert "Each method needs a name of its own" in capsys.readouterr().err
