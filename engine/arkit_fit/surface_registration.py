"""The template's face brought onto another head at rest.

A similarity, the leading identity modes and the jaw's opening are fitted by iterated closest points with
point-to-plane distances; then every point near the surface is moved onto it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from ..head.polygons import vertex_normals
from ..shared.arkit import ARKIT_NAMES
from ..shared.units import MILLIMETRES_PER_UNIT
from .template_face import TemplateFace

RIGID_STEPS, STEPS = 10, 40
MILLIMETRE = 1 / MILLIMETRES_PER_UNIT
# Points whose normals differ count as further apart, so that lips do not match each other's inner sides.
NORMAL_WEIGHT = 12 * MILLIMETRE
REACH = 6 * MILLIMETRE  # further away there is no such surface: hair, or a mouth without inside
LEAST_AGREEMENT = 0.5  # of normals, as a cosine
DEVIATION = 1 * MILLIMETRE
LARGEST_STEP, SCALES = 0.05, (0.7, 1.4)
OBSERVATIONS = 300  # the points are not independent measurements; that many count against the modes' prior
_JAW = ARKIT_NAMES.index("jawOpen")


@dataclass(frozen=True)
class RegisteredFace:
    """A head's points that correspond to those of a `TemplateFace`, at rest.

    points: (P, 3) model units. shapes: (P, 52, 3) the template's shapes, turned and scaled with it.
    jaw: weight of jawOpen at rest, 0..1.
    distance: (P,) mm from the fitted template to the surface; matched: (P,) bool, which points have a surface there.
    """

    points: np.ndarray
    shapes: np.ndarray
    jaw: float
    distance: np.ndarray
    matched: np.ndarray


def register_face(face: TemplateFace, vertices: np.ndarray, faces: np.ndarray) -> RegisteredFace:
    """Bring the face onto a surface of vertices (V, 3) in model units and faces (F, 3)."""
    surface = _Surface(vertices, faces)
    rotation, scale, shift = np.eye(3), 1.0, np.zeros(3)
    coefficients, jaw = np.zeros(len(face.modes)), 0.0
    shape = face.neutral.astype(np.float64)
    for step in range(STEPS):
        points = scale * shape @ rotation.T + shift
        target, normals, matched = surface.nearest(points, face.normals @ rotation.T)
        away = ((target - points) * normals).sum(1)  # (P,)
        middle = points.mean(0)
        columns = [np.cross(points - middle, normals), ((points - middle) * normals).sum(1)[:, None], normals]
        if step >= RIGID_STEPS:
            along = normals @ rotation * scale  # (P, 3)
            columns += [np.einsum("mpc,pc->pm", face.modes, along), (face.shapes[:, _JAW] * along).sum(1)[:, None]]
        known = np.r_[np.zeros(7), coefficients, jaw] if step >= RIGID_STEPS else np.zeros(7)
        change = _least_squares(np.concatenate(columns, 1), away, matched, known)
        change[:7] = change[:7].clip(-LARGEST_STEP, LARGEST_STEP)  # a surface that is not a face would send it far away
        turn = Rotation.from_rotvec(change[:3]).as_matrix()
        factor = np.clip(scale * np.exp(change[3]), *SCALES) / scale
        rotation, scale = turn @ rotation, factor * scale
        shift = factor * turn @ (shift - middle) + middle + change[4:7]
        if step >= RIGID_STEPS:
            coefficients, jaw = coefficients + change[7:-1], float(np.clip(jaw + change[-1], 0, 1))
            shape = face.neutral + np.tensordot(coefficients, face.modes, 1) + jaw * face.shapes[:, _JAW]
    points = scale * shape @ rotation.T + shift
    target, normals, matched = surface.nearest(points, face.normals @ rotation.T)
    away = ((target - points) * normals).sum(1, keepdims=True) * normals
    return RegisteredFace(
        points=np.where(matched[:, None], points + away, points).astype(np.float32),
        shapes=(scale * face.shapes @ rotation.T).astype(np.float32),
        jaw=jaw,
        distance=MILLIMETRES_PER_UNIT * np.where(matched, np.abs(away).max(1), np.linalg.norm(target - points, axis=1)),
        matched=matched,
    )


class _Surface:
    def __init__(self, vertices: np.ndarray, faces: np.ndarray):
        self.vertices = vertices.astype(np.float64)
        self.normals = vertex_normals(self.vertices, faces)
        self.tree = cKDTree(np.c_[self.vertices, NORMAL_WEIGHT * self.normals])

    def nearest(self, points: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Vertices (P, 3) nearest to points (P, 3) with normals (P, 3), their normals, and which are a match (P,)."""
        _, number = self.tree.query(np.c_[points, NORMAL_WEIGHT * normals])
        target, found = self.vertices[number], self.normals[number]
        near = np.linalg.norm(target - points, axis=1) < REACH
        return target, found, near & ((found * normals).sum(1) > LEAST_AGREEMENT)


def _least_squares(columns: np.ndarray, away: np.ndarray, matched: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The step (C,) that brings `away` (P,) to zero on matched points, known + step of unit variance a priori."""
    weight = matched * OBSERVATIONS / max(matched.sum(), 1) / DEVIATION**2
    normal = (columns * weight[:, None]).T @ columns + np.eye(len(known))
    return np.linalg.solve(normal, (columns * weight[:, None]).T @ away - known)
