"""Head pose over time: how head and neck turn and shift against the shoulders, beside the expression codes.

A pose is six numbers, the columns of POSE_NAMES: three rotations in degrees and three translations in millimetres. The
axes are Blender's on a head that faces -y with z up, so x points to the head's own left. Each rotation is right-handed
about its axis:

- pitch about x: positive nods down, the chin towards the chest;
- yaw about z: positive turns the face towards the head's own left;
- roll about y: positive tilts the top of the head towards its own left shoulder.

They apply in the order roll, pitch, yaw about fixed axes: R = Rz(yaw) Rx(pitch) Ry(roll), which is Blender's rotation
mode YXZ with the Euler angles (pitch, roll, yaw). The pivot is the base of the neck, `NECK_BASE` on the starter's mean
head. The translation (x left, y back, z up) is added after the rotation. All zeros is the head as the surface has it.

The lower end of the neck stays where it is: a vertex gets the share `bend` of rotation angles and translation, 0 at the
neck's lower end, 1 from the base of the skull and the chin upwards.

Only NumPy is needed, so that Blender's process may use it too.
"""

from __future__ import annotations

import numpy as np

from .errors import EngineError

POSE_NAMES = ("pitch", "yaw", "roll", "x", "y", "z")
# Metres in Blender's axes, on the starter's heads at rest: the middle of the neck where it begins to bend, and the
# heights between which the bend grows. The chin hangs as low as the middle of the neck, so what lies in front of the
# throat counts as higher.
NECK_BASE = (0.0, 0.06, -0.125)
NECK_LOWER, NECK_UPPER = -0.128, -0.065
THROAT, RISE_IN_FRONT = 0.0, 1.2
# How the eyes of a performance counter its head, so that the gaze stays where it is: their share of its turn, of which
# what it holds for seconds counts half (there the listener stands), and degrees of a whole eyeLookOut and its like.
REFLEX, HELD_SHARE, HELD_SECONDS = 0.9, 0.5, 4.7
DEGREES_PER_LOOK = 30.0
LARGEST_DEGREES, LARGEST_MILLIMETRES = 60.0, 100.0
_LARGEST = np.array([LARGEST_DEGREES] * 3 + [LARGEST_MILLIMETRES] * 3, np.float32)


def checked_pose(values: np.ndarray, frames: int) -> np.ndarray:
    """A pose (frames, 6) as a contiguous float32 array, limited to what a neck can do.

    Raises EngineError for another shape, NaN or infinity.
    """
    array = np.asarray(values)
    if array.shape != (frames, len(POSE_NAMES)) or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise EngineError(f"The take's head pose is not {frames} rows of six finite numbers; generate the take again.")
    return np.clip(np.ascontiguousarray(array, np.float32), -_LARGEST, _LARGEST)


def rotations(pose: np.ndarray) -> np.ndarray:
    """Rotation matrices (N, 3, 3) float32 in Blender's axes of poses (N, 6)."""
    pitch, yaw, roll = np.radians(np.asarray(pose, np.float64)[:, :3]).T
    zero, one = np.zeros_like(pitch), np.ones_like(pitch)

    def matrix(rows: list[list[np.ndarray]]) -> np.ndarray:
        return np.moveaxis(np.array(rows), -1, 0)

    cx, sx, cy, sy, cz, sz = (f(a) for a in (pitch, roll, yaw) for f in (np.cos, np.sin))
    about_x = matrix([[one, zero, zero], [zero, cx, -sx], [zero, sx, cx]])
    about_y = matrix([[cy, zero, sy], [zero, one, zero], [-sy, zero, cy]])
    about_z = matrix([[cz, -sz, zero], [sz, cz, zero], [zero, zero, one]])
    return (about_z @ about_x @ about_y).astype(np.float32)


def bend(rest: np.ndarray) -> np.ndarray:
    """Share of the pose (V,) that vertices take part in, by their places (V, 3) at rest, metres in Blender's axes."""
    places = np.asarray(rest, np.float32)
    height = places[:, 2] + RISE_IN_FRONT * np.clip(THROAT - places[:, 1], 0, None)
    share = np.clip((height - NECK_LOWER) / (NECK_UPPER - NECK_LOWER), 0, 1)
    return share * share * (3 - 2 * share)


def posed(vertices: np.ndarray, pose: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Vertices (V, 3), metres in Blender's axes, of one frame in a pose (6,): (V, 3) float32.

    share: (V,), see `bend`: of the angles and of the translation.
    """
    pivot = np.array(NECK_BASE, np.float32)
    levels, place = np.unique(np.round(np.asarray(share) * 64).astype(int), return_inverse=True)
    turned = rotations(levels[:, None] / 64 * np.asarray(pose)[None])[place]  # (V, 3, 3)
    moved = np.einsum("vij,vj->vi", turned, np.asarray(vertices, np.float32) - pivot) + pivot
    return (moved + np.asarray(share)[:, None] * np.asarray(pose)[3:] / 1000.0).astype(np.float32)
