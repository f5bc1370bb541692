"""Signed distances to the solid that an ICT-FaceKit head bounds: skin, eyeballs, teeth, gums and tongue as one body.

ICT-FaceKit is a set of sheets. The solid is the union of the closed ones (skin with the pocket of the mouth, eyelid
openings capped behind the eyeball's front; eyeballs; teeth; the tongue) and of what lies behind the front side of the
open gum-and-tongue sheet inside the pocket. Two planes end it: below the neck, and in the throat.
"""

from __future__ import annotations

import igl
import numpy as np

from engine.head.polygons import triangle_normals
from engine.shared.units import UNITS_PER_MILLIMETRE
from training.head.ict import FaceKit
from training.head.parts import boundary_loops, tongue_triangles, tongue_vertices

NECK_PLANE = -0.52  # y; lower than any chin at full jaw opening
THROAT_DEPTH = 0.20  # behind the mouth corners, 5 cm
SOLID_SUBMESHES = ("face", "head_neck", "mouth_socket", "teeth", "eyeball_L", "eyeball_R")
VISIBLE_SUBMESHES = (*SOLID_SUBMESHES, "gums_tongue")


class HeadTopology:
    """What does not depend on vertex positions: caps that close the sheets, and the triangles that meet air."""

    def __init__(self, face_kit: FaceKit):
        self.face_kit = face_kit
        self.mouth_corners = face_kit.landmarks[[48, 54]]
        loops = boundary_loops(face_kit.submesh("face", "head_neck", "mouth_socket"))
        # Submeshes do not share vertices along the lips, so only loops without a partner are holes.
        self.cap_loops = [loop for loop in loops if not self._is_lip_loop(loop)]
        self.solid = face_kit.submesh(*SOLID_SUBMESHES)
        self.gums = face_kit.submesh("gums_tongue")
        self.pocket = face_kit.submesh("mouth_socket")
        self.pocket_loops = boundary_loops(self.pocket)
        self.tongue = tongue_triangles(face_kit, tongue_vertices(face_kit))
        self.tongue_loops = boundary_loops(self.tongue)
        self.candidates = np.concatenate([face_kit.submesh(name) for name in VISIBLE_SUBMESHES])
        self.candidate_submesh = np.concatenate(
            [np.full(len(face_kit.submesh(name)), face_kit.submesh_names.index(name)) for name in VISIBLE_SUBMESHES]
        )
        self.visible = np.arange(len(self.candidates))
        self.visible = self._find_visible()

    def _is_lip_loop(self, loop: np.ndarray) -> bool:
        centre = self.face_kit.neutral[loop].mean(0)
        mouth = self.face_kit.neutral[self.mouth_corners].mean(0)
        return bool(np.linalg.norm(centre - mouth) < 0.06)

    def _find_visible(self) -> np.ndarray:
        """Candidates with air in front, on the mean head or on one of a few random ones; (T',) row numbers."""
        random = np.random.default_rng(0)
        seen = np.zeros(len(self.candidates), bool)
        for number in range(4):
            coefficients = 1.5 * number / 3 * random.normal(size=100).clip(-1.5, 1.5)
            solid = HeadSolid(self, self.face_kit.canonical(self.face_kit.head(coefficients)))
            corners = solid.vertices[self.candidates]  # (T, 3, 3)
            normals = solid.normals(np.arange(len(self.candidates)))
            for mixture in ((1, 1, 1), (4, 1, 1), (1, 4, 1), (1, 1, 4)):
                points = np.einsum("k,tkc->tc", np.array(mixture) / sum(mixture), corners)
                seen |= ~solid.inside(points + 0.3 * UNITS_PER_MILLIMETRE * normals)
        return np.flatnonzero(seen)


class HeadSolid:
    """The solid of one posed head.

    Args:
        topology: shared by all heads of the kit.
        vertices: (V, 3) posed vertices in model units.
        throat: z of the plane behind which the mouth's pocket is filled; by default from these vertices' mouth corners.
    """

    def __init__(self, topology: HeadTopology, vertices: np.ndarray, throat: float | None = None):
        self.topology = topology
        corners = vertices[topology.mouth_corners]
        self.throat = float(corners[:, 2].mean() - THROAT_DEPTH) if throat is None else throat
        self.vertices = np.asarray(vertices, np.float64)
        self._closed = close_with_fans(self.vertices, topology.solid, topology.cap_loops)
        self._pocket = close_with_fans(self.vertices, topology.pocket, topology.pocket_loops)
        self._tongue = close_with_fans(self.vertices, topology.tongue, topology.tongue_loops)
        tongue = self.vertices[np.unique(topology.tongue)]
        self._tongue_box = tongue.min(0), tongue.max(0)
        pocket = self.vertices[np.unique(topology.pocket)]
        self._pocket_box = pocket.min(0), pocket.max(0)
        self.triangles = topology.candidates[topology.visible]
        self._tree: igl.AABB | None = None

    def normals(self, candidates: np.ndarray) -> np.ndarray:
        """Unit normals (T, 3), out of the solid, of candidate triangles (T,)."""
        return triangle_normals(self.vertices[self.topology.candidates[candidates]])

    def inside(self, points: np.ndarray) -> np.ndarray:
        """(P,) bool: whether points (P, 3) lie in the solid; the neck plane is not applied."""
        points = np.asarray(points, np.float64)
        inside = igl.fast_winding_number(*self._closed, points) > 0.5
        near = np.flatnonzero(~inside & _within(points, self._tongue_box))
        if len(near):  # a tongue that is put out is no longer behind the gums' sheet in the pocket
            inside[near[igl.fast_winding_number(*self._tongue, points[near]) > 0.5]] = True
        air = np.flatnonzero(~inside & _within(points, self._pocket_box))
        if len(air):
            in_pocket = air[np.abs(igl.fast_winding_number(*self._pocket, points[air])) > 0.5]
            inside[in_pocket[points[in_pocket, 2] < self.throat]] = True
            if len(in_pocket):
                inside[in_pocket[self._behind_gums(points[in_pocket])]] = True
        return inside

    def _behind_gums(self, points: np.ndarray) -> np.ndarray:
        distance = igl.signed_distance(
            points, self.vertices, self.topology.gums, igl.SignedDistanceType.SIGNED_DISTANCE_TYPE_PSEUDONORMAL
        )[0]
        return distance < 0

    def distance(self, points: np.ndarray) -> np.ndarray:
        """(P,) distance of points (P, 3) to the nearest surface that meets air; planes are not counted."""
        if self._tree is None:
            self._tree = igl.AABB()
            self._tree.init(self.vertices, self.triangles)
        points = np.asarray(points, np.float64)
        return np.sqrt(self._tree.squared_distance(self.vertices, self.triangles, points)[0])

    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        """(P,) float32 signed distance, positive in air, of points (P, 3) to the solid, planes applied."""
        points = np.asarray(points, np.float64)
        inside = self.inside(points)
        distance = self._with_throat(points, self.distance(points), inside)
        signed = np.where(inside, -distance, distance)
        return np.maximum(signed, NECK_PLANE - points[:, 1]).astype(np.float32)

    def _with_throat(self, points: np.ndarray, distance: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Distances (P,) with the throat's wall counted where the point's foot on it meets air."""
        ahead = points[:, 2] - self.throat
        near = np.flatnonzero(
            (np.abs(ahead) < distance)
            & (inside == (ahead < 0))
            & (points[:, :2] >= self._pocket_box[0][:2]).all(1)
            & (points[:, :2] <= self._pocket_box[1][:2]).all(1)
        )
        if len(near):
            foot = points[near].copy()
            foot[:, 2] = self.throat + 0.3 * UNITS_PER_MILLIMETRE
            behind = foot.copy()
            behind[:, 2] = self.throat - 0.3 * UNITS_PER_MILLIMETRE
            wall = near[~self.inside(foot) & self.inside(behind)]
            distance = distance.copy()
            distance[wall] = np.abs(ahead[wall])
        return distance


def _within(points: np.ndarray, box: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return (points >= box[0]).all(1) & (points <= box[1]).all(1)


def close_with_fans(
    vertices: np.ndarray, triangles: np.ndarray, loops: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and triangles with every loop closed by a fan around its mean, oriented like the rest of the mesh."""
    parts, centres = [triangles], []
    for number, loop in enumerate(loops):
        centre = np.full(len(loop), len(vertices) + number)
        parts.append(np.stack([np.roll(loop, -1), loop, centre], 1))
        centres.append(vertices[loop].mean(0))
    return np.concatenate([vertices, *np.array(centres)[:, None]]) if centres else vertices, np.concatenate(parts)
