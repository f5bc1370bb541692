"""Lips of GRID's speaker s1 as they were tracked, for takes of his sentences to be compared with.

The training heard these sentences; of how his lips moved in them it knows nothing.
"""

from __future__ import annotations

import io
import lzma
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engine.face_capture.correspondence import FACE_POINTS
from engine.shared.units import CODE_RATE, MILLIMETRES_PER_UNIT
from training.data.utterance import read_audio

SENTENCES = 38
UPPER, LOWER, EYE_CORNERS = 13, 14, (33, 263)
PER_PIXEL, LOST = 50, -600


def sentences(data: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Sound (S,) at 16 kHz and opening (N,) in mm at the code rate of some sentences; none without the folder."""
    folder = data / "grid"
    if not (folder / "motion.npz").is_file():
        return
    with np.load(folder / "motion.npz", allow_pickle=False) as archive:
        keys, first, numbers = archive["keys"], archive["first"], list(archive["point_index"])
        rate = float(archive["fps"])
    changes = np.load(io.BytesIO(lzma.open(folder / "points_delta.npy.xz").read()), allow_pickle=False)
    wanted = [numbers.index(number) for number in (UPPER, LOWER, *EYE_CORNERS)]
    points = np.cumsum(changes[:, wanted].astype(np.int32), 0).astype(np.int16) / PER_PIXEL  # the sums wrap
    for index in np.linspace(0, len(keys) - 1, SENTENCES).round().astype(int):
        part = points[first[index] : first[index + 1]]
        if (part < LOST).any():
            continue
        opening = opening_mm(part)
        times = np.arange(int((len(part) - 1) / rate * CODE_RATE)) / CODE_RATE
        yield (
            read_audio(folder / "audio" / f"{keys[index]}.opus"),
            np.interp(times, np.arange(len(part)) / rate, opening),
        )


def opening_mm(points: np.ndarray) -> np.ndarray:
    """Distance of the inner lips (F,) in mm of points (F, 4, 3) in pixels: upper lip, lower lip, corners of the eyes.

    The corners are as far apart as those of the mean head.
    """
    places = {point.number: np.array(point.place) for point in FACE_POINTS}
    apart = MILLIMETRES_PER_UNIT * float(np.linalg.norm(places[EYE_CORNERS[0]] - places[EYE_CORNERS[1]]))
    scale = apart / np.median(np.linalg.norm(points[:, 2, :2] - points[:, 3, :2], axis=1))
    return scale * np.linalg.norm(points[:, 0, :2] - points[:, 1, :2], axis=1)
