"""The head pose of a take from the matrices of a face tracker."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from ..shared.pose import NECK_BASE, checked_pose

# Metres in Blender's axes: the tracker's origin inside the head, against the pivot at the base of the neck.
ORIGIN = np.array([0.0, -0.03, 0.03]) - np.array(NECK_BASE)
TO_BLENDER = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # (x, y, z) up y becomes (x, -z, y)


def head_pose(matrices: np.ndarray) -> np.ndarray:
    """Poses (F, 6) of `engine.shared.pose` of matrices (F, 4, 4), NaN where the face was lost.

    The matrices bring a face (x to its left, y up, z out of it, centimetres) before the camera. A pose is measured from
    the mean of the clip, so that it does not matter where the camera stood; lost frames are bridged.
    """
    seen = np.flatnonzero(np.isfinite(matrices).all((1, 2)))
    turns = Rotation.from_matrix(TO_BLENDER @ matrices[seen, :3, :3] @ TO_BLENDER.T)
    middle = turns.mean()
    relative = middle.inv() * turns  # in the head's own axes
    roll, pitch, yaw = relative.as_euler("yxz", degrees=True).T
    metres = matrices[seen, :3, 3] @ TO_BLENDER.T / 100
    shift = middle.inv().apply(metres - metres.mean(0))
    swung = relative.apply(ORIGIN) - ORIGIN
    millimetres = 1000 * (shift - (swung - swung.mean(0)))
    found = np.concatenate([np.stack([pitch, yaw, roll], 1), millimetres], 1)
    frames = np.arange(len(matrices))
    return checked_pose(np.stack([np.interp(frames, seen, column) for column in found.T], 1), len(matrices))
