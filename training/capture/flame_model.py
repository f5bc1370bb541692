"""A FLAME-shaped model: a mean head with linear shape and expression, and 68 landmarks on it.

FLAME's own files are read from the user's copy (FLAME 2020 or 2023, a pickle, and its landmark embedding); a model of
the same form is made from ICT-FaceKit. Lengths are metres, +y up, +z out of the face.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from engine.shared.errors import EngineError
from engine.shared.units import METRES_PER_UNIT
from training.capture.plain_pickles import read_pickle
from training.head.ict import FaceKit

FLAME_SHAPES = 300  # the first columns of FLAME's shapedirs; the others are expressions
KIT_SUBMESHES = ("face", "head_neck", "eyeball_L", "eyeball_R")


@dataclass(frozen=True)
class FlameModel:
    """V vertices, F triangles, S shape and E expression components of unit size.

    template: (V, 3). triangles: (F, 3). shapes: (S, V, 3). expressions: (E, V, 3). landmark_triangles: (68,), -1 where
    the model has none; landmark_shares: (68, 3) of that triangle's corners.
    """

    template: np.ndarray
    triangles: np.ndarray
    shapes: np.ndarray
    expressions: np.ndarray
    landmark_triangles: np.ndarray
    landmark_shares: np.ndarray

    def landmarks(self, vertices: np.ndarray) -> np.ndarray:
        """Landmarks (..., 68, 3) on vertices (..., V, 3); NaN where the model has none."""
        corners = vertices[..., self.triangles[self.landmark_triangles], :]  # (..., 68, 3, 3)
        found = np.einsum("...lkc,lk->...lc", corners, self.landmark_shares)
        return np.where((self.landmark_triangles >= 0)[:, None], found, np.nan)


def flame_from_face_kit(face_kit: FaceKit) -> FlameModel:
    """A model of FLAME's form from ICT-FaceKit: its 100 identity modes and its expression shapes on skin and eyes."""
    triangles = face_kit.submesh(*KIT_SUBMESHES)
    kept, renumbered = np.unique(triangles, return_inverse=True)
    triangles = renumbered.reshape(triangles.shape)
    place = np.searchsorted(kept, face_kit.landmarks)
    first = np.array([int(np.argmax((triangles == vertex).any(1))) for vertex in place])
    return FlameModel(
        template=(METRES_PER_UNIT * face_kit.neutral[kept]).astype(np.float64),
        triangles=triangles,
        shapes=METRES_PER_UNIT * face_kit.identity[:, kept],
        expressions=METRES_PER_UNIT * face_kit.expression[:, kept],
        landmark_triangles=first,
        landmark_shares=(triangles[first] == place[:, None]).astype(np.float64),
    )


def read_flame(model: Path, embedding: Path) -> FlameModel:
    """FLAME from the user's files: `generic_model.pkl` or `flame2023.pkl`, and its landmark embedding (.npy or .pkl).

    Nothing in them is run. Raises EngineError when they are missing, damaged, foreign, or not FLAME's.
    """
    found, points = cast(dict, read_pickle(model)), read_pickle(embedding)
    try:
        template, triangles = np.asarray(found["v_template"], np.float64), np.asarray(found["f"]).astype(np.int64)
        directions = np.moveaxis(np.asarray(found["shapedirs"], np.float32), 2, 0)
        if template.ndim != 2 or directions.shape[1:] != template.shape or len(directions) <= FLAME_SHAPES:
            raise ValueError("its shapes are not FLAME's")
        if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.min() < 0 or triangles.max() >= len(template):
            raise ValueError("its triangles are not FLAME's")
        landmarks = _embedding(points, len(triangles))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise EngineError(
            f"{model} and {embedding} are not FLAME with its landmarks ({error}); choose generic_model.pkl or "
            "flame2023.pkl, and landmark_embedding.npy."
        ) from error
    return FlameModel(template, triangles, directions[:FLAME_SHAPES], directions[FLAME_SHAPES:], *landmarks)


def _embedding(found: object, triangles: int) -> tuple[np.ndarray, np.ndarray]:
    """Triangles (68,) and shares (68, 3); of an embedding of 51 points the jaw's 17 are unknown."""
    for faces_name, shares_name in (
        ("full_lmk_faces_idx", "full_lmk_bary_coords"),
        ("static_lmk_faces_idx", "static_lmk_bary_coords"),
        ("lmk_face_idx", "lmk_b_coords"),
    ):
        if not isinstance(found, dict) or faces_name not in found:
            continue
        faces = np.asarray(found[faces_name]).reshape(-1).astype(np.int64)
        shares = np.asarray(found[shares_name], np.float64).reshape(-1, 3)
        if len(faces) not in (51, 68) or len(shares) != len(faces) or not 0 <= faces.min() <= faces.max() < triangles:
            raise ValueError("its landmarks are not FLAME's")
        lacking = 68 - len(faces)
        return (
            np.concatenate([np.full(lacking, -1), faces]),
            np.concatenate([np.full((lacking, 3), 1 / 3), shares]),
        )
    raise KeyError("landmarks")
