"""Nearest points on the zero level of a signed distance field, found on the field itself and not on a grid.

A Newton step along the gradient brings a point onto the zero level (correct to first order, as in Taubin 1994); steps
in the tangent plane then move the foot to where the line to the point is normal to the level (the foot point iteration
of Hartmann 1999). Every foot lies on the level, so a neighbour's foot that is nearer is as good a start as its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from engine.shared.units import UNITS_PER_MILLIMETRE

Field = Callable[[Tensor], Tensor]  # (P, 3) model units -> (P,) signed distances

CHUNK = 4096
NEWTON_STEPS, CORRECTIONS = 4, 3
LARGEST_STEP = 3.0 * UNITS_PER_MILLIMETRE  # far from the level the gradient points to some other sheet
LARGEST_RESIDUAL = 0.005 * UNITS_PER_MILLIMETRE
TANGENTIAL_SHARE = 0.15  # a line to the foot this far off the normal lengthens the distance by 1 %
LEAST_OFFSET = 0.02 * UNITS_PER_MILLIMETRE  # shorter offsets have no direction worth correcting


@dataclass
class Feet:
    """Nearest known points of the zero level.

    points (P, 3) and distance (P,), in model units: to which and how far; normals (P, 3): unit gradients there, out of
    the solid; residual (P,): first-order distance of the foot itself from the level, model units.
    """

    points: np.ndarray
    distance: np.ndarray
    normals: np.ndarray
    residual: np.ndarray

    @property
    def converged(self) -> np.ndarray:
        """(P,) bool: whether the foot lies on the level; where none was found, it does not."""
        return self.residual <= LARGEST_RESIDUAL


def nearest_feet(field: Field, points: np.ndarray) -> Feet:
    """Feet on the zero level of a field of points (P, 3) near it.

    A point without a foot of its own (flat field, another sheet in the way) gets that of the nearest other point.
    """
    feet = _landed(field, points, points)
    for _ in range(CORRECTIONS):
        feet = _with_neighbours(points, feet)
        offset = points - feet.points
        tangential = offset - (offset * feet.normals).sum(1, keepdims=True) * feet.normals
        share = np.linalg.norm(tangential, axis=1) / np.maximum(feet.distance, LEAST_OFFSET)
        wrong = np.flatnonzero(share > TANGENTIAL_SHARE)
        if len(wrong) == 0:
            break
        moved = _landed(field, points[wrong], feet.points[wrong] + tangential[wrong])
        better = moved.converged & (moved.distance < feet.distance[wrong])
        chosen = wrong[better]
        for name, values in vars(feet).items():
            values[chosen] = getattr(moved, name)[better]
    return _with_neighbours(points, feet)


def _landed(field: Field, points: np.ndarray, start: np.ndarray) -> Feet:
    """Feet reached from start (P, 3) by Newton steps, with their distances from points (P, 3)."""
    place = np.array(start, np.float32)
    normals, residual = np.zeros(place.shape), np.full(len(place), np.inf)
    active = np.arange(len(place))
    for steps_left in reversed(range(NEWTON_STEPS + 1)):
        value, gradient = values_and_gradients(field, place[active])
        slope = np.linalg.norm(gradient, axis=1).clip(1e-3)
        residual[active], normals[active] = np.abs(value) / slope, gradient / slope[:, None]
        moving = residual[active] > LARGEST_RESIDUAL
        active = active[moving]
        if steps_left == 0 or len(active) == 0:
            break
        step = np.clip(value / slope, -LARGEST_STEP, LARGEST_STEP)[moving]
        place[active] -= step[:, None] * normals[active]
    return Feet(place, np.linalg.norm(points - place, axis=1), normals, residual)


def _with_neighbours(points: np.ndarray, feet: Feet) -> Feet:
    """Feet replaced by those of other points where these are nearer, or the only ones that lie on the level."""
    landed = np.flatnonzero(feet.converged)
    if len(landed) == 0:
        return feet
    distance, nearest = cKDTree(feet.points[landed]).query(points)
    source = np.where(feet.converged & (feet.distance <= distance), np.arange(len(points)), landed[nearest])
    return Feet(
        feet.points[source],
        np.linalg.norm(points - feet.points[source], axis=1),
        feet.normals[source],
        feet.residual[source],
    )


def values_and_gradients(field: Field, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signed distances (P,) and their gradients (P, 3) at points (P, 3)."""
    values, gradients = [], []
    for chunk in torch.from_numpy(np.asarray(points, np.float32)).split(CHUNK):
        query = chunk.clone().requires_grad_()
        value = field(query)
        (gradient,) = torch.autograd.grad(value.sum(), query)
        values.append(value.detach().numpy())
        gradients.append(gradient.numpy())
    return np.concatenate(values), np.concatenate(gradients)
