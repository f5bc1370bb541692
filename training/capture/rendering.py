"""What a rig of cameras records of a talking head: colour, depth, normals, segmentation, landmarks.

Rays find what a pixel sees. Depth and normals are given the errors of a stereo reconstruction, landmarks those of a
detector, so that what is fitted to them is not fitted to the truth itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.capture.cameras import Camera, Size, looking_at, pixel_centres
from training.capture.layout import FULL_SIZE, SERIALS
from training.capture.raycasting import Hits, RayCaster
from training.capture.talking_head import TalkingHead

# The rig spans about what NeRSemble's does: 93 degrees from left to right, 32 from below to above, a metre away.
AZIMUTH, ELEVATION, DISTANCE = 46.5, 16.0, 1.0
ROWS = 2
FOCAL = 7400.0  # pixels of a picture of FULL_SIZE: 45 cm high at a metre
LIGHTS = (((-0.5, 0.5, 0.7), 0.55), ((0.7, 0.2, 0.6), 0.35))
AMBIENT, BACKGROUND = 0.25, 0.55
VISIBLE = 0.002  # metres between a landmark and what a camera sees there


@dataclass(frozen=True)
class Errors:
    """Of the recorded maps: standard deviations, and the share of face pixels without depth.

    depth in metres along the ray; normal in radians; landmark in pixels of a picture 256 wide.
    """

    depth: float = 0.0003
    normal: float = 0.06
    landmark: float = 0.5
    holes: float = 0.02
    steepest: float = 0.2  # stereo finds nothing where the cosine between surface and ray is smaller


@dataclass(frozen=True)
class View:
    """What one camera recorded of one frame; arrays (h, w, ...).

    depth: metres, 0 where unknown. normals: in the camera's axes. labels: segmentation, 0 is the background.
    landmarks: (68, 2) pixels; visible: (68,) bool.
    """

    colour: np.ndarray
    depth: np.ndarray
    normals: np.ndarray
    labels: np.ndarray
    landmarks: np.ndarray
    visible: np.ndarray


def rig(count: int = len(SERIALS)) -> list[Camera]:
    """`count` calibrated cameras around the origin, in two rows, for pictures of NeRSemble's size."""
    cameras = []
    for number in range(count):
        column, row = divmod(number, ROWS) if count > 1 else (0, 0)
        columns = -(-count // ROWS)
        azimuth = np.radians(AZIMUTH * (2 * column / max(columns - 1, 1) - 1)) if count > 1 else 0.0
        elevation = np.radians(ELEVATION * (2 * row - 1)) if count > 1 else 0.0
        away = np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])
        serial = SERIALS[number] if number < len(SERIALS) else f"{300000000 + number}"
        cameras.append(looking_at(serial, DISTANCE * away, np.array([0.0, -0.01, 0.0]), FOCAL, FULL_SIZE))
    return cameras


def picture_size(width: int) -> Size:
    """The size of pictures of some width in NeRSemble's proportions."""
    return width, round(width * FULL_SIZE[1] / FULL_SIZE[0])


def recorded(
    head: TalkingHead, frame: int, cameras: Sequence[Camera], errors: Errors, generator: np.random.Generator
) -> list[View]:
    """What cameras, already of the wanted picture size, record of one frame."""
    vertices = head.world_vertices(frame)
    caster = RayCaster(vertices, head.triangles)
    normals = vertex_normals(vertices, head.triangles)
    return [_view(head, camera, vertices, normals, caster, errors, generator) for camera in cameras]


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals (V, 3) of a mesh."""
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    area = np.cross(b - a, c - a)
    total = np.stack(
        [np.bincount(triangles.ravel(), np.repeat(area[:, axis], 3), len(vertices)) for axis in range(3)], 1
    )
    return total / np.linalg.norm(total, axis=1, keepdims=True).clip(1e-12)


def _view(
    head: TalkingHead,
    camera: Camera,
    vertices: np.ndarray,
    normals: np.ndarray,
    caster: RayCaster,
    errors: Errors,
    generator: np.random.Generator,
) -> View:
    pixels = pixel_centres(camera.size).reshape(-1, 2)
    rays = camera.rays(pixels)
    hits = caster.cast(camera.centre, rays)
    seen = hits.triangle >= 0
    corners = head.triangles[hits.triangle[seen]]
    normal = _interpolated(hits, seen, normals[corners])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-12)
    facing = -np.einsum("pc,pc->p", normal, rays[seen] / np.linalg.norm(rays[seen], axis=1, keepdims=True))
    normal[facing < 0] *= -1
    shape = camera.size[::-1]
    depth, labels = np.zeros(len(pixels)), np.zeros(len(pixels), np.uint8)
    labels[seen] = head.labels[hits.triangle[seen]]
    known = (np.abs(facing) > errors.steepest) & (generator.random(len(facing)) >= errors.holes)
    # The direction has depth one, so its length in the hit is the depth itself.
    depth[seen] = np.where(known, hits.distance[seen] + errors.depth * generator.standard_normal(len(facing)), 0.0)
    maps = np.zeros((len(pixels), 3))
    noisy = normal + errors.normal * generator.standard_normal(normal.shape)
    maps[seen] = (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)) @ camera.rotation.T
    landmarks, visible = _landmarks(head, camera, vertices, caster, errors, generator)
    colour = np.full((len(pixels), 3), BACKGROUND)
    colour[seen] = _shaded(_interpolated(hits, seen, head.colours[corners]), normal)
    return View(
        (255 * np.clip(colour, 0, 1) ** (1 / 2.2)).astype(np.uint8).reshape(*shape, 3),
        depth.astype(np.float32).reshape(shape),
        maps.astype(np.float16).reshape(*shape, 3),
        labels.reshape(shape),
        landmarks,
        visible,
    )


def _interpolated(hits: Hits, seen: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values (S, C) at the hits of corner values (S, 3, C)."""
    return np.einsum("sk,skc->sc", hits.shares[seen], values)


def _shaded(colour: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Diffuse light on colours (S, 3)."""
    light = np.full(len(normal), AMBIENT)
    for direction, power in LIGHTS:
        light += power * np.clip(normal @ (np.array(direction) / np.linalg.norm(direction)), 0, None)
    return colour**2.2 * light[:, None]


def _landmarks(
    head: TalkingHead,
    camera: Camera,
    vertices: np.ndarray,
    caster: RayCaster,
    errors: Errors,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Where a detector finds the 68 landmarks, (68, 2) pixels, and which the camera sees."""
    points = vertices[head.face_kit.landmarks]
    flat, depth = camera.project(points)
    hits = caster.cast(camera.centre, camera.rays(flat))
    deviation = errors.landmark * camera.size[0] / 256
    return flat + deviation * generator.standard_normal(flat.shape), hits.distance > depth - VISIBLE
