"""What rays hit of a triangle mesh first, by Embree."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.shared.errors import EngineError


class Hits(NamedTuple):
    """First hits of R rays.

    distance: (R,) in lengths of the direction, infinite where nothing was hit; triangle: (R,), -1 there;
    shares: (R, 3) of the triangle's corners in the point that was hit.
    """

    distance: np.ndarray
    triangle: np.ndarray
    shares: np.ndarray


class RayCaster:
    """A triangle mesh, vertices (V, 3) and triangles (T, 3), that rays can be sent to.

    Raises EngineError when the package embreex is not installed.
    """

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray) -> None:
        try:
            from embreex.mesh_construction import TriangleMesh
            from embreex.rtcore_scene import EmbreeScene
        except ImportError as error:
            raise EngineError("Rendering captures takes the package embreex; pip install embreex.") from error
        self.scene = EmbreeScene()
        self.mesh = TriangleMesh(
            self.scene, np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(triangles, np.int32)
        )

    def cast(self, origin: np.ndarray, directions: np.ndarray) -> Hits:
        """First hits of rays from one origin (3,) along directions (R, 3) of any length."""
        count = len(directions)
        origins = np.broadcast_to(np.asarray(origin, np.float32), (count, 3)).copy()
        found = self.scene.run(origins, np.ascontiguousarray(directions, np.float32), output=1)
        triangle = found["primID"].astype(np.int64)
        distance = np.where(triangle >= 0, found["tfar"].astype(np.float64), np.inf)
        shares = np.stack([1.0 - found["u"] - found["v"], found["u"], found["v"]], 1).astype(np.float64)
        return Hits(distance, triangle, shares)
