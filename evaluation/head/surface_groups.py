"""Named parts of the visible surface, and material points spread evenly over each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.shared.regions import REGION_NAMES
from engine.shared.units import UNITS_PER_MILLIMETRE
from training.head.ground_truth import NECK_PLANE, HeadSolid
from training.head.labels import vertex_regions
from training.head.sampling import SurfaceSampler

GROUPS = ("face", "lips", "eyelids", "eyes", "ears", "mouth")
POINTS_PER_GROUP = {"face": 1500, "lips": 1000, "eyelids": 800, "eyes": 400, "ears": 500, "mouth": 600}
EYELID_REACH = 7.0 * UNITS_PER_MILLIMETRE  # from the landmarks of the lids' margins
# A point is seen when there is air all along here: one that touches another sheet is not, nor one buried in a lip.
AIR_IN_FRONT = (0.1 * UNITS_PER_MILLIMETRE, 0.5 * UNITS_PER_MILLIMETRE)


def group_of_triangles(sampler: SurfaceSampler) -> np.ndarray:
    """(T,) str: which of GROUPS each of the sampler's triangles belongs to, or '' (scalp, neck)."""
    kit = sampler.topology.face_kit
    mean = kit.canonical(kit.neutral)
    centre = mean[sampler.triangles].mean(1)
    region = np.array(REGION_NAMES)[vertex_regions(kit)[sampler.triangles].mean(1).argmax(1)]
    skin = np.isin(region, ("skin", "brows"))
    lids = np.linalg.norm(centre[:, None] - mean[kit.landmarks[36:48]], axis=2).min(1) < EYELID_REACH
    group = np.full(len(centre), "", dtype="<U8")
    group[skin & (centre[:, 2] > 0.0) & (centre[:, 1] > -0.42)] = "face"
    group[skin & (np.abs(centre[:, 0]) > 0.30) & (centre[:, 1] > -0.15) & (centre[:, 2] < -0.12)] = "ears"
    group[skin & lids] = "eyelids"
    group[region == "lips"] = "lips"
    group[np.isin(region, ("sclera", "iris", "pupil"))] = "eyes"
    group[np.isin(region, ("teeth", "gums", "tongue", "mouth_cavity"))] = "mouth"
    return group


@dataclass
class TruePoints:
    """Points of one posed head: positions and unit normals (N, 3), and whether each is seen from the air (N,)."""

    positions: np.ndarray
    normals: np.ndarray
    visible: np.ndarray


class GroupPoints:
    """The same material points on every head and in every pose, uniform over each group's area on the mean head.

    group: (N,) str, one of GROUPS for each point.
    """

    def __init__(self, sampler: SurfaceSampler, seed: int, per_group: dict[str, int] = POINTS_PER_GROUP):
        self._sampler = sampler
        of_triangle, area = group_of_triangles(sampler), _areas(sampler)
        random = np.random.default_rng(seed)
        rows = []
        for name, count in per_group.items():
            own = np.flatnonzero(of_triangle == name)
            rows.append(random.choice(own, count, p=area[own] / area[own].sum()))
        self._rows = np.concatenate(rows)
        root, share = np.sqrt(random.random(len(self._rows))), random.random(len(self._rows))
        self._barycentric = np.stack([1 - root, root * (1 - share), root * share], 1)
        self.group = of_triangle[self._rows]

    def on(self, solid: HeadSolid) -> TruePoints:
        """The points on a posed head."""
        positions, normals = self._sampler.place(solid, self._rows, self._barycentric)
        return TruePoints(positions, normals, seen(solid, positions, normals))


def seen(solid: HeadSolid, positions: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(N,) bool: whether surface points (N, 3) above the neck plane, with normals (N, 3), have air in front of them."""
    in_front = np.concatenate([positions + height * normals for height in AIR_IN_FRONT])
    covered = solid.inside(in_front).reshape(len(AIR_IN_FRONT), -1).any(0)
    return ~covered & (positions[:, 1] > NECK_PLANE + 0.02)


def _areas(sampler: SurfaceSampler) -> np.ndarray:
    """(T,) areas of the sampler's triangles on the mean canonical head."""
    kit = sampler.topology.face_kit
    corners = kit.canonical(kit.neutral).astype(np.float64)[sampler.triangles]
    return 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
