"""Calibrated cameras: projection, rays and back-projection."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

Size = tuple[int, int]  # width, height in pixels


@dataclass(frozen=True)
class Camera:
    """A pinhole camera in OpenCV's axes (x right, y down, z forward).

    world_to_camera: (4, 4), metres. intrinsics: (3, 3) for pictures of `size`.
    """

    serial: str
    world_to_camera: np.ndarray
    intrinsics: np.ndarray
    size: Size

    @property
    def rotation(self) -> np.ndarray:
        """World to camera, (3, 3)."""
        return self.world_to_camera[:3, :3]

    @property
    def centre(self) -> np.ndarray:
        """Where the camera stands in the world, (3,)."""
        return -self.rotation.T @ self.world_to_camera[:3, 3]

    def resized(self, size: Size) -> Camera:
        """The same camera for pictures of another size."""
        scale = np.array([size[0] / self.size[0], size[1] / self.size[1], 1.0])
        return replace(self, intrinsics=scale[:, None] * self.intrinsics, size=size)

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) of the world in the camera's axes."""
        return points @ self.rotation.T + self.world_to_camera[:3, 3]

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Picture coordinates (..., 2) and depths (...) of points (..., 3) of the world."""
        inside = self.to_camera(points)
        depth = inside[..., 2]
        return (inside @ self.intrinsics.T)[..., :2] / depth[..., None], depth

    def rays(self, pixels: np.ndarray) -> np.ndarray:
        """Directions (..., 3) in the world of picture coordinates (..., 2), of depth one."""
        ones = np.ones((*pixels.shape[:-1], 1))
        inside = np.concatenate([pixels, ones], -1) @ np.linalg.inv(self.intrinsics).T
        return inside @ self.rotation

    def back_projected(self, pixels: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Points (..., 3) of the world at depths (...) behind picture coordinates (..., 2)."""
        return self.centre + depth[..., None] * self.rays(pixels)


def pixel_centres(size: Size) -> np.ndarray:
    """Picture coordinates (height, width, 2) of all pixels' centres."""
    columns, rows = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    return np.stack([columns, rows], -1)


def looking_at(serial: str, centre: np.ndarray, target: np.ndarray, focal: float, size: Size) -> Camera:
    """An upright camera at `centre` that looks at `target`; y is up in the world. focal: in pixels."""
    forward = (target - centre) / np.linalg.norm(target - centre)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    pose[:3, 3] = -pose[:3, :3] @ centre
    intrinsics = np.array([[focal, 0.0, size[0] / 2], [0.0, focal, size[1] / 2], [0.0, 0.0, 1.0]])
    return Camera(serial, pose, intrinsics, size)
