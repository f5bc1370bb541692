"""What an artist sees of a field: the extracted mesh against the true solid, and pieces that float beside the head."""

from __future__ import annotations

import igl
import numpy as np

from engine.head.surface.pieces import piece_volumes
from engine.shared.units import UNITS_PER_MILLIMETRE
from training.head.ground_truth import NECK_PLANE, HeadSolid


def distances_to_truth(vertices: np.ndarray, truth: HeadSolid) -> tuple[np.ndarray, np.ndarray]:
    """For mesh vertices (V, 3) above the neck plane: distances (U,) to the truth, and the nearest triangles (U,).

    Triangles are numbered as the truth's own. The throat's wall counts as true surface, with the triangle beside it.
    """
    above = np.asarray(vertices[vertices[:, 1] > NECK_PLANE + 0.02], np.float64)
    _, nearest, _ = igl.point_mesh_squared_distance(above, truth.vertices, truth.triangles)
    return np.abs(truth.signed_distance(above)), nearest


def floating_pieces(vertices: np.ndarray, faces: np.ndarray) -> list[float]:
    """Volumes in mm^3 of the solid pieces besides the largest one of a closed mesh (V, 3), (F, 3), greatest first.

    Hollows, such as the air behind closed lips, have a negative volume and do not count.
    """
    _, volumes = piece_volumes(vertices, faces)
    volumes = volumes / UNITS_PER_MILLIMETRE**3
    return sorted(volumes[volumes > 0].tolist(), reverse=True)[1:]
