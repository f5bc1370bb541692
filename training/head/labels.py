"""Which region of the head each ICT-FaceKit vertex belongs to, as soft weights."""

from __future__ import annotations

import numpy as np
from matplotlib.path import Path as Outline
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from engine.shared.regions import IRIS_ANGLE, PUPIL_ANGLE, REGION_NAMES
from engine.shared.units import UNITS_PER_MILLIMETRE
from training.head.ict import FaceKit
from training.head.parts import tongue_vertices

LIP_BORDER_UV = 0.006  # half width of the vermilion's soft border in texture coordinates, about 1 mm
EYE_BORDER_ANGLE = 0.7  # half width of the soft borders of iris and pupil, degrees at the eyeball's centre
BROW_HALF_WIDTH, BROW_BORDER = 3.2, 1.3  # mm


def vertex_regions(face_kit: FaceKit) -> np.ndarray:
    """(V, K) float32 weights of REGION_NAMES that sum to one."""
    weights = np.zeros((len(face_kit.neutral), len(REGION_NAMES)), np.float32)
    column = REGION_NAMES.index
    weights[:, column("skin")] = 1.0
    for submesh, region in (("mouth_socket", "mouth_cavity"), ("gums_tongue", "gums"), ("teeth", "teeth")):
        _assign(weights, _vertices(face_kit, submesh), column(region))
    _assign(weights, tongue_vertices(face_kit), column("tongue"))
    face = _vertices(face_kit, "face")
    lips = _lip_weights(face_kit, face)
    brows = _brow_weights(face_kit, face)
    weights[face] = 0.0
    weights[face, column("lips")] = lips
    weights[face, column("brows")] = brows * (1 - lips)
    weights[face, column("skin")] = (1 - brows) * (1 - lips)
    for submesh in ("eyeball_L", "eyeball_R"):
        eyeball = _vertices(face_kit, submesh)
        iris, pupil = _eye_weights(face_kit, submesh)
        weights[eyeball] = 0.0
        weights[eyeball, column("pupil")] = pupil
        weights[eyeball, column("iris")] = iris * (1 - pupil)
        weights[eyeball, column("sclera")] = (1 - iris) * (1 - pupil)
    return weights


def _vertices(face_kit: FaceKit, submesh: str) -> np.ndarray:
    return np.arange(*face_kit.submesh_vertices[face_kit.submesh_names.index(submesh)])


def _assign(weights: np.ndarray, vertices: np.ndarray, column: int) -> None:
    weights[vertices] = 0.0
    weights[vertices, column] = 1.0


def vertex_texture_coordinates(face_kit: FaceKit) -> np.ndarray:
    """(V, 2) texture coordinates; at seams one of the several."""
    coordinates = np.zeros((len(face_kit.neutral), 2), np.float32)
    present = face_kit.polygons >= 0
    coordinates[face_kit.polygons[present]] = face_kit.uv[face_kit.polygon_uv[present]]
    return coordinates


def _lip_weights(face_kit: FaceKit, face: np.ndarray) -> np.ndarray:
    """Weights (F,) of face vertices: inside the closed spline through the outer lip landmarks, in texture space."""
    coordinates = vertex_texture_coordinates(face_kit)
    corners = coordinates[face_kit.landmarks[48:60]]
    closed = np.concatenate([corners, corners[:1]])
    steps = np.r_[0, np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))]
    outline = CubicSpline(steps, closed, bc_type="periodic")(np.linspace(0, steps[-1], 400))
    inside = Outline(outline).contains_points(coordinates[face])
    distance = cKDTree(outline).query(coordinates[face])[0]
    return _soft_step(np.where(inside, distance, -distance) / LIP_BORDER_UV)


def _brow_weights(face_kit: FaceKit, face: np.ndarray) -> np.ndarray:
    """Weights (F,): a band around the splines through each brow's five landmarks, thinner towards its outer end."""
    positions = face_kit.neutral[face]
    weights = np.zeros(len(face), np.float32)
    for landmarks, outer_first in ((face_kit.landmarks[17:22], True), (face_kit.landmarks[22:27], False)):
        curve = CubicSpline(np.arange(5), face_kit.neutral[landmarks])(np.linspace(0, 4, 200))
        distance, place = cKDTree(curve).query(positions)
        along = 1 - place / 199 if outer_first else place / 199  # 0 at the nose
        width = UNITS_PER_MILLIMETRE * BROW_HALF_WIDTH * (1.0 - 0.55 * along**2)
        weights = np.maximum(weights, _soft_step((width - distance) / (UNITS_PER_MILLIMETRE * BROW_BORDER)))
    return weights


def _eye_weights(face_kit: FaceKit, submesh: str) -> tuple[np.ndarray, np.ndarray]:
    """Iris and pupil weights (E,) of an eyeball's vertices, by the angle from its axis; the poles have most edges."""
    vertices = _vertices(face_kit, submesh)
    positions = face_kit.neutral[vertices]
    triangles = face_kit.submesh(submesh) - vertices[0]
    poles = positions[np.argsort(np.bincount(triangles.ravel(), minlength=len(vertices)))[-2:]]
    back, front = poles[np.argsort(poles[:, 2])]
    centre, axis = (front + back) / 2, (front - back) / np.linalg.norm(front - back)
    direction = (positions - centre) / np.linalg.norm(positions - centre, axis=1, keepdims=True)
    angle = np.degrees(np.arccos(np.clip(direction @ axis, -1, 1)))
    return _soft_step((IRIS_ANGLE - angle) / EYE_BORDER_ANGLE), _soft_step((PUPIL_ANGLE - angle) / EYE_BORDER_ANGLE)


def _soft_step(values: np.ndarray) -> np.ndarray:
    """0 below -1, 1 above 1, smooth between."""
    share = np.clip((values + 1) / 2, 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)
