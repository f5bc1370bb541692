"""Training samples of the head networks, drawn from ICT-FaceKit and kept in memory-mapped pools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from engine.head.polygons import triangle_normals
from engine.shared.units import UNITS_PER_MILLIMETRE
from engine.shared.weights import WEIGHT_NAMES
from training.head.ground_truth import NECK_PLANE, THROAT_DEPTH, HeadSolid, HeadTopology
from training.head.ict import random_coefficients
from training.head.parts import tongue_vertices
from training.head.poses import random_weights, with_blink, with_lips, with_open_jaw, with_tongue

BOX_MINIMUM, BOX_MAXIMUM = np.array([-0.55, -0.56, -0.72]), np.array([0.55, 0.58, 0.34])
SURFACE_POINTS, NEAR_POINTS, UNIFORM_POINTS, SHELL_POINTS = 20000, 21000, 7000, 15000
STRONG_SCALES = (0.6, 0.8, 1.0, 1.0, 1.0)  # heads far from the mean are the hardest for the identity network
MATERIAL_EVERY = 4  # every fourth head of an identity pool also gives material points
NEAR_DEVIATIONS = (1.0, 4.0, 15.0)  # mm, a third of the near points each
POSED_SURFACE_POINTS, POSED_SHELL_POINTS = 2000, 2000
POSES_PER_HEAD = 4
DETAIL_POINTS, MOUTH_POINTS = 8000, 3000
MOUTH_DEPTH = 0.10
# Cheeks and throat around the mouth.
POCKET_REACH, POCKET_DEPTH = np.array([0.05, 0.06, 0.0]), np.array([0.0, 0.0, 0.24])
TONGUE_FRONT = 0.02  # z; what lies before it moves most and is seen first
# Landmarks and the radius around each (9 and 11 mm) of parts that are too small to be learned from whole heads.
PARTS = {"eyes": (slice(36, 48), 0.035), "lips": (slice(48, 68), 0.045)}


class SurfaceSampler:
    """Random points on the surface that meets air, denser where detail matters; or on one of `PARTS` only."""

    def __init__(self, topology: HeadTopology, part: str | None = None):
        self.topology = topology
        self.triangles = topology.candidates[topology.visible]
        self.submesh = topology.candidate_submesh[topology.visible]
        kit = topology.face_kit
        mean = kit.canonical(kit.neutral).astype(np.float64)
        corners = mean[self.triangles]
        area = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        weight = area * self._density(corners.mean(1), mean)
        weight[corners[:, :, 1].max(1) < NECK_PLANE - 0.03] = 0.0
        if part:
            landmarks, radius = PARTS[part]
            places = mean[kit.landmarks[landmarks]]
            weight[np.linalg.norm(corners.mean(1)[:, None] - places, axis=2).min(1) > radius] = 0.0
        self._cumulated = np.cumsum(weight) / weight.sum()

    def _density(self, centres: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """Relative density (T,) at triangle centres (T, 3)."""
        kit = self.topology.face_kit
        base = {
            "head_neck": 0.35,
            "mouth_socket": 1.0,
            "gums_tongue": 1.5,
            "teeth": 3.0,
            "eyeball_L": 5.0,
            "eyeball_R": 5.0,
        }
        density = np.array([base.get(kit.submesh_names[number], 1.0) for number in self.submesh])
        for landmarks, radius, factor in (
            (slice(48, 68), 0.045, 8.0),
            (slice(36, 48), 0.025, 8.0),
            (slice(27, 36), 0.04, 2.5),
        ):
            near = np.linalg.norm(centres[:, None] - mean[kit.landmarks[landmarks]], axis=2).min(1) < radius
            density[near] = np.maximum(density[near], factor)
        tongue = np.isin(self.triangles, tongue_vertices(kit)).all(1)
        density[tongue] = np.maximum(density[tongue], np.where(centres[tongue, 2] > TONGUE_FRONT, 6.0, 3.0))
        density[(np.abs(centres[:, 0]) > 0.3) & (centres[:, 1] > -0.15) & (density == 1.0)] = 2.0  # ears
        return density

    def draw(self, random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows (N,) of `topology.visible` and barycentric coordinates (N, 3)."""
        rows = np.searchsorted(self._cumulated, random.random(count))
        root, share = np.sqrt(random.random(count)), random.random(count)
        return rows, np.stack([1 - root, root * (1 - share), root * share], 1)

    def place(self, solid: HeadSolid, rows: np.ndarray, barycentric: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions and unit normals (N, 3) of drawn points on a posed head."""
        positions = np.einsum("nk,nkc->nc", barycentric, solid.vertices[self.triangles[rows]])
        return positions, solid.normals(self.topology.visible[rows])


def identity_samples(sampler: SurfaceSampler, solid: HeadSolid, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Points (N, 3) with signed distances (N,) of a canonical head; the first SURFACE_POINTS also have normals."""
    rows, barycentric = sampler.draw(random, int(1.35 * SURFACE_POINTS))
    surface, normals = sampler.place(solid, rows, barycentric)
    visible = ~solid.inside(surface + 0.3 * UNITS_PER_MILLIMETRE * normals) & solid.inside(
        surface - 0.1 * UNITS_PER_MILLIMETRE * normals
    )
    keep = np.flatnonzero(visible & (surface[:, 1] > NECK_PLANE))
    keep = np.resize(keep, SURFACE_POINTS)
    surface, normals = surface[keep], normals[keep]
    deviation = UNITS_PER_MILLIMETRE * np.repeat(NEAR_DEVIATIONS, NEAR_POINTS // len(NEAR_DEVIATIONS))
    start = surface[random.integers(0, SURFACE_POINTS, NEAR_POINTS)]
    near = start + deviation[:, None] * random.normal(size=(NEAR_POINTS, 3))
    uniform = random.uniform(BOX_MINIMUM, BOX_MAXIMUM, (UNIFORM_POINTS, 3))
    others = np.concatenate([near, uniform])
    distances = np.concatenate([np.zeros(SURFACE_POINTS, np.float32), solid.signed_distance(others)])
    return {
        "points": np.concatenate([surface, others]).astype(np.float32),
        "distances": distances,
        "normals": normals.astype(np.float32),
    }


def expression_samples(
    sampler: SurfaceSampler, canonical: HeadSolid, posed: HeadSolid, random: np.random.Generator
) -> np.ndarray:
    """(N, 4) float32 material points [row, two barycentric coordinates, offset along the normal in mm].

    The first POSED_SURFACE_POINTS lie on the surface (offset 0), the others on shells around it. A point is kept where,
    in both poses, it lies on its own side and no other sheet is nearer. `material_positions` places them on any head.
    """
    count = 2 * (POSED_SURFACE_POINTS + POSED_SHELL_POINTS)
    rows, barycentric = sampler.draw(random, count)
    shell = np.exp(random.uniform(np.log(1.5), np.log(30.0), count))
    shell = np.where(random.random(count) < 0.4, -np.minimum(shell, 12.0), shell)
    shell[: count // 2] = 0.4  # the surface itself is tested a little outside
    keep = np.ones(count, bool)
    for solid in (posed, canonical):
        start, normal = sampler.place(solid, rows, barycentric)
        points = (start + UNITS_PER_MILLIMETRE * shell[:, None] * normal)[keep]
        inside, distance = solid.inside(points), solid.distance(points)
        keep[keep] = (inside == (shell[keep] < 0)) & (distance > 0.8 * UNITS_PER_MILLIMETRE * np.abs(shell[keep]))
    surface, shells = np.flatnonzero(keep[: count // 2]), count // 2 + np.flatnonzero(keep[count // 2 :])
    chosen = np.concatenate([np.resize(surface, POSED_SURFACE_POINTS), np.resize(shells, POSED_SHELL_POINTS)])
    shell[: count // 2] = 0.0
    return np.stack([rows[chosen], *barycentric[chosen, :2].T, shell[chosen]], 1).astype(np.float32)


def canonical_material(sampler: SurfaceSampler, solid: HeadSolid, random: np.random.Generator) -> np.ndarray:
    """(SURFACE_POINTS + SHELL_POINTS, 4) float32 material points of a canonical head, first those on the surface.

    A shell point is kept where its offset is its signed distance, so it is that on every similar head too.
    """
    count = 3 * SURFACE_POINTS
    rows, barycentric = sampler.draw(random, count)
    shell = np.exp(random.uniform(np.log(0.3), np.log(10.0), count)) * random.choice([-1, 1], count)
    shell[: count // 2] = 0.3
    start, normal = sampler.place(solid, rows, barycentric)
    points = start + UNITS_PER_MILLIMETRE * shell[:, None] * normal
    keep = (solid.inside(points) == (shell < 0)) & (start[:, 1] > NECK_PLANE + 0.01)
    keep &= np.abs(solid.distance(points) - UNITS_PER_MILLIMETRE * np.abs(shell)) < UNITS_PER_MILLIMETRE * (
        0.01 + 0.02 * np.abs(shell)
    )
    shell[: count // 2] = 0.0
    chosen = np.concatenate(
        [
            np.resize(np.flatnonzero(keep[: count // 2]), SURFACE_POINTS),
            np.resize(count // 2 + np.flatnonzero(keep[count // 2 :]), SHELL_POINTS),
        ]
    )
    return np.stack([rows[chosen], *barycentric[chosen, :2].T, shell[chosen]], 1).astype(np.float32)


def material_positions(
    vertices: np.ndarray, triangles: np.ndarray, material: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Positions and normals (N, 3) float32, on posed vertices (V, 3), of material points (N, 4).

    triangles: those of the sampler that drew the points.
    """
    corners = vertices[triangles[material[:, 0].astype(np.int64)]]  # (N, 3, 3)
    first, second = material[:, 1:2], material[:, 2:3]
    normals = triangle_normals(corners)
    on_surface = first * corners[:, 0] + second * corners[:, 1] + (1.0 - first - second) * corners[:, 2]
    return (on_surface + UNITS_PER_MILLIMETRE * material[:, 3:4] * normals).astype(np.float32), normals.astype(
        np.float32
    )


def detail_samples(sampler: SurfaceSampler, posed: HeadSolid, random: np.random.Generator) -> np.ndarray:
    """(DETAIL_POINTS, 4) float32 posed points with signed distances, at and in the mouth and around the eyes."""
    rows, barycentric = sampler.draw(random, 6 * DETAIL_POINTS)
    surface, _ = sampler.place(posed, rows, barycentric)
    landmarks = posed.vertices[sampler.topology.face_kit.landmarks]
    mouth = np.abs(surface - landmarks[48:68].mean(0)) < np.array([0.17, 0.16, 0.25])
    eyes = np.linalg.norm(surface[:, None] - landmarks[36:48], axis=2).min(1) < 0.03
    surface = surface[mouth.all(1) | eyes]
    near = DETAIL_POINTS - MOUTH_POINTS
    start = surface[random.integers(0, len(surface), near)]
    deviation = UNITS_PER_MILLIMETRE * random.choice([0.4, 1.0, 3.0], (near, 1))
    # The air of an open mouth is wider than the canonical one: nothing else tells that it holds no second row of teeth.
    lips = landmarks[48:68]
    depth = np.array([0.0, 0.0, MOUTH_DEPTH])
    within = random.uniform(lips.min(0) - depth, lips.max(0), (MOUTH_POINTS // 2, 3))
    pocket = lips.min(0) - POCKET_REACH - POCKET_DEPTH, lips.max(0) + POCKET_REACH
    around = random.uniform(*pocket, (MOUTH_POINTS - len(within), 3))  # nor that cheeks have no lumps
    points = np.concatenate([start + deviation * random.normal(size=start.shape), within, around])
    return np.concatenate([points, posed.signed_distance(points)[:, None]], 1).astype(np.float32)


def fill_identity_pool(topology: HeadTopology, folder: Path, first: int, last: int, total: int) -> None:
    """Write the samples of heads `first` to `last` of a pool of `total` heads; each head has a seed of its own."""
    count = SURFACE_POINTS + NEAR_POINTS + UNIFORM_POINTS
    shapes = {
        "coefficients": (total, 100),
        "points": (total, count, 3),
        "distances": (total, count),
        "normals": (total, SURFACE_POINTS, 3),
    }
    arrays = {name: _pool_array(folder / f"{name}.npy", shape) for name, shape in shapes.items()}
    material = _pool_array(folder / "material.npy", (-(-total // MATERIAL_EVERY), SURFACE_POINTS + SHELL_POINTS, 4))
    done = _pool_array(folder / "done.npy", (total,))
    sampler, kit = SurfaceSampler(topology), topology.face_kit
    np.save(folder / "triangles.npy", sampler.triangles)
    for number in range(first, last):
        random = np.random.default_rng([1, number])
        coefficients = random_coefficients(random, STRONG_SCALES) if number else np.zeros(100, np.float32)
        solid = HeadSolid(topology, kit.canonical(kit.head(coefficients)))
        for name, values in identity_samples(sampler, solid, random).items():
            arrays[name][number] = values
        if number % MATERIAL_EVERY == 0:
            material[number // MATERIAL_EVERY] = canonical_material(sampler, solid, random)
        arrays["coefficients"][number] = coefficients
        done[number] = 1


def fill_expression_pool(
    topology: HeadTopology, folder: Path, first: int, last: int, total: int, part: str | None = None
) -> None:
    """Write weights and material points of poses `first` to `last` of a pool of `total`; four poses share a head.

    part: points on this one of `PARTS` only, in poses that move it: eyes that blink, lips that press, roll and purse.
    """
    count = POSED_SURFACE_POINTS + POSED_SHELL_POINTS
    weights_pool = _pool_array(folder / "weights.npy", (total, len(WEIGHT_NAMES)))
    material_pool = _pool_array(folder / "material.npy", (total, count, 4))
    done = _pool_array(folder / "done.npy", (total,))
    sampler, kit = SurfaceSampler(topology, part), topology.face_kit
    seed, moved = {None: (2, with_tongue), "eyes": (6, with_blink), "lips": (7, with_lips)}[part]
    np.save(folder / "triangles.npy", sampler.triangles)
    for number in range(first, last):
        random = np.random.default_rng([seed, number])
        if number % POSES_PER_HEAD == 0 or number == first:
            head = kit.head(random_coefficients(np.random.default_rng([3, number // POSES_PER_HEAD])))
            canonical = HeadSolid(topology, kit.canonical(head))
        weights = moved(random_weights(random), random)
        posed = HeadSolid(topology, kit.posed(head, weights), canonical.throat)
        material_pool[number] = expression_samples(sampler, canonical, posed, random)
        weights_pool[number] = weights
        done[number] = 1


def fill_detail_pool(topology: HeadTopology, folder: Path, first: int, last: int, total: int) -> None:
    """Write identity coefficients, weights and posed signed distances of examples `first` to `last` of `total`."""
    shapes = {"coefficients": (total, 100), "weights": (total, len(WEIGHT_NAMES)), "points": (total, DETAIL_POINTS, 4)}
    arrays = {name: _pool_array(folder / f"{name}.npy", shape) for name, shape in shapes.items()}
    done = _pool_array(folder / "done.npy", (total,))
    sampler, kit = SurfaceSampler(topology), topology.face_kit
    for number in range(first, last):
        random = np.random.default_rng([5, number])
        coefficients, weights = random_coefficients(random), with_open_jaw(random_weights(random), random)
        if number % 2:  # lips that roll over the teeth and press, and must not melt into them
            weights = with_lips(weights, random)
        else:
            weights = with_blink(weights, random)
        weights = with_tongue(weights, random)
        head = kit.head(coefficients)
        throat = float(kit.canonical(head)[topology.mouth_corners, 2].mean() - THROAT_DEPTH)
        posed = HeadSolid(topology, kit.posed(head, weights), throat)
        arrays["points"][number] = detail_samples(sampler, posed, random)
        arrays["coefficients"][number], arrays["weights"][number] = coefficients, weights
        done[number] = 1


def _pool_array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The memory-mapped array of a pool, made when it is missing."""
    if path.is_file():
        return np.load(path, mmap_mode="r+", allow_pickle=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    return open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
