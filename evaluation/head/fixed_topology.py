"""The fixed topology against the field it follows and against ICT-FaceKit's true correspondences."""

from __future__ import annotations

from time import perf_counter

import igl
import numpy as np
from scipy.spatial import cKDTree

from engine.head.polygons import triangulated
from engine.head.template import Template
from engine.head.topology.correspondence import FixedTopologyHead
from engine.shared.units import UNITS_PER_MILLIMETRE
from evaluation.head.surface_groups import TruePoints, group_of_triangles, seen
from evaluation.head.zero_level import Field, nearest_feet
from training.head.ground_truth import HeadSolid
from training.head.sampling import SurfaceSampler

MEASURED_GROUPS = ("face", "lips", "eyelids")
AROUND_LIPS = 12.0 * UNITS_PER_MILLIMETRE  # from a vertex of the lips
LARGEST_GAP = 0.02 * UNITS_PER_MILLIMETRE  # a template vertex further from the true surface is not of it
TORN_STRETCH, TORN_LENGTH = 2.0, 0.5 * UNITS_PER_MILLIMETRE
MEASURED_VERTICES = 1000  # of each group
TIMED_FRAMES = 64


class TemplateTruth:
    """Where ICT-FaceKit has each vertex of a template that lies on its visible surface.

    group: (V,) str, the part of the head that a vertex belongs to, '' where it is none of them or not of the surface.
    lip_triangles: (T, 3) triangles of the template on and around the lips.
    sample: (S,) vertices whose errors are measured.
    """

    def __init__(self, sampler: SurfaceSampler, template: Template, seed: int):
        kit = sampler.topology.face_kit
        vertices, mean = template.vertices.double().cpu().numpy(), kit.canonical(kit.neutral).astype(np.float64)
        squared, rows, places = igl.point_mesh_squared_distance(vertices, mean, sampler.triangles)
        known = squared <= LARGEST_GAP**2  # (V,)
        corners = (np.ascontiguousarray(mean[sampler.triangles[rows, number]]) for number in range(3))
        self._barycentric = igl.barycentric_coordinates(places, *corners)
        self._sampler, self._rows = sampler, rows
        self.group = np.where(known, group_of_triangles(sampler)[rows], "")
        near_lips = cKDTree(vertices[self.group == "lips"]).query(vertices)[0] < AROUND_LIPS
        triangles = triangulated(template.polygons)
        self.lip_triangles = triangles[(near_lips & known)[triangles].all(1)]
        random = np.random.default_rng(seed)
        self.sample = np.concatenate(
            [random.permutation(np.flatnonzero(self.group == name))[:MEASURED_VERTICES] for name in MEASURED_GROUPS]
        )

    def on(self, solid: HeadSolid) -> TruePoints:
        """True places of all template vertices on a posed head; only those with a group mean anything."""
        positions, normals = self._sampler.place(solid, self._rows, self._barycentric)
        return TruePoints(positions, normals, seen(solid, positions, normals))


def template_errors(found: np.ndarray, true: TruePoints, truth: TemplateTruth, field: Field) -> dict:
    """How far the vertices found (V, 3) are off.

    "to_field" and "to_truth": distances (S,) in mm of `truth.sample`, the former NaN where the vertex meets no air and
    the field needs no surface; "flipped" and "torn": numbers of damaged triangles around the lips.
    """
    sample = truth.sample
    flipped, torn = damaged_triangles(found, true.positions, truth.lip_triangles)
    to_field = np.where(true.visible[sample], nearest_feet(field, found[sample]).distance, np.nan)
    to_truth = np.linalg.norm(found - true.positions, axis=1)[sample]
    return {
        "to_field": to_field / UNITS_PER_MILLIMETRE,
        "to_truth": to_truth / UNITS_PER_MILLIMETRE,
        "flipped": int(flipped.sum()),
        "torn": int(torn.sum()),
    }


def damaged_triangles(found: np.ndarray, true: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which triangles (T, 3) of found vertices (V, 3) are flipped against the true ones (V, 3), and which torn.

    Flipped: the normal points to the other side. Torn: an edge more than twice as long as it should be, and by more
    than 0.5 mm.
    """
    normals = [
        np.cross(v[triangles[:, 1]] - v[triangles[:, 0]], v[triangles[:, 2]] - v[triangles[:, 0]])
        for v in (found, true)
    ]
    lengths, true_lengths = (
        np.stack([np.linalg.norm(v[triangles[:, a]] - v[triangles[:, b]], axis=1) for a, b in ((0, 1), (1, 2), (2, 0))])
        for v in (found, true)
    )
    torn = (lengths > TORN_STRETCH * true_lengths) & (lengths > true_lengths + TORN_LENGTH)
    return (normals[0] * normals[1]).sum(1) < 0, torn.any(0)


def counts(template: FixedTopologyHead) -> dict[str, float]:
    """Vertices, polygons and the share of quads of a template."""
    return {
        "vertices": len(template.canonical),
        "polygons": len(template.polygons),
        "quads": float((template.polygons[:, 3] >= 0).mean()),
    }


def milliseconds_per_frame(template: FixedTopologyHead, expressions: np.ndarray) -> float:
    """Time for one of TIMED_FRAMES frames, all made at once, of expression codes (N, E) taken in turn."""
    frames = np.resize(expressions, (TIMED_FRAMES, expressions.shape[1]))
    start = perf_counter()
    for _ in template.positions(frames):
        pass
    return 1000 * (perf_counter() - start) / TIMED_FRAMES
