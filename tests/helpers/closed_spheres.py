"""Closed surfaces of known place and volume."""

import numpy as np


def sphere(centre: tuple[float, float, float], radius: float, rings: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """A closed sphere of triangles, outward."""
    polar = np.pi * (np.arange(rings - 1) + 1) / rings
    around = 2 * np.pi * np.arange(rings) / rings
    body = np.stack(
        [
            np.outer(np.sin(polar), np.sin(around)),
            np.repeat(np.cos(polar)[:, None], rings, 1),
            np.outer(np.sin(polar), np.cos(around)),
        ],
        -1,
    ).reshape(-1, 3)
    vertices = np.concatenate([body, [[0, 1, 0], [0, -1, 0]]]) * radius + centre
    triangles, last = [], (rings - 2) * rings
    for column in range(rings):
        following = (column + 1) % rings
        triangles += [(len(body), column, following), (last + following, last + column, len(body) + 1)]
        for row in range(rings - 2):
            a, b = row * rings + column, row * rings + following
            triangles += [(a, a + rings, b), (b, a + rings, b + rings)]
    return vertices, np.array(triangles)
