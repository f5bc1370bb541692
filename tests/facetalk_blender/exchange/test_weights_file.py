"""Recordings of other programs: their layouts, their time codes, and what is refused."""

import csv
import json
import os

import numpy as np
import pytest
from repository import import_from_extension

from engine.shared.arkit import ARKIT_NAMES

live_link = import_from_extension("facetalk_blender.exchange.live_link")
weights_file = import_from_extension("facetalk_blender.exchange.weights_file")
EngineError = import_from_extension("engine.shared.errors").EngineError
JAW = ARKIT_NAMES.index("jawOpen")


def weights(count, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, (count, 52))


def written(path, table, rate, first_frame=0, rotations=None):
    live_link.write_csv(path, dict(zip(ARKIT_NAMES, table.T, strict=True)), rate, first_frame, rotations)
    return path


@pytest.mark.parametrize("rate", [12.0, 23.976, 24.0, 25.0, 29.97, 30.0, 48.0, 59.94, 60.0, 120.0])
@pytest.mark.parametrize("count", [3, 10, 400])
def test_what_is_written_is_read(tmp_path, rate, count):
    table, turned = weights(count), np.random.default_rng(1).normal(0, 0.2, (count, 9))
    path = written(tmp_path / "x.csv", table, rate, first_frame=37, rotations=turned)
    found = weights_file.read_recording(path, rate)
    assert (found.rate, found.program) == (rate, "Live Link Face")
    np.testing.assert_allclose(found.weights, table, atol=1e-6)
    np.testing.assert_allclose(found.rotations, turned, atol=1e-6)


def rows_of_the_app(tmp_path, codes, jaw, lost=()):
    """As the app writes: frames in which it saw no face have a time code alone."""
    path = written(tmp_path / "x.csv", np.zeros((len(codes), 52)), 60.0)
    rows = list(csv.reader(path.open()))
    place = rows[0].index("JawOpen")
    for row, code, value in zip(rows[1:], codes, jaw, strict=True):
        row[0], row[place] = code, f"{value:.8f}"
    for number in lost:
        rows[number + 1] = [codes[number], "0"]
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")
    return path


def codes_of(frames, per_second, sub=True):
    found = []
    for frame in frames:
        seconds, rest = divmod(frame, per_second)
        clock = f"{int(seconds // 3600) % 24:02d}:{int(seconds // 60) % 60:02d}:{int(seconds % 60):02d}"
        found.append(f"{clock}:{int(rest):02d}" + (f".{round(1000 * (rest % 1)):03d}" if sub else ""))
    return found


def test_the_rate_is_the_time_codes_whatever_the_scene_has(tmp_path):
    jaw = np.linspace(0, 1, 300)
    path = rows_of_the_app(tmp_path, codes_of(np.arange(300) + 60 * 48621 + 17.343, 60), jaw)
    found = weights_file.read_recording(path, 24.0)
    assert found.rate == 60.0
    np.testing.assert_allclose(found.weights[:, JAW], jaw, atol=1e-6)
    assert found.rotations is None


def test_two_rows_for_each_frame_of_the_time_code(tmp_path):
    path = rows_of_the_app(tmp_path, codes_of(np.arange(200) / 2 + 12, 30), np.linspace(0, 1, 200))
    assert weights_file.read_recording(path, 24.0).rate == 60.0


def test_frames_without_a_face_and_dropped_ones_are_filled(tmp_path):
    jaw = np.linspace(0, 1, 181)
    path = rows_of_the_app(tmp_path, codes_of(np.arange(181), 60), jaw, lost=(40, 41, 42, 120))
    np.testing.assert_allclose(weights_file.read_recording(path, 24.0).weights[:, JAW], jaw, atol=1e-6)


def test_past_midnight(tmp_path):
    path = rows_of_the_app(tmp_path, codes_of(np.arange(90) + 30 * (86400 - 1), 30, sub=False), np.linspace(0, 1, 90))
    found = weights_file.read_recording(path, 24.0)
    assert (len(found.weights), found.rate) == (90, 30.0)


def test_rows_per_second_by_hand(tmp_path):
    path = rows_of_the_app(tmp_path, codes_of(np.arange(90), 30), np.linspace(0, 1, 90))
    assert weights_file.read_recording(path, 24.0, rate=15.0).duration == pytest.approx(6.0)


def audio2face(names, table, **fields):
    content = {"exportFps": 30, "trackPath": "x.wav", "numPoses": len(names), "numFrames": len(table)}
    return json.dumps(content | {"facsNames": names, "weightMat": np.asarray(table).tolist()} | fields)


def test_blend_shapes_of_audio2face_with_arkit_names(tmp_path):
    table, path = weights(50), tmp_path / "x.json"
    path.write_text(audio2face([name[0].upper() + name[1:] for name in ARKIT_NAMES], table))
    found = weights_file.read_recording(path, 24.0)
    assert (found.rate, found.program) == (30.0, "Audio2Face")
    np.testing.assert_allclose(found.weights, table, atol=1e-6)


def test_the_own_poses_of_audio2face(tmp_path):
    names = ["jawDrop", "lipCornerPullerL", "eyesLookLeft", "innerBrowRaiserL", "innerBrowRaiserR", "lipSuck"]
    path = tmp_path / "x.json"
    path.write_text(audio2face(names, [[0.5, 0.25, 1.0, 0.4, 0.8, 0.1]] * 3, joints=["jaw"], rotations=[]))
    (row, *_) = weights_file.read_recording(path, 24.0).weights
    wanted = {"jawOpen": 0.5, "mouthSmileLeft": 0.25, "eyeLookOutLeft": 1, "eyeLookInRight": 1, "browInnerUp": 0.6}
    wanted |= {"mouthRollLower": 0.1, "mouthRollUpper": 0.1}
    assert {name: round(float(value), 5) for name, value in zip(ARKIT_NAMES, row, strict=True) if value} == wanted


def test_frames_of_the_audio2face_microservice(tmp_path):
    table, path = weights(45), tmp_path / "animation_frames.csv"
    names = [f"blendShapes.{name[0].upper()}{name[1:]}" for name in ARKIT_NAMES]
    lines = [",".join(["", "timeCode", *names])]
    lines += [",".join(map(str, [number, number / 30, *row])) for number, row in enumerate(table.tolist())]
    path.write_text("\n".join(lines))
    found = weights_file.read_recording(path, 24.0)
    assert (found.rate, found.program) == (30.0, "Audio2Face")
    np.testing.assert_allclose(found.weights, table, atol=1e-6)


HEADER = "Timecode,BlendShapeCount,JawOpen"
WRONG = {
    "empty": "",
    "binary": "\x00\xff\x00",
    "a table of something else": "a,b\n1,2\n",
    "no weight": "Timecode,Foo\n00:00:00:01,1\n",
    "no rows": HEADER,
    "not a number": f"{HEADER}\n00:00:00:01,1,x\n",
    "nan": f"{HEADER}\n00:00:00:01,1,nan\n00:00:00:02,1,1\n",
    "huge": f"{HEADER}\n00:00:00:01,1,1e300\n00:00:00:02,1,1\n",
    "no time code": f"{HEADER}\n1:2:3,1,1\nx,1,1\n",
    "standing still": f"{HEADER}\n00:00:00:01,1,1\n00:00:00:01,1,1\n",
    "backwards": f"{HEADER}\n" + "".join(f"00:00:{second:02d}:00,1,1\n" for second in (5, 6, 7, 4, 9, 10)),
    "years": f"{HEADER}\n00:00:00:01,1,1\n00:00:00:02,1,1\n00:00:00:03,1,1\n09:00:00:04,1,1\n",
    "wide": "Timecode," + "JawOpen," * 2000 + "\n",
    "long": "Timecode,JawOpen\n" + "\n" * 300_000,
    "quoted": 'Timecode,"JawOpen' + "x" * 200_000,
    "deep": '{"facsNames": ' + "[" * 200_000,
    "a list": "[1, 2]",
    "other json": '{"a": 1}',
    "names are numbers": '{"facsNames": [1], "weightMat": [[1]], "exportFps": 30}',
    "rows are numbers": '{"facsNames": ["jawOpen"], "weightMat": [1], "exportFps": 30}',
    "rows differ": '{"facsNames": ["jawOpen"], "weightMat": [[1], [1, 2]], "exportFps": 30}',
    "nested rows": '{"facsNames": ["jawOpen"], "weightMat": [[[1]]], "exportFps": 30}',
    "infinite": '{"facsNames": ["jawOpen"], "weightMat": [[Infinity]], "exportFps": 30}',
    "no rate": '{"facsNames": ["jawOpen"], "weightMat": [[1]]}',
    "a mad rate": '{"facsNames": ["jawOpen"], "weightMat": [[1]], "exportFps": 1e9}',
    "a long number": '{"facsNames": ["jawOpen"], "weightMat": [[1]], "exportFps": ' + "9" * 5000 + "}",
    "a rate of lists": '{"facsNames": ["jawOpen"], "weightMat": [[1]], "exportFps": [30]}',
}


@pytest.mark.parametrize("name", WRONG)
def test_anything_else_is_refused_in_one_sentence(tmp_path, name):
    path = tmp_path / "x.csv"
    path.write_bytes(WRONG[name].encode("latin-1"))
    with pytest.raises(EngineError, match=r"^x\.csv is no recording of ARKit weights \(.*\); choose .*\.$"):
        weights_file.read_recording(path, 24.0)


def test_what_is_no_file_is_refused(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(EngineError, match="There is no file"):
        weights_file.read_recording(tmp_path / "none.csv", 24.0)
    for place in (tmp_path, tmp_path / "pipe.csv"):
        with pytest.raises(EngineError, match="no regular file"):
            weights_file.read_recording(place, 24.0)
    monkeypatch.setattr(weights_file, "LARGEST_FILE", 10)
    path = written(tmp_path / "x.csv", weights(3), 24.0)
    with pytest.raises(EngineError, match="more than"):
        weights_file.read_recording(path, 24.0)
