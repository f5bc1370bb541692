"""Small shaded pictures of meshes, drawn on the CPU, to look at what was trained."""

from __future__ import annotations

from dataclasses import dataclass

import igl
import numpy as np

from engine.head.polygons import vertex_normals

BACKGROUND = 0.93
LIGHT = (0.35, 0.5, 0.8)  # from the right, above and the front of the picture
AMBIENT = 0.25


@dataclass(frozen=True)
class View:
    """An orthographic view: the direction that one looks from, and what is in the middle, `height` model units high."""

    towards: tuple[float, float, float]
    centre: tuple[float, float, float] = (0.0, 0.0, -0.1)
    height: float = 1.15

    def axes(self) -> np.ndarray:
        """Unit vectors (3, 3) to the right, upwards and towards the viewer."""
        backward = np.array(self.towards, float) / np.linalg.norm(self.towards)
        right = np.cross([0.0, 1.0, 0.0], backward)
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(backward, right), backward])

    def origins(self, pixels: int) -> np.ndarray:
        """Where the rays (pixels * pixels, 3) of a picture begin, row by row from above."""
        steps = self.height * ((np.arange(pixels) + 0.5) / pixels - 0.5)
        x, y = np.meshgrid(steps, -steps)
        right, up, backward = self.axes()
        places = np.array(self.centre) + 2.0 * backward + x[..., None] * right + y[..., None] * up
        return places.reshape(-1, 3)


def shade(
    vertices: np.ndarray, triangles: np.ndarray, colours: np.ndarray, view: View, pixels: int = 420
) -> np.ndarray:
    """(pixels, pixels, 3) picture in 0..1 of vertices (V, 3), triangles (T, 3) and colours (V, 3) in 0..1."""
    vertices = np.ascontiguousarray(vertices, np.float64)
    triangles = np.ascontiguousarray(triangles, np.int64)
    tree = igl.AABB()
    tree.init(vertices, triangles)
    axes = view.axes()
    rays = np.repeat(-axes[2:], pixels * pixels, 0)
    row, _, place = tree.intersect_ray_first(vertices, triangles, view.origins(pixels), rays)
    hit = np.flatnonzero(row >= 0)
    share = np.stack([1 - place[hit].sum(1), place[hit, 0], place[hit, 1]], 1)[..., None]
    corners = triangles[row[hit]]
    normal = (share * vertex_normals(vertices, triangles)[corners]).sum(1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)
    light = LIGHT @ axes / np.linalg.norm(LIGHT)
    bright = AMBIENT + (1 - AMBIENT) * np.clip(normal @ light, 0, 1)
    picture = np.full((pixels * pixels, 3), BACKGROUND)
    picture[hit] = (share * colours[corners]).sum(1) * bright[:, None]
    return picture.clip(0, 1).reshape(pixels, pixels, 3)
