"""Small shaded pictures of meshes, drawn on the CPU, to look at what was trained."""

from __future__ import annotations

import igl
import numpy as np

LIGHT = np.array([0.35, 0.5, 0.8])


def shade(
    vertices: np.ndarray,
    triangles: np.ndarray,
    colours: np.ndarray,
    towards: tuple[float, float, float],
    centre: tuple[float, float, float] = (0.0, 0.0, -0.1),
    height: float = 1.15,
    pixels: int = 420,
) -> np.ndarray:
    """(pixels, pixels, 3) picture in 0..1, orthographic, seen from the direction `towards`.

    vertices (V, 3), triangles (T, 3), colours (V, 3) or (T, 3) in 0..1; the view is `height` model units high.
    """
    backward = np.array(towards, float) / np.linalg.norm(towards)
    right = np.cross([0.0, 1.0, 0.0], backward)
    right /= np.linalg.norm(right)
    up = np.cross(backward, right)
    steps = (np.arange(pixels) + 0.5) / pixels - 0.5
    x, y = np.meshgrid(height * steps, -height * steps)
    origins = np.array(centre) + 2.0 * backward + x[..., None] * right + y[..., None] * up
    vertices = np.ascontiguousarray(vertices, np.float64)
    triangles = np.ascontiguousarray(triangles, np.int64)
    tree = igl.AABB()
    tree.init(vertices, triangles)
    rays = np.repeat(-backward[None], pixels * pixels, 0)
    row, _, place = tree.intersect_ray_first(vertices, triangles, origins.reshape(-1, 3), rays)
    normals = np.cross(
        vertices[triangles[:, 1]] - vertices[triangles[:, 0]], vertices[triangles[:, 2]] - vertices[triangles[:, 0]]
    )
    smooth = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(smooth, triangles[:, corner], normals)
    picture = np.full((pixels * pixels, 3), 0.93)
    hit = np.flatnonzero(row >= 0)
    share = np.stack([1 - place[hit].sum(1), place[hit, 0], place[hit, 1]], 1)[..., None]
    corners = triangles[row[hit]]
    normal = (share * smooth[corners]).sum(1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)
    light = 0.35 * right + 0.5 * up + 0.8 * backward
    bright = 0.25 + 0.75 * np.clip(normal @ (light / np.linalg.norm(light)), 0, 1)
    colour = (share * colours[corners]).sum(1) if len(colours) == len(vertices) else colours[row[hit]]
    picture[hit] = colour * bright[:, None]
    return picture.clip(0, 1).reshape(pixels, pixels, 3)
