"""A head of ICT-FaceKit that speaks: whose shape, motion and pose are known at every frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from matplotlib.path import Path as Outline
from scipy.spatial.transform import Rotation

from engine.shared.units import CODE_RATE, METRES_PER_UNIT
from training.capture.layout import EYE, FACE, MOUTH, NECK
from training.head.ict import FaceKit
from training.prior.grid import OVERSAMPLING, slow_drift

# Submeshes that a camera sees, and what each is in a facial segmentation; lashes and wet films are left out.
PARTS = {
    "face": FACE,
    "head_neck": NECK,
    "mouth_socket": MOUTH,
    "eye_socket_L": EYE,
    "eye_socket_R": EYE,
    "gums_tongue": MOUTH,
    "teeth": MOUTH,
    "eyeball_L": EYE,
    "eyeball_R": EYE,
}
COLOURS = {
    "face": (0.80, 0.58, 0.47),
    "head_neck": (0.78, 0.57, 0.46),
    "mouth_socket": (0.35, 0.12, 0.11),
    "eye_socket_L": (0.60, 0.35, 0.30),
    "eye_socket_R": (0.60, 0.35, 0.30),
    "gums_tongue": (0.62, 0.28, 0.27),
    "teeth": (0.88, 0.86, 0.80),
    "eyeball_L": (0.92, 0.91, 0.89),
    "eyeball_R": (0.92, 0.91, 0.89),
}
LIPS, IRIS, PUPIL, BROW = (0.66, 0.33, 0.31), (0.30, 0.20, 0.12), (0.02, 0.02, 0.02), (0.20, 0.13, 0.09)
IRIS_SHARE, PUPIL_SHARE = 0.5, 0.2  # of the eyeball's radius
BROW_HALF_WIDTH = 0.016  # model units
CHIN, BELOW_CHIN = 8, 0.02  # landmark, and what still counts as face beneath it in model units
# A seated speaker: deviations of yaw, pitch and roll in degrees, and of the position in metres.
TURNING, SHIFTING, SECONDS = (4.0, 2.5, 1.5), (0.004, 0.003, 0.004), 0.9


@dataclass(frozen=True)
class TalkingHead:
    """One person's sentence.

    coefficients: (100,) identity. weights: (N, 57) at 24 Hz. poses: (N, 4, 4) from model units to the world's metres,
    similarities.
    """

    face_kit: FaceKit
    coefficients: np.ndarray
    weights: np.ndarray
    poses: np.ndarray

    @cached_property
    def neutral(self) -> np.ndarray:
        """Vertices (V, 3) at rest, model units."""
        return self.face_kit.head(self.coefficients)

    @cached_property
    def triangles(self) -> np.ndarray:
        """Triangles (T, 3) of the parts that a camera sees."""
        return self.face_kit.submesh(*PARTS)

    @cached_property
    def labels(self) -> np.ndarray:
        """What each of these triangles is in a segmentation, (T,) uint8."""
        kit = self.face_kit
        table = np.array([PARTS.get(name, 0) for name in kit.submesh_names], np.uint8)
        labels = table[kit.triangle_submesh[np.isin(kit.triangle_submesh, np.flatnonzero(table))]]
        # The face's submesh goes on to the chest.
        below = kit.neutral[self.triangles, 1].max(1) < kit.neutral[kit.landmarks[CHIN], 1] - BELOW_CHIN
        labels[(labels == FACE) & below] = NECK
        return labels

    @cached_property
    def completions(self) -> tuple[np.ndarray, np.ndarray]:
        """What the lids lack, see `FaceKit.lid_completions`."""
        return self.face_kit.lid_completions(self.neutral)

    def model_vertices(self, frame: int) -> np.ndarray:
        """Vertices (V, 3) of a frame in model units."""
        return self.face_kit.posed(self.neutral, self.weights[frame], self.completions)

    def world_vertices(self, frame: int) -> np.ndarray:
        """Vertices (V, 3) of a frame in the world, metres."""
        return transformed(self.poses[frame], self.model_vertices(frame))

    @cached_property
    def colours(self) -> np.ndarray:
        """Colours (V, 3) in 0..1 of the vertices: skin, lips, brows, teeth, irises."""
        return vertex_colours(self.face_kit)


def transformed(pose: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (..., 3) moved by a pose (4, 4)."""
    return points @ pose[:3, :3].T + pose[:3, 3]


def seated_poses(frames: int, generator: np.random.Generator) -> np.ndarray:
    """Poses (N, 4, 4) from model units to metres of a head that moves a little while it speaks.

    The head stands near the world's origin, turned and shifted at random, so that nothing fits by accident.
    """
    length = frames * OVERSAMPLING + 1

    def drift(deviation: float) -> np.ndarray:
        return deviation * slow_drift(length, SECONDS, generator)[::OVERSAMPLING][:frames]

    rest_turn, rest_shift = generator.normal(0, 3, 3), generator.normal(0, 0.01, 3)
    angles = np.stack([rest + drift(deviation) for rest, deviation in zip(rest_turn, TURNING, strict=True)], 1)
    shifts = np.stack([rest + drift(deviation) for rest, deviation in zip(rest_shift, SHIFTING, strict=True)], 1)
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, :3, :3] = METRES_PER_UNIT * Rotation.from_euler("yxz", angles, degrees=True).as_matrix()
    poses[:, :3, 3] = shifts
    return poses


def vertex_colours(face_kit: FaceKit) -> np.ndarray:
    """Colours (V, 3) in 0..1 of ICT-FaceKit's vertices."""
    vertices = face_kit.neutral
    colours = np.zeros_like(vertices)
    for number, (start, end) in enumerate(face_kit.submesh_vertices):
        colours[start:end] = COLOURS.get(face_kit.submesh_names[number], (0.0, 0.0, 0.0))
    points = vertices[face_kit.landmarks]
    start, end = face_kit.submesh_vertices[face_kit.submesh_names.index("face")]
    flat, front = vertices[start:end, :2], vertices[start:end, 2] > points[27, 2] - 0.15
    lips = Outline(points[48:60, :2]).contains_points(flat, radius=0.004) & front
    colours[start:end][lips] = LIPS
    for brow in (points[17:22], points[22:27]):
        steps = np.linspace(0, 4, 60)
        line = np.stack([np.interp(steps, np.arange(5), brow[:, axis]) for axis in range(3)], 1)
        nearest = np.linalg.norm(vertices[start:end, None] - line[None], axis=2).min(1)
        colours[start:end][nearest < BROW_HALF_WIDTH] = BROW
    for name in ("eyeball_L", "eyeball_R"):
        start, end = face_kit.submesh_vertices[face_kit.submesh_names.index(name)]
        ball = vertices[start:end]
        centre, radius = (ball.max(0) + ball.min(0)) / 2, np.ptp(ball[:, 1]) / 2
        aside = np.linalg.norm((ball - centre)[:, :2], axis=1) / radius
        ahead = ball[:, 2] > centre[2]
        colours[start:end][ahead & (aside < IRIS_SHARE)] = IRIS
        colours[start:end][ahead & (aside < PUPIL_SHARE)] = PUPIL
    return colours


def frames_of(seconds: float) -> int:
    """Code frames of a sound of some seconds."""
    return round(CODE_RATE * seconds)
