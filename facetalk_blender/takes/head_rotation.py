"""Head pose and the rotations that face capture records: two ways to write how a head is turned.

Live Link Face writes radians. Its eyes' pitch is positive downwards and its yaw towards the person's own right, which
ten of its recordings show (eyeLookDown against pitch r 0.98, eyeLookOut of the left eye against yaw -0.98). The head is
taken to have the same signs, and its roll to be positive towards the own right shoulder.
"""

from __future__ import annotations

import numpy as np

from ...engine.shared.pose import POSE_NAMES
from .take import ROTATIONS, Take

_SIGNS = {"HeadPitch": ("pitch", 1.0), "HeadYaw": ("yaw", -1.0), "HeadRoll": ("roll", -1.0)}
LEAST_MOTION = 1e-4  # radians: recordings without a head have zeros


def pose_of(take: Take) -> np.ndarray | None:
    """The head pose (N, 6) of a take: the model's, or what was recorded; None when there is neither."""
    if take.pose is not None:
        return take.pose
    if take.rotations is None:
        return None
    pose = np.zeros((len(take.rotations), len(POSE_NAMES)), np.float32)
    for column, (name, sign) in _SIGNS.items():
        pose[:, POSE_NAMES.index(name)] = sign * np.degrees(take.rotations[:, ROTATIONS.index(column)])
    return pose * np.float32(take.style.head_motion) if np.ptp(pose, axis=0).max() > LEAST_MOTION else None


def rotations_of(take: Take) -> np.ndarray | None:
    """Rotations (N, 9) in radians of ROTATIONS: what was recorded, or those of the model's head pose."""
    if take.pose is None:
        return take.rotations
    rotations = np.zeros((len(take.pose), len(ROTATIONS)), np.float32)
    for column, (name, sign) in _SIGNS.items():
        rotations[:, ROTATIONS.index(column)] = sign * np.radians(take.pose[:, POSE_NAMES.index(name)])
    return rotations
