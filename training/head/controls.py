"""The identity controls of the starter: what each identity mode changes, measured, and directions made from that.

No mode of ICT-FaceKit changes one thing alone (`mode_table` prints what each does), so a control is the shortest
combination of the leading modes that changes one measurement and holds the others, nearly: a ridge keeps it short, so
that moderate values stay among the heads that the networks know.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from engine.bundle import merge_section
from engine.shared.units import UNITS_PER_MILLIMETRE
from training.head.ict import FaceKit

LEADING_MODES = 60
RIDGE = 0.05  # of a variance of one; 0 would hold the others exactly, at three times the length
NECK_HEIGHT, NECK_BAND = -0.42, 0.02
EYES = (slice(36, 42), slice(42, 48))  # Multi-PIE landmarks
BROWS = slice(17, 27)


def measurements(face_kit: FaceKit, vertices: np.ndarray) -> dict[str, float]:
    """Sizes in millimetres of a head with vertices (V, 3) in model units, by the controls' names."""
    head = vertices / UNITS_PER_MILLIMETRE
    points = head[face_kit.landmarks]
    mean = face_kit.neutral
    skin = np.arange(face_kit.submesh_vertices[face_kit.submesh_names.index("head_neck"), 1])
    back = _back_of_head(face_kit, skin)
    neck = skin[np.abs(mean[skin, 1] - NECK_HEIGHT) < NECK_BAND]

    def apart(first: int, second: int) -> float:
        return float(np.linalg.norm(points[first] - points[second]))

    right, left = (points[eye].mean(0) for eye in EYES)
    eye_height, eye_depth = (right + left)[1:] / 2
    brows = points[BROWS].mean(0)
    return {
        "face_length": points[27, 1] - points[8, 1],
        "face_width": apart(1, 15),
        "jaw_width": apart(4, 12),
        "chin_height": points[57, 1] - points[8, 1],
        "chin_forward": points[8, 2] - points[27, 2],
        "head_depth": points[27, 2] - head[back, 2],
        "neck_width": float(np.ptp(head[neck, 0])),
        "nose_length": points[27, 1] - points[33, 1],
        "nose_width": apart(31, 35),
        "nose_forward": points[30, 2] - (points[31, 2] + points[35, 2]) / 2,
        "eye_width": (apart(36, 39) + apart(42, 45)) / 2,
        "eye_opening": (apart(37, 41) + apart(38, 40) + apart(43, 47) + apart(44, 46)) / 4,
        "eye_spacing": left[0] - right[0],
        "brow_height": brows[1] - eye_height,
        "brow_ridge": brows[2] - eye_depth,
        "mouth_width": apart(48, 54),
        "lip_fullness": apart(51, 62) + apart(57, 66),
    }


def _back_of_head(face_kit: FaceKit, skin: np.ndarray) -> int:
    """The skin vertex farthest back at the height of the eyes, on the mean head."""
    level = skin[face_kit.neutral[skin, 1] > 0.0]
    return int(level[face_kit.neutral[level, 2].argmin()])


def mode_changes(face_kit: FaceKit) -> tuple[list[str], np.ndarray]:
    """Names of the measurements and what one unit of each mode changes in each, (M, C) millimetres."""
    names = list(measurements(face_kit, face_kit.neutral))
    changes = np.empty((len(face_kit.identity), len(names)))
    for number, mode in enumerate(face_kit.identity):
        larger, smaller = (measurements(face_kit, face_kit.neutral + sign * mode) for sign in (1, -1))
        changes[number] = np.subtract(list(larger.values()), list(smaller.values())) / 2
    return names, changes


def control_directions(changes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions (C, M) of changes (M, C), one standard deviation each, and those deviations (C,) in millimetres."""
    deviations = np.linalg.norm(changes, axis=0)  # modes are independent with a variance of one
    scaled = (changes / deviations)[:LEADING_MODES]  # (m, C)
    held = np.linalg.solve(scaled.T @ scaled + RIDGE * np.eye(scaled.shape[1]), scaled.T)  # (C, m)
    held /= np.einsum("cm,mc->c", held, scaled)[:, None]
    directions = np.zeros((changes.shape[1], len(changes)))
    directions[:, :LEADING_MODES] = held
    return directions, deviations


def print_tables(face_kit: FaceKit, modes: int = 16) -> None:
    """What the leading modes change, then what each control changes, in millimetres per unit."""
    names, changes = mode_changes(face_kit)
    directions, deviations = control_directions(changes)
    _print_table("mode", [str(number) for number in range(modes)], names, changes[:modes])
    _print_table("control", names, names, directions @ changes)
    print("one deviation (mm): " + ", ".join(f"{n} {d:.1f}" for n, d in zip(names, deviations, strict=True)))


def _print_table(kind: str, rows: list[str], columns: list[str], values: np.ndarray) -> None:
    print(" ".join([kind.ljust(13), *(column.replace("_", " ")[:12].rjust(12) for column in columns)]))
    for row, numbers in zip(rows, values, strict=True):
        print(" ".join([row.ljust(13), *(f"{number:+12.1f}" for number in numbers)]))


def export_controls(face_kit: FaceKit, bundle: Path) -> None:
    """Merge the controls into a bundle."""
    names, changes = mode_changes(face_kit)
    directions, deviations = control_directions(changes)
    section = {"names": names, "millimetres": [round(float(deviation), 2) for deviation in deviations]}
    merge_section(bundle, "head.controls", section, {"directions": torch.from_numpy(directions.astype(np.float32))})
