"""Tracked lips in millimetres, of points whose distances are known."""

import io
import json
import lzma

import numpy as np
import soundfile

from engine.face_capture.correspondence import FACE_POINTS
from engine.shared.units import MILLIMETRES_PER_UNIT
from evaluation.motion import grid_lips
from training.data import films

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


def test_sentences_are_read_with_their_sound(tmp_path, monkeypatch):
    monkeypatch.setattr(films, "KEPT_OUT", 2)
    opening = 5 + 4 * np.sin(np.arange(150) / 6)
    table = np.round(points(opening) * films.STEPS_PER_PIXEL).astype(np.int32)
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
    np.testing.assert_allclose(first, opening[:75], atol=0.05)
    assert not np.allclose(first, second)
    assert not list(grid_lips.sentences(tmp_path / "elsewhere"))


def test_takes_are_compared_at_the_films_times_and_as_the_tracker_shows_them():
    times = np.arange(73) / 24
    opening = 5 + 4 * np.sin(2 * np.pi * 6 * times)
    found = grid_lips.at_film_times(opening, 75)
    assert len(found) == 75
    np.testing.assert_allclose(found[3:-3], 5 + 4 * np.sin(2 * np.pi * 6 * np.arange(75) / 25)[3:-3], atol=0.1)
    assert len(grid_lips.at_film_times(opening[:25], 75)) == 26
    slow = films.smoothed(found)
    assert slow.std() < 0.75 * found.std()
    np.testing.assert_allclose(films.unsmoothed(slow), found, atol=1e-9)
