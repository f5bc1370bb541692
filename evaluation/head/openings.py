"""How far lips and lids are apart and what is inside an open mouth, alike on the true solid and on a neural field."""

from __future__ import annotations

import igl
import numpy as np
from scipy.spatial import cKDTree

from engine.shared.regions import REGION_NAMES
from engine.shared.units import UNITS_PER_MILLIMETRE
from evaluation.shared.lip_section import SECTION_STEP
from training.head.ict import FaceKit
from training.head.labels import vertex_regions

LIP_REACH = 12.0 * UNITS_PER_MILLIMETRE  # from the landmarks of the lips, in the canonical pose
LIP_POINTS_APART = 0.05 * UNITS_PER_MILLIMETRE
EYE_STEP = 0.2 * UNITS_PER_MILLIMETRE
EYE_HALF_HEIGHT = 11.0 * UNITS_PER_MILLIMETRE
MOUTH_DEPTH = np.array([0.0, 0.0, 0.10])  # behind the lips, 25 mm
LEAST_DISTANCE = 0.5 * UNITS_PER_MILLIMETRE  # nearer to the surface it is the surface's error that is seen
SIGHT = np.arange(0.4, 6.0, 0.4) * UNITS_PER_MILLIMETRE  # steps thinner than a lid


def lip_section(landmarks: np.ndarray) -> tuple[np.ndarray, tuple[int, int], np.ndarray]:
    """The mid-sagittal plane around the lips of posed landmarks (68, 3).

    Returns points (Y Z, 3), the shape (Y, Z) and the grid places (2, 2) of the upper and the lower inner lip.
    """
    low, high = landmarks[57, 1], landmarks[51, 1]
    back, front = landmarks[[62, 66], 2].min() - 0.01, landmarks[[51, 57], 2].max() + 0.01
    y, z = np.arange(low, high, SECTION_STEP), np.arange(back, front, SECTION_STEP)
    points = np.stack(np.meshgrid([0.0], y, z, indexing="ij"), -1).reshape(-1, 3)
    return points, (len(y), len(z)), (landmarks[[62, 66]][:, 1:] - (low, back)) / SECTION_STEP


class LipSheets:
    """The two lips of the kit's mesh, without the teeth behind them, cut by the mid-sagittal plane."""

    def __init__(self, face_kit: FaceKit):
        mean = face_kit.canonical(face_kit.neutral)
        places = mean[face_kit.landmarks[48:68]]
        near = np.linalg.norm(mean[:, None] - places, axis=2).min(1) < LIP_REACH
        above = mean[:, 1] > mean[face_kit.landmarks[[62, 66]], 1].mean()
        triangles = face_kit.submesh("face", "mouth_socket")
        self._triangles = [triangles[part[triangles].all(1)] for part in (near & above, near & ~above)]

    def opening(self, vertices: np.ndarray) -> float:
        """Smallest distance in mm between the lips of posed vertices (V, 3) within the plane; 0.05 where they cross."""
        upper, lower = (middle_section(vertices[triangles]) for triangles in self._triangles)
        return float(cKDTree(upper).query(lower)[0].min()) / UNITS_PER_MILLIMETRE


def middle_section(corners: np.ndarray) -> np.ndarray:
    """Points (P, 2), y and z, closely along the lines in which triangles (T, 3, 3) cut the plane x = 0."""
    corners = corners[(corners[:, :, 0].min(1) < 0) & (corners[:, :, 0].max(1) >= 0)]
    start, end = corners, np.roll(corners, -1, axis=1)  # (T, 3 edges, 3)
    cut = (start[..., 0] < 0) != (end[..., 0] < 0)  # two edges of every triangle
    share = start[..., :1] / np.where(cut, start[..., 0] - end[..., 0], 1.0)[..., None]
    ends = (start + share * (end - start))[cut].reshape(-1, 2, 3)[..., 1:]  # (T, 2, 2)
    counts = 2 + (np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) / LIP_POINTS_APART).astype(int)
    return np.concatenate([np.linspace(a, b, count) for (a, b), count in zip(ends, counts, strict=True)])


class Eyeballs:
    """The two eyeballs of the kit; as much of their mid-line as is seen from the front is how far the lids are open."""

    def __init__(self, face_kit: FaceKit):
        pupil = vertex_regions(face_kit)[:, REGION_NAMES.index("pupil")] > 0.5
        self._pupils = [np.flatnonzero(pupil & (side * face_kit.neutral[:, 0] > 0)) for side in (1, -1)]
        self._triangles = [face_kit.submesh(name) for name in ("eyeball_L", "eyeball_R")]

    def sight_lines(self, vertices: np.ndarray) -> list[np.ndarray]:
        """`sight_lines` (P, K, 3) of the left and of the right eyeball of posed vertices (V, 3)."""
        return [
            sight_lines(vertices, triangles, vertices[pupil].mean(0))
            for triangles, pupil in zip(self._triangles, self._pupils, strict=True)
        ]


def sight_lines(vertices: np.ndarray, triangles: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Points (P, K, 3) straight before an eyeball's front, at each of the P heights the SIGHT steps away from it.

    The heights are those of the upright line through the pupil's middle (3,), EYE_STEP apart, from below upwards;
    vertices (V, 3), triangles (T, 3).
    """
    height = middle[1] + np.arange(-EYE_HALF_HEIGHT, EYE_HALF_HEIGHT, EYE_STEP)
    origins = np.stack([np.full(len(height), middle[0]), height, np.ones(len(height))], 1)
    tree, vertices = igl.AABB(), np.asarray(vertices, np.float64)
    tree.init(vertices, triangles)
    backward = np.repeat([[0.0, 0.0, -1.0]], len(origins), 0)
    row, travelled, _ = tree.intersect_ray_first(vertices, triangles, origins, backward)
    hit = row >= 0
    depth = (1.0 - travelled[hit])[:, None] + SIGHT  # (P, K)
    return np.concatenate([np.repeat(origins[hit, None, :2], len(SIGHT), 1), depth[..., None]], 2)


def lid_opening(air: np.ndarray) -> float:
    """Height in mm over which one eyeball is seen; air: (P, K) bool at its sight lines.

    Air that a lid covers, as behind one that does not quite lie on its eyeball, is not seen.
    """
    return float(air.all(1).sum() * EYE_STEP / UNITS_PER_MILLIMETRE)


def mouth_points(landmarks: np.ndarray, random: np.random.Generator, count: int) -> np.ndarray:
    """Random points (P, 3) between and behind the lips of posed landmarks (68, 3)."""
    lips = landmarks[48:68]
    return random.uniform(lips.min(0) - MOUTH_DEPTH, lips.max(0), (count, 3))


def wrong_shares(true: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Shares of points in a mouth that are solid where there should be air, and air where there should be solid.

    true, found: signed distances (P,); points at the true surface are left out.
    """
    air, solid = true > LEAST_DISTANCE, true < -LEAST_DISTANCE
    return {
        "solid_in_air": float((found[air] <= 0).mean()) if air.any() else 0.0,
        "air_in_solid": float((found[solid] > 0).mean()) if solid.any() else 0.0,
    }
