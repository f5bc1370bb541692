"""A capture of a ball, whose points, normals and depths are known in closed form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from closed_spheres import sphere
from PIL import Image
from scipy.spatial.transform import Rotation

from training.capture.layout import DEPTH, NORMALS, SEGMENTATION, Sequence, save_arrays, write_cameras
from training.capture.rendering import Errors, picture_size, recorded, rig

RADIUS = 0.08
EXACT = Errors(depth=0.0, normal=0.0, landmark=0.0, holes=0.0, steepest=0.2)


def ball() -> SimpleNamespace:
    """A talking head that is a ball of RADIUS around the origin, with 68 landmarks on its front."""
    vertices, triangles = sphere((0.0, 0.0, 0.0), RADIUS, rings=80)
    front = np.flatnonzero(vertices[:, 2] > 0.5 * RADIUS)
    landmarks = front[np.linspace(0, len(front) - 1, 68).astype(int)]
    # The first and the last of the jaw are as far apart as a face is wide.
    landmarks[0], landmarks[16] = vertices[:, 0].argmin(), vertices[:, 0].argmax()
    return SimpleNamespace(
        world_vertices=lambda frame: vertices,
        triangles=triangles,
        labels=np.ones(len(triangles), np.uint8),
        colours=np.full((len(vertices), 3), 0.5),
        face_kit=SimpleNamespace(landmarks=landmarks),
    )


def write_capture(folder: Path, frames: int = 3, cameras: int = 4, width: int = 64) -> Sequence:
    """A capture of the ball in NeRSemble's layout."""
    sequence, head = Sequence(folder, "017", "SEN-01-ball"), ball()
    rigged = rig(cameras)
    write_cameras(sequence.participant_folder, rigged)
    small = [camera.resized(picture_size(width)) for camera in rigged]
    for frame in range(frames):
        for camera, view in zip(small, recorded(head, frame, small, EXACT, np.random.default_rng(0)), strict=True):
            path = sequence.picture(frame, SEGMENTATION, camera.serial)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(view.labels).save(path)
            save_arrays(sequence.map(frame, DEPTH, camera.serial, cameras), depth_map=view.depth)
            save_arrays(sequence.map(frame, NORMALS, camera.serial, cameras), normal_map=view.normals)
            found = {
                "landmarks": np.tile(view.landmarks, (frames, 1, 1)),
                "visible": np.tile(view.visible, (frames, 1)),
            }
            save_arrays(sequence.landmarks(camera.serial), **found)
    return sequence


def turned(camera, angle: float):
    """A camera turned about its own axis by an angle in degrees."""
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("z", angle, degrees=True).as_matrix()
    return replace(camera, world_to_camera=turn @ camera.world_to_camera)
