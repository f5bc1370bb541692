"""Gray pictures of faces and mouths, drawn alike for every method."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from engine.shared.units import UNITS_PER_MILLIMETRE
from evaluation.shared.render import View, shade
from evaluation.tables.syncnet import PIXELS

# What SyncNet's own cropping leaves of a detected face, in real heads: a square around the mouth.
FACE_MM, MOUTH_MM = 280.0, 100.0
GRAY = 0.7
WEIGHTS = np.array([0.299, 0.587, 0.114])  # of the colours in a gray value


@dataclass(frozen=True)
class Frame:
    """A mesh: vertices (V, 3) in model units, y up and z out of the face, and triangles (T, 3)."""

    vertices: np.ndarray
    triangles: np.ndarray


def face_pictures(frames: Iterable[Frame], mouth: np.ndarray) -> np.ndarray:
    """Pictures (N, 224, 224) in 0..1 from straight in front. mouth: its middle (3,) in model units."""
    x, y, z = map(float, mouth)
    view = View((0.0, 0.0, 1.0), (x, y, z), FACE_MM * UNITS_PER_MILLIMETRE)
    return np.stack([_picture(frame, view) for frame in frames])


def mouth_pictures(faces: np.ndarray) -> np.ndarray:
    """The middles (N, P, P) of face pictures (N, 224, 224), where the mouth is."""
    half = round(PIXELS * MOUTH_MM / FACE_MM / 2)
    middle = slice(PIXELS // 2 - half, PIXELS // 2 + half)
    return faces[:, middle, middle]


def _picture(frame: Frame, view: View) -> np.ndarray:
    near = np.abs(frame.vertices[:, :2] - np.array(view.centre[:2])).max(axis=1) < 0.7 * view.height
    triangles = frame.triangles[near[frame.triangles].all(axis=1)]  # the others are outside the picture
    colours = np.full((len(frame.vertices), 3), GRAY)
    return (shade(frame.vertices, triangles, colours, view, PIXELS) @ WEIGHTS).astype(np.float32)
