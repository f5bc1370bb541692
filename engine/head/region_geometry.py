"""Regions that geometry tells more sharply than a network: iris and pupil on the eyeballs, and where the neck begins.

Everything lies in canonical space and follows the identity through the template: each eyeball is a sphere fitted to
its vertices, its gaze the direction of its pupil, and the neck begins at a plane from the throat to the nape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation
from torch import Tensor

from ..shared.arkit import ARKIT_NAMES
from ..shared.regions import EYE_REGIONS, IRIS_ANGLE, PUPIL_ANGLE
from .template import Template

EYE_BORDER = 0.7  # half width in degrees of the soft borders of iris and pupil
# How far an eyeball turns at a weight of one, degrees: up and down about x, to the sides about y. ICT-FaceKit's shapes
# move the lids alone, its eyeballs are turned apart from them.
GAZE_UP, GAZE_DOWN, GAZE_SIDEWAYS = 22.0, 26.0, 28.0
GAZE_NAMES = ("Up", "Down", "In", "Out")
EYE_REACH = 1.35  # radii from an eyeball's centre up to which points get a direction, so that its rim has neighbours
NECK_LINE = (-0.44, -0.65)  # height of the mean head's neck plane at z = 0 and its slope towards the face
NECK_BORDER = 0.02  # half width of the neck's soft border, 5 mm


@dataclass(frozen=True)
class Eye:
    """One eyeball in canonical space: centre (3,), radius, and rows right, up and gaze of its frame (3, 3)."""

    centre: np.ndarray
    radius: float
    frame: np.ndarray

    @classmethod
    def fitted(cls, points: np.ndarray, pupil: np.ndarray) -> Eye:
        """The sphere through points (P, 3) by least squares, looking towards the middle of pupil (Q, 3)."""
        solution = np.linalg.lstsq(np.c_[2 * points, np.ones(len(points))], (points**2).sum(1), rcond=None)[0]
        centre = solution[:3]
        gaze = pupil.mean(0) - centre
        gaze /= np.linalg.norm(gaze)
        right = np.cross((0.0, 1.0, 0.0), gaze)
        right /= np.linalg.norm(right)
        frame = np.stack([right, np.cross(gaze, right), gaze])
        return cls(centre, float(np.sqrt(solution[3] + centre @ centre)), frame)


@dataclass(frozen=True)
class RegionGeometry:
    """What one identity's eyes (left, right) and neck look like.

    neck: height at z = 0 and slope of the neck plane.
    """

    names: tuple[str, ...]
    eyes: tuple[Eye, Eye]
    neck: tuple[float, float]

    def turned(self, weights: np.ndarray) -> RegionGeometry:
        """The geometry with its eyes turned by weights (W,)."""
        turns = gaze_rotations(weights)
        left, right = (replace(eye, frame=eye.frame @ turn.T) for eye, turn in zip(self.eyes, turns, strict=True))
        return replace(self, eyes=(left, right))

    def refined(self, points: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Region weights (P, K + 1): weights (P, K) of `names` with sharper eyes, and of the neck, at points (P, 3)."""
        weights = weights.copy()
        columns = [self.names.index(name) for name in EYE_REGIONS]
        ball = weights[:, columns].sum(1)
        rows = np.flatnonzero(ball > 1e-3)
        forward = self.directions(points[rows])[:, 2]
        angle = np.degrees(np.arccos(np.clip(forward, -1.0, 1.0)))
        iris, pupil = (_soft_step((limit - angle) / EYE_BORDER) for limit in (IRIS_ANGLE, PUPIL_ANGLE))
        weights[rows[:, None], columns] = ball[rows, None] * np.stack([1 - iris, iris - pupil, pupil], 1)
        height, slope = self.neck
        share = _soft_step(_below(points, height, slope) / NECK_BORDER)
        skin = self.names.index("skin")
        neck = share * weights[:, skin]
        weights[:, skin] -= neck
        return np.concatenate([weights, neck[:, None]], 1).astype(np.float32)

    def directions(self, points: np.ndarray) -> np.ndarray:
        """Unit vectors (P, 3) from the nearer eyeball's centre to points (P, 3): right, up and forward of its gaze."""
        directions = np.empty(points.shape, np.float32)
        left = points[:, 0] > 0
        for eye, chosen in zip(self.eyes, (left, ~left), strict=True):
            offset = (points[chosen] - eye.centre) @ eye.frame.T
            directions[chosen] = offset / np.maximum(np.linalg.norm(offset, axis=1, keepdims=True), 1e-6)
        return directions

    def near_eyes(self, points: np.ndarray) -> np.ndarray:
        """Numbers (E,) int32 of the points (P, 3) on an eyeball or close around it."""
        near = [np.linalg.norm(points - eye.centre, axis=1) < EYE_REACH * eye.radius for eye in self.eyes]
        return np.flatnonzero(near[0] | near[1]).astype(np.int32)

    def eye_turns(self, places: np.ndarray, ball: np.ndarray, count: int = len(ARKIT_NAMES)) -> np.ndarray:
        """Displacements (V, count, 3) float32 per unit of each of the first weights that turn the eyeballs.

        places: (V, 3). ball: (V,) bool, which points lie on an eyeball. A weight of one turns it by its whole angle; in
        between, points go straight, 0.5 mm inside at most.
        """
        moved = np.zeros((len(places), count, 3), np.float32)
        sides = (ball & (places[:, 0] > 0), ball & (places[:, 0] < 0))
        for number in (number for number, name in enumerate(ARKIT_NAMES) if name.startswith("eyeLook")):
            turns = gaze_rotations(np.eye(len(ARKIT_NAMES))[number])
            for eye, turn, own in zip(self.eyes, turns, sides, strict=True):
                offset = places[own] - eye.centre
                moved[own, number] = offset @ turn.T - offset
        return moved


def gaze_rotations(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotation matrices (3, 3) of the left and the right eyeball for weights (W,)."""
    rotations = []
    for side, outwards in (("Left", 1.0), ("Right", -1.0)):
        up, down, inward, outward = (float(weights[ARKIT_NAMES.index(f"eyeLook{way}{side}")]) for way in GAZE_NAMES)
        pitch = np.radians(GAZE_DOWN * down - GAZE_UP * up)
        yaw = np.radians(outwards * GAZE_SIDEWAYS * (outward - inward))
        rotations.append(Rotation.from_euler("YX", (yaw, pitch)).as_matrix())
    return rotations[0], rotations[1]


def region_geometry(names: Sequence[str], template: Template, coefficients: Tensor | None) -> RegionGeometry:
    """The geometry of an identity.

    names: regions in the order of the template's columns.
    coefficients: (M,) of the template's identity modes; None is the mean head.
    """
    mean, weights = template.vertices.cpu().numpy(), template.regions
    ball, pupil = weights[:, [names.index(name) for name in EYE_REGIONS]].sum(1) > 127, names.index("pupil")
    vertices = mean.copy()
    border = (weights[:, names.index("skin")] > 127) & (np.abs(_below(mean, *NECK_LINE)) < NECK_BORDER)
    used = np.flatnonzero(ball | border)
    if coefficients is not None:
        vertices[used] += template.identity_displacement(coefficients, used).cpu().numpy()
    eyes = []
    for side in (1, -1):
        own = ball & (side * mean[:, 0] > 0)
        eyes.append(Eye.fitted(vertices[own], vertices[own & (weights[:, pupil] > 127)]))
    rim = vertices[border]
    height, slope = np.linalg.lstsq(np.c_[np.ones(len(rim)), rim[:, 2]], rim[:, 1], rcond=None)[0]
    return RegionGeometry(tuple(names), (eyes[0], eyes[1]), (float(height), float(slope)))


def _below(points: np.ndarray, height: float, slope: float) -> np.ndarray:
    return height + slope * points[:, 2] - points[:, 1]


def _soft_step(values: np.ndarray) -> np.ndarray:
    """0 below -1, 1 above 1, smooth between."""
    share = np.clip((values + 1) / 2, 0, 1)
    return share * share * (3 - 2 * share)
