"""Tracked lips in millimetres, of points whose distances are known."""

import io
import json
import lzma

import numpy as np
import pytest
import soundfile

from engine.face_capture.correspondence import FACE_POINTS
from engine.shared.units import MILLIMETRES_PER_UNIT
from evaluation.motion import grid_lips

EYES_MM = 2 * MILLIMETRES_PER_UNIT * next(point.place[0] for point in FACE_POINTS if point.number == 263)


def points(opening_mm, pixels_per_mm=1.5):
    """(F, 4, 3) pixels of lips that are so far apart on a face of the mean head's size, turned in the picture."""
    made = np.zeros((len(opening_mm), 4, 3))
    made[:, 1, 1] = opening_mm
    made[:, 3, 0] = EYES_MM
    turn = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
    return pixels_per_mm * made @ turn.T + 100


def test_openings_are_millimetres_whatever_the_size_of_the_face():
    opening = np.array([0.0, 2.0, 7.5, 12.0])
    for size in (0.5, 1.5, 4.0):
        np.testing.assert_allclose(grid_lips.opening_mm(points(opening, size)), opening, atol=1e-6)


def test_sentences_are_read_at_the_code_rate_with_their_sound(tmp_path, monkeypatch):
    monkeypatch.setattr(grid_lips, "SENTENCES", 2)
    opening = 5 + 4 * np.sin(np.arange(150) / 6)
    table = np.round(points(opening) * grid_lips.PER_PIXEL).astype(np.int32)
    table[75:, :, 2] = 0
    folder = tmp_path / "grid"
    (folder / "audio").mkdir(parents=True)
    with lzma.open(folder / "points_delta.npy.xz", "wb") as file:
        stored = io.BytesIO()
        np.save(stored, np.diff(table, axis=0, prepend=0).astype(np.int16))
        file.write(stored.getvalue())
    np.savez(
        folder / "motion.npz",
        keys=np.array(["one", "two"]), first=np.array([0, 75, 150]), fps=np.array(25.0),
        point_index=np.array([13, 14, 33, 263]),
    )  # fmt: skip
    (folder / "labels.json").write_text(json.dumps({}))
    for key in ("one", "two"):
        soundfile.write(folder / "audio" / f"{key}.opus", np.zeros(48000), 16000, format="OGG", subtype="OPUS")
    found = list(grid_lips.sentences(tmp_path))
    assert [len(audio) for audio, _ in found] == [48000, 48000]
    (_, first), (_, second) = found
    assert len(first) == pytest.approx(71, abs=1)
    times = np.arange(len(first)) / 24
    np.testing.assert_allclose(first, 5 + 4 * np.sin(times * 25 / 6), atol=0.15)
    assert not np.allclose(first, second)
    assert not list(grid_lips.sentences(tmp_path / "elsewhere"))
