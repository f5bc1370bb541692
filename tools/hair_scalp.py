"""Writes facetalk_blender/hair/scalp.npz: where hair grows on the starter's head of fixed topology, and what holds it.

    python tools/hair_scalp.py /path/to/data

The data folder holds `head/ict_facekit.npz` (`python -m training.head convert`). Run it again when the starter's
template changes. Lengths are metres in Blender's axes, of the mean head at rest (canonical space).

A strand is held by three supports: vertices of the template, some millimetres apart, that surround its root. They are
chosen here for every triangle of skin, along the skin and not across the slit of the lids.
"""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from training.head.ict import ARCHIVE, FaceKit  # noqa: E402

METRES = 0.25  # per model unit
# Profile of the hairline: hair grows where y (backwards, mm) exceeds the second number at the height of the first.
HAIRLINE = np.array(
    [(-60, 96), (-48, 92), (-30, 86), (-20, 80), (-12, 79), (-11, 33), (0, 30), (12, 27), (22, 21), (32, 12), (42, 5),
     (50, 4), (60, 4), (70, 1), (80, -5), (88, -12), (94, -19), (99, -24), (108, -32), (140, -60)], float,
)  # fmt: skip
NAPE = -58.0
EAR_CENTRE, EAR_RADII = (60.0, -7.0), (19.0, 31.0)  # mm, in profile
# Where the beard begins on the cheek: height by y, mm.
CHEEK_LINE = np.array(
    [(-60, -52), (-42, -50), (-30, -51), (-15, -46), (0, -38), (15, -24), (25, -10), (32, 0), (60, 0)]
)
NECK_LINE = np.array([(-60, -116), (-10, -114), (10, -108), (25, -92), (40, -72), (48, -50), (60, -20)], float)
MASKS = ("scalp", "receding", "beard", "moustache", "goatee", "brow")
# Distance between supports by place, mm.
ON_SCALP, ON_FACE, AT_EYES = 9.0, 3.6, 1.9


def main(data: Path) -> None:
    """Make the file."""
    template = load_file(ROOT / "engine/starter/head_template.safetensors")
    vertices = blender(template["vertices"]) * METRES
    triangles = skin_triangles(template, vertices)
    masks = growth(vertices * 1000, template["regions"])
    kit = FaceKit.load(data / ARCHIVE)
    lashes = lash_guides(kit)
    at_eye = near(vertices, lashes[:, 0].reshape(-1, 3), 0.006)
    grows = (masks.max(1) > 0) | at_eye
    triangles = triangles[grows[triangles].any(1)]
    supports = chosen_supports(vertices, triangles, masks, at_eye)
    triples = support_triples(vertices, triangles, supports)
    lash_triangles, lash_shares = closest_triangles(vertices, triangles, lashes[:, 0], at_eye)
    rows, numbers = np.unique(triangles, return_inverse=True)
    used, triples = np.unique(triples, return_inverse=True)
    arrays = {
        "template_vertices": np.int32(len(vertices)),
        "rows": rows.astype(np.uint16),
        "places": vertices[rows].astype(np.float32),
        "triangles": numbers.reshape(-1, 3).astype(np.uint16),
        "masks": np.round(255 * masks[rows]).astype(np.uint8),
        "supports": used.astype(np.uint16),
        "triples": triples.reshape(-1, 3).astype(np.uint16),
        "lash_triangles": lash_triangles.astype(np.uint16),
        "lash_shares": lash_shares.astype(np.float16),
        "lash_offsets": (lashes - lashes[:, :1]).astype(np.float16),
        "shell": shell(vertices, template).astype(np.float16),
    }
    path = ROOT / "facetalk_blender/hair/scalp.npz"
    np.savez_compressed(path, **arrays)
    print(path, path.stat().st_size, {name: array.shape for name, array in arrays.items()})


def blender(points: np.ndarray) -> np.ndarray:
    """Model axes (y up, z out of the face) to Blender's."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1).astype(np.float64)


def skin_triangles(template: dict, vertices: np.ndarray) -> np.ndarray:
    """Triangles (T, 3) of outer skin above the cut of the neck."""
    polygons = template["polygons"].astype(int)
    triangles = np.concatenate([polygons[:, :3], polygons[polygons[:, 3] >= 0][:, [0, 2, 3]]])
    skin = template["regions"][:, [0, 9]].sum(1, dtype=int) > 200  # skin and brows
    return triangles[skin[triangles].all(1) & (vertices[triangles][..., 2] > -0.128).all(1)]


def growth(places: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """How densely hair may grow, (V, len(MASKS)) 0..1. places: (V, 3) mm."""
    x, y, z = np.abs(places[:, 0]), places[:, 1], places[:, 2]
    ear = ((y - EAR_CENTRE[0]) / EAR_RADII[0]) ** 2 + ((z - EAR_CENTRE[1]) / EAR_RADII[1]) ** 2 > 1.0
    ear &= ~((y > 45) & (y < 80) & (x > 79))
    behind = y - np.interp(z, *HAIRLINE.T)
    scalp = ramp(behind, 0, 7) * ramp(z, NAPE - 8, NAPE + 6) * ear
    temples = np.exp(-(((x - 42) / 17) ** 2)) * ramp(z, 70, 85)
    receding = ramp(behind - 22 * temples, 0, 9) * ramp(z, NAPE - 8, NAPE + 6) * ear
    lips = regions[:, 1] < 60
    below = np.interp(y, *CHEEK_LINE.T) - z
    above = z - np.interp(y, *NECK_LINE.T)
    soul_gap = np.exp(-(((x - 15) / 5) ** 2) - ((z + 72) / 6) ** 2)
    beard = ramp(below, 0, 7) * ramp(above, 0, 10) * ramp(49 - y, 0, 6) * (1 - soul_gap) * lips
    beard = np.maximum(
        beard, ramp(y, 30, 34) * ramp(45 - y, 0, 3) * ramp(12 - z, 0, 8) * ramp(z, -30, -25)
    )  # to the sideburn
    upper = ramp(z, -46, -42) * ramp(-29 - z, 0, 3) * ramp(27 - x, 0, 4) * ramp(-38 - y, 0, 3)
    corners = ramp(30 - x, 0, 3) * ramp(x, 19, 23) * ramp(z, -62, -55) * ramp(-36 - z, 0, 4) * ramp(-30 - y, 0, 3)
    moustache = np.maximum(upper, corners) * lips
    chin = ramp(26 - x, 0, 5) * ramp(-66 - z, 0, 3) * ramp(z, -114, -108) * ramp(-15 - y, 0, 8) * (1 - soul_gap) * lips
    brow = np.clip(regions[:, 9] / 255.0 * 1.3 - 0.1, 0, 1)
    return np.stack([scalp, receding, beard, moustache, np.maximum(chin, corners * lips), brow], 1)


def ramp(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """Smoothly from 0 at `low` to 1 at `high`."""
    part = np.clip((value - low) / (high - low), 0, 1)
    return part * part * (3 - 2 * part)


def near(vertices: np.ndarray, points: np.ndarray, distance: float) -> np.ndarray:
    """Which vertices lie within a distance of points."""
    return cKDTree(points).query(vertices)[0] < distance


def lash_guides(kit: FaceKit) -> np.ndarray:
    """(eyes 2 * sheets 6 * columns 19, rows 6, 3) metres: the columns of ICT-FaceKit's lash sheets, root first."""
    places = blender(kit.canonical(kit.neutral)) * METRES
    guides = []
    for name in ("lash_L", "lash_R"):
        own = np.flatnonzero(kit.polygon_submesh == kit.submesh_names.index(name))
        polygons, corners = kit.polygons[own], kit.polygon_uv[own]
        shown = polygons >= 0
        vertices, first = np.unique(polygons[shown], return_index=True)
        uv = kit.uv[corners[shown][first]]
        order = np.lexsort((np.round(uv[:, 0], 3), -np.round(uv[:, 1], 3)))  # rows from the top, columns within
        guides.append(places[vertices[order]].reshape(6, 6, 19, 3).swapaxes(1, 2).reshape(-1, 6, 3))
    return np.concatenate(guides)


def chosen_supports(vertices: np.ndarray, triangles: np.ndarray, masks: np.ndarray, at_eye: np.ndarray) -> np.ndarray:
    """Vertices (S,) that keep the distance of their place from each other."""
    spacing = np.where(at_eye, AT_EYES, np.where(masks[:, 0] > 0, ON_SCALP, ON_FACE)) / 1000
    candidates = np.unique(triangles)
    order = candidates[np.argsort(spacing[candidates], kind="stable")]
    tree = cKDTree(vertices[order])
    free, chosen = np.ones(len(order), bool), []
    for place, vertex in enumerate(order):
        if free[place]:
            chosen.append(vertex)
            free[tree.query_ball_point(vertices[vertex], spacing[vertex])] = False
    return np.array(chosen)


def support_triples(vertices: np.ndarray, triangles: np.ndarray, supports: np.ndarray) -> np.ndarray:
    """Three supports (T, 3) around every triangle: near to it along the skin, far from a line."""
    ends = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    lengths = np.linalg.norm(vertices[ends[:, 0]] - vertices[ends[:, 1]], axis=1)
    graph = coo_matrix((lengths, ends.T), (len(vertices),) * 2).tocsr()
    walked = dijkstra(graph, directed=False, indices=supports, limit=0.04).astype(np.float32)  # (S, V)
    chosen = np.empty((len(triangles), 3), int)
    for number, corners in enumerate(triangles):
        distance = walked[:, corners].mean(1)
        closest = np.argsort(distance)[:7]
        closest = closest[np.isfinite(distance[closest])]
        centre = vertices[corners].mean(0)
        chosen[number] = min(
            combinations(supports[closest], 3), key=lambda three: badness(vertices[list(three)], centre)
        )
    return chosen


def badness(three: np.ndarray, centre: np.ndarray) -> float:
    """How badly three points hold what lies at a centre: how large they are, how thin, and how far it lies outside."""
    first, second = three[1] - three[0], three[2] - three[0]
    normal = np.cross(first, second)
    area = np.linalg.norm(normal)
    size = max(np.linalg.norm(first), np.linalg.norm(second), np.linalg.norm(second - first))
    if area < 0.25 * size * size:
        return np.inf if area < 1e-12 else 10 + size * size / area
    shares = barycentric(three, centre)
    return size * 100 + 3.0 * max(0.0, -shares.min())


def barycentric(three: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Shares (3,) of the corners in a point's foot."""
    first, second, arm = three[1] - three[0], three[2] - three[0], point - three[0]
    normal = np.cross(first, second)
    u = np.dot(np.cross(arm, second), normal) / np.dot(normal, normal)
    v = np.dot(np.cross(first, arm), normal) / np.dot(normal, normal)
    return np.array([1 - u - v, u, v])


def closest_triangles(
    vertices: np.ndarray, triangles: np.ndarray, points: np.ndarray, at_eye: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The triangle (N,) at an eye on or next to which a point lies, and the corners' shares (N, 3) there."""
    own = np.flatnonzero(at_eye[triangles].all(1))
    found, shares = [], []
    for point in points:
        weights = np.array([np.clip(barycentric(vertices[triangles[number]], point), 0, 1) for number in own])
        weights /= weights.sum(1, keepdims=True)
        feet = (weights[:, :, None] * vertices[triangles[own]]).sum(1)
        best = np.linalg.norm(feet - point, axis=1).argmin()
        found.append(own[best])
        shares.append(weights[best])
    return np.array(found), np.array(shares)


def shell(vertices: np.ndarray, template: dict) -> np.ndarray:
    """How far skin reaches from the head's middle (0, 0.045, 0.03): (48, 96) metres by height angle and azimuth."""
    skin = vertices[template["regions"][:, [0, 1, 9]].sum(1, dtype=int) > 127] - np.array([0, 0.045, 0.03])
    reach = np.linalg.norm(skin, axis=1)
    directions = skin / reach[:, None]
    height = np.linspace(-np.pi / 2, np.pi / 2, 48)[:, None]
    azimuth = np.linspace(-np.pi, np.pi, 96, endpoint=False)[None]
    grid = np.stack([np.cos(height) * np.sin(azimuth), np.cos(height) * np.cos(azimuth),
                     np.sin(height) + 0 * azimuth], -1)  # fmt: skip
    _, close = cKDTree(directions).query(grid.reshape(-1, 3), k=4)
    return reach[close].max(1).reshape(48, 96)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
