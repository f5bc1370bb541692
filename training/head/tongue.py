"""A tongue that moves: displacements of ICT-FaceKit's tongue, which its own shapes leave at the jaw's floor.

The tongue is bent as a bundle of muscle along its mid-line z, from the root to the tip: pieces of it go forward and up,
what is stretched gets thinner, and a last correction along the normals keeps the volume. Lengths are millimetres of the
mean head with closed jaw. The displacements are the same for every head, and linear, as ICT-FaceKit's own shapes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.sparse import coo_matrix

from engine.head.polygons import triangle_normals
from engine.shared.units import UNITS_PER_MILLIMETRE

ROOT, TIP = -26.0, 37.5  # z of its ends
MIDDLE = ((ROOT, -60.0), (-15.0, -56.0), (-5.0, -54.0), (10.0, -53.5), (25.0, -53.5), (32.0, -55.0), (TIP, -57.0))
WIDTH = ((ROOT, 16.0), (-15.0, 19.5), (5.0, 19.0), (15.0, 18.0), (23.0, 15.3), (31.0, 12.0), (TIP, 6.0))  # half
FLOOR_HEIGHT = -60.3  # y; of what faces upwards, the floor of the mouth lies below
SMOOTHINGS = 12
YIELDING = 25.0  # mm behind the tip, from where the correction of the volume is whole


@dataclass(frozen=True)
class Bend:
    """Where one unit of a channel takes the tongue; each a curve of (z at rest, value) along the mid-line.

    forward, up: millimetres of the mid-line. thickness: factor across, beside what stretching does.
    sides: millimetres by which the edges rise more than the middle. width: factor sideways.
    """

    forward: tuple[tuple[float, float], ...] = ()
    up: tuple[tuple[float, float], ...] = ()
    thickness: tuple[tuple[float, float], ...] = ()
    width: tuple[tuple[float, float], ...] = ()
    sides: tuple[tuple[float, float], ...] = ()


BENDS = {
    "tongueOut": Bend(
        forward=((ROOT, 0.0), (-15.0, 3.0), (0.0, 13.0), (15.0, 25.0), (30.0, 37.0), (TIP, 41.0)),
        up=((ROOT, 0.0), (-10.0, 2.0), (5.0, 7.0), (17.0, 10.5), (28.0, 9.0), (TIP, 4.0)),
        thickness=((ROOT, 1.0), (-5.0, 0.95), (8.0, 0.75), (25.0, 0.62), (TIP, 0.75)),
        width=((ROOT, 1.0), (0.0, 1.0), (12.0, 0.95), (25.0, 1.1), (TIP, 1.35)),
    ),
    "tongueUp": Bend(
        forward=((ROOT, 0.0), (10.0, 0.5), (TIP, 3.5)),
        up=((ROOT, 0.0), (-10.0, 0.5), (5.0, 2.5), (15.0, 6.0), (25.0, 12.5), (32.0, 17.5), (TIP, 20.5)),
        thickness=((ROOT, 1.0), (15.0, 0.95), (27.0, 0.75), (TIP, 0.7)),
    ),
    "tongueForward": Bend(
        forward=((ROOT, 0.0), (0.0, 3.0), (15.0, 7.0), (28.0, 13.5), (TIP, 16.5)),
        up=((ROOT, 0.0), (0.0, 1.0), (15.0, 4.0), (25.0, 7.0), (32.0, 9.0), (TIP, 9.5)),
        thickness=((ROOT, 1.0), (10.0, 0.9), (22.0, 0.6), (30.0, 0.38), (TIP, 0.45)),
        width=((ROOT, 1.0), (22.0, 1.0), (30.0, 0.9), (TIP, 1.1)),
    ),
    "tongueBack": Bend(
        forward=((ROOT, 0.0), (-10.0, -1.0), (10.0, -4.0), (25.0, -5.5), (TIP, -6.0)),
        up=((ROOT, 0.0), (-17.0, 12.0), (-7.0, 20.0), (3.0, 16.0), (15.0, 4.0), (25.0, 0.0), (TIP, 0.0)),
        thickness=((ROOT, 1.0), (-5.0, 1.0), (15.0, 0.95), (TIP, 1.0)),
        width=((ROOT, 1.0), (-7.0, 0.9), (10.0, 0.95), (TIP, 1.0)),
    ),
    "tongueWide": Bend(
        up=((ROOT, 0.0), (-12.0, 2.0), (0.0, 5.0), (20.0, 7.0), (TIP, 6.0)),
        thickness=((ROOT, 1.0), (0.0, 0.85), (20.0, 0.75), (TIP, 0.8)),
        width=((ROOT, 1.0), (-5.0, 1.03), (15.0, 1.08), (28.0, 1.16), (TIP, 1.3)),
    ),
    "tongueRoll": Bend(
        up=((ROOT, 0.0), (0.0, 0.0), (20.0, 1.5), (TIP, 3.0)),
        width=((ROOT, 1.0), (0.0, 0.92), (20.0, 0.82), (TIP, 0.85)),
        sides=((ROOT, 0.0), (-5.0, 2.0), (15.0, 7.0), (30.0, 7.0), (TIP, 4.0)),
    ),
}


def tongue_displacements(neutral: np.ndarray, tongue: np.ndarray, triangles: np.ndarray) -> dict[str, np.ndarray]:
    """Displacement (len(tongue), 3) float32, in model units, per unit of each of BENDS.

    neutral: (V, 3) the mean head. tongue: (N,) its tongue's vertices, with the floor beneath. triangles: (T, 3) between
    these vertices.
    """
    row = np.full(len(neutral), -1)
    row[tongue] = np.arange(len(tongue))
    faces = row[triangles]
    places = neutral[tongue].astype(np.float64) / UNITS_PER_MILLIMETRE
    share = body_share(places, faces)
    return {
        name: (UNITS_PER_MILLIMETRE * _bent(places, faces, share, bend)).astype(np.float32)
        for name, bend in BENDS.items()
    }


def body_share(places: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(N,) how much each of the vertices (N, 3) belongs to the tongue's body (1) or to the mouth's floor (0)."""
    normals = _vertex_normals(places, faces)
    floor = (normals[:, 1] > 0.0) & (places[:, 1] < FLOOR_HEIGHT) & (places[:, 2] > -5.0)
    border = np.zeros(len(places), bool)
    border[_border(faces)] = True
    share = np.where(floor | border, 0.0, 1.0)
    mean = _mean_of_neighbours(faces, len(places))
    free = ~border
    for _ in range(SMOOTHINGS):
        share[free] = 0.5 * (share + mean @ share)[free]
    # The front of the body is rigid up to the tip; smoothing must not hold it back.
    front = (normals[:, 1] < -0.3) | (places[:, 1] > FLOOR_HEIGHT + 4.0)
    held = np.clip((places[:, 2] - 8.0) / 10.0, 0.0, 1.0)
    share = np.clip(share + held * front * free * (1.0 - share), 0.0, 1.0)
    height = np.clip((places[:, 1] - FLOOR_HEIGHT + 3.0) / 12.0, 0.0, 1.0)  # the root is swollen, not lifted off
    return share * (held + (1.0 - held) * height)


def _bent(places: np.ndarray, faces: np.ndarray, share: np.ndarray, bend: Bend) -> np.ndarray:
    """Displacement (N, 3) in millimetres of one bend, its volume kept."""
    x, y, z = places.T
    middle = _curve(MIDDLE)(z)
    step = 0.5
    stretch = 1.0 + (_curve(bend.forward)(z + step) - _curve(bend.forward)(z - step)) / (2 * step)
    thinner = np.maximum(stretch, 0.5) ** -0.5
    across = np.clip(np.abs(x) / _curve(WIDTH)(z), 0.0, 1.2)
    moved = np.stack(
        [
            x * (thinner * _curve(bend.width, 1.0)(z) - 1.0),
            _curve(bend.up)(z)
            + (y - middle) * (thinner * _curve(bend.thickness, 1.0)(z) - 1.0)
            + _curve(bend.sides)(z) * (across**2 - 1.0 / 3.0),
            _curve(bend.forward)(z),
        ],
        1,
    )
    moved *= share[:, None]
    wanted = enclosed_volume(places, faces)
    yielding = share * np.clip((TIP - z) / YIELDING, 0.0, 1.0)  # the thin tip keeps its shape
    for _ in range(8):
        now = places + moved
        missing = enclosed_volume(now, faces) - wanted
        normals = _vertex_normals(now, faces)
        area = yielding[faces].mean(1) @ _areas(now, faces)
        moved -= (missing / area) * yielding[:, None] * normals
    return moved


def enclosed_volume(places: np.ndarray, faces: np.ndarray) -> float:
    """Volume of a sheet (N, 3), (T, 3) whose border is closed by a fan around the border's mean."""
    border = _border(faces)
    centre = places[border].mean(0)
    corners = places[faces] - centre
    return float(np.einsum("tc,tc->t", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6.0)


def _border(faces: np.ndarray) -> np.ndarray:
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    present = {tuple(edge) for edge in edges.tolist()}
    return np.unique([a for a, b in present if (b, a) not in present])


def _mean_of_neighbours(faces: np.ndarray, count: int):
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    joined = coo_matrix((np.ones(len(edges)), edges.T), shape=(count, count)).tocsr()
    joined.data[:] = 1.0
    return joined.multiply(1.0 / np.maximum(joined.sum(1), 1.0)).tocsr()


def _areas(places: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corners = places[faces]
    return 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)


def _vertex_normals(places: np.ndarray, faces: np.ndarray) -> np.ndarray:
    sums = np.zeros_like(places)
    weighted = triangle_normals(places[faces]) * _areas(places, faces)[:, None]
    for corner in range(3):
        np.add.at(sums, faces[:, corner], weighted)
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)


def _curve(points: tuple[tuple[float, float], ...], absent: float = 0.0):
    """A smooth function through (z, value) points, level outside them; `absent` everywhere without points."""
    if not points:
        return lambda z: np.full(np.shape(z), absent)
    places, values = np.array(points).T
    smooth = PchipInterpolator(places, values)
    return lambda z: smooth(np.clip(z, places[0], places[-1]))
