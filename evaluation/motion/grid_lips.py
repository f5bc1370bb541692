"""Lips of GRID's speaker s1 as they were tracked, for takes of his sentences to be compared with.

These sentences are kept out of all training of motion; the speech encoder heard them. Their rate is the film's, since
a reference that is resampled loses its quickest movements. The tracker smooths in time (`evaluation.capture.tracker`),
so a take is compared as it is and as the tracker would have shown it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from engine.face_capture.correspondence import FACE_POINTS
from engine.shared.lip_opening import lip_opening_mm
from engine.shared.units import CODE_RATE, MILLIMETRES_PER_UNIT
from training.data.films import load_films
from training.data.grid import samples_of

UPPER, LOWER, EYE_CORNERS = 13, 14, (33, 263)
FILM_RATE = 25.0


def sentences(data: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Sound (S,) at 16 kHz and opening (F,) in mm at FILM_RATE of the sentences kept out; none without the films."""
    films = load_films(data, [UPPER, LOWER, *EYE_CORNERS])
    if films is None:
        return
    for index in films.kept_out():
        part = films.points[films.frames(index)]
        if np.isfinite(part).all():
            yield samples_of(data, films.keys[index]), opening_mm(part)


def at_film_times(opening: np.ndarray, frames: int) -> np.ndarray:
    """An opening (N,) at the code rate at the first of `frames` film frames that it lasts for: (F,)."""
    count = min(frames, int((len(opening) - 1) / CODE_RATE * FILM_RATE) + 1)
    return CubicSpline(np.arange(len(opening)) / CODE_RATE, opening)(np.arange(count) / FILM_RATE)


def opening_of_weights(weights: np.ndarray) -> np.ndarray:
    """Opening (N,) in mm of weights (N, W); lips that press on each other are closed."""
    return np.clip(lip_opening_mm(weights), 0, None)


def opening_mm(points: np.ndarray) -> np.ndarray:
    """Distance of the inner lips (F,) in mm of points (F, 4, 3) in pixels: upper lip, lower lip, corners of the eyes.

    The corners are as far apart as those of the mean head.
    """
    places = {point.number: np.array(point.place) for point in FACE_POINTS}
    apart = MILLIMETRES_PER_UNIT * float(np.linalg.norm(places[EYE_CORNERS[0]] - places[EYE_CORNERS[1]]))
    scale = apart / np.median(np.linalg.norm(points[:, 2, :2] - points[:, 3, :2], axis=1))
    return scale * np.linalg.norm(points[:, 0, :2] - points[:, 1, :2], axis=1)
