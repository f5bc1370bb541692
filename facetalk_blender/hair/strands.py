"""Strands as arrays, and how those of the mean head are carried to another one. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .scalp import Scalp

SCALP, BEARD, BROW, LASH = range(4)  # kinds of strands
ALWAYS = 0.0  # the rank of strands that are shown however few are wanted


@dataclass(frozen=True)
class Strands:
    """Strands of one number of points, at rest.

    points: (S, N, 3) metres, root first; radii: (S, N) metres; triangles: (S,) of the scalp and shares (S, 3) of its
    corners at the root; ranks: (S,) 0..1: of a share of the strands, those with a lesser rank are shown.
    kind: what they are; tone: added to the melanin of their hair.
    """

    points: np.ndarray
    radii: np.ndarray
    triangles: np.ndarray
    shares: np.ndarray
    ranks: np.ndarray
    kind: int
    tone: float = 0.0


@dataclass(frozen=True)
class Roots:
    """Where strands grow on the mean head: places and unit normals (S, 3) metres, triangles (S,), shares (S, 3)."""

    places: np.ndarray
    normals: np.ndarray
    triangles: np.ndarray
    shares: np.ndarray


def sown(scalp: Scalp, density: np.ndarray, count: int, rng: np.random.Generator) -> Roots:
    """Evenly sown roots where a density (R,) lets them grow; about `count`, in a random order."""
    corners = scalp.places[scalp.triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    weight = np.cumsum(area * density[scalp.triangles].max(1))
    # Some more than wanted: those at the soft border are drawn by lot.
    thin = (area * density[scalp.triangles].mean(1)).sum() / max(weight[-1], 1e-12)
    number = round(count / max(thin, 0.05))
    picks = (np.arange(number) + rng.random(number)) / number * weight[-1]
    triangles = np.minimum(np.searchsorted(weight, picks), len(area) - 1)
    steps = np.arange(number)
    u, v = (0.7548776662 * steps + rng.random()) % 1.0, (0.5698402910 * steps + rng.random()) % 1.0
    over = u + v > 1
    u, v = np.where(over, 1 - u, u), np.where(over, 1 - v, v)
    shares = np.stack([1 - u - v, u, v], 1).astype(np.float32)
    rows = scalp.triangles[triangles]
    local, best = (density[rows] * shares).sum(1), density[rows].max(1)
    kept = np.flatnonzero(rng.random(number) * best < local)
    kept = rng.permutation(kept)
    return roots_at(scalp, triangles[kept], shares[kept])


def roots_at(scalp: Scalp, triangles: np.ndarray, shares: np.ndarray) -> Roots:
    """Roots in triangles (S,) at shares (S, 3) of their corners."""
    places = (scalp.places[scalp.triangles[triangles]] * shares[:, :, None]).sum(1)
    return Roots(places, smooth_normals(scalp, triangles, shares), triangles, shares)


def smooth_normals(scalp: Scalp, triangles: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Unit normals (S, 3), interpolated between the vertices."""
    faces, at_rows = scalp.normals(), np.zeros_like(scalp.places)
    for corner in range(3):
        np.add.at(at_rows, scalp.triangles[:, corner], faces)
    return unit((at_rows[scalp.triangles[triangles]] * shares[:, :, None]).sum(1))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) at length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def ranks_of(count: int, last: np.ndarray | None = None) -> np.ndarray:
    """Ranks (S,) of strands in a random order. last: (S,) those that come after all others."""
    ranks = ((np.arange(count) + 0.5) / max(count, 1)).astype(np.float32)
    if last is None:
        return ranks
    ordered = np.empty_like(ranks)
    ordered[np.argsort(last, kind="stable")] = ranks
    return ordered


def tapered(width: float, count: int, points: int, tip: float = 0.25, spread: np.ndarray | None = None) -> np.ndarray:
    """Radii (S, N): a root's width, thinner towards the tip. spread: (S,) factors."""
    along = np.linspace(0, 1, points, dtype=np.float32)
    radii = width * (1 - (1 - tip) * along**1.5)
    return np.ones((count, 1), np.float32) * radii if spread is None else spread[:, None].astype(np.float32) * radii


def carried(scalp: Scalp, strands: Strands, places: np.ndarray) -> np.ndarray:
    """Points (S, N, 3) of strands on a head whose rows lie at places (R, 3)."""
    warp = _Warp(scalp.places, places)
    points = warp(strands.points.reshape(-1, 3)).reshape(strands.points.shape)
    rows = scalp.triangles[strands.triangles]
    roots = (places[rows] * strands.shares[:, :, None]).sum(1)
    mean = (scalp.places[rows] * strands.shares[:, :, None]).sum(1)
    error = (roots - warp(mean))[:, None]  # the warp is smooth: what it misses at the root
    return (points + error).astype(np.float32)


class _Warp:
    """A smooth map of space that brings the mean head's skin near to another one's: quadratic, fitted."""

    def __init__(self, mean: np.ndarray, places: np.ndarray):
        terms = self._terms(mean)
        normal = terms.T @ terms + 1e-3 * np.eye(terms.shape[1])
        self._factors = np.linalg.solve(normal, terms.T @ (places - mean).astype(np.float64))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        return points + self._terms(points) @ self._factors

    @staticmethod
    def _terms(points: np.ndarray) -> np.ndarray:
        """The map is not continued beyond the head: long hair hangs as it would."""
        x, y, z = np.clip((points.astype(np.float64) - (0, 0.045, 0.0)) / (0.09, 0.1, 0.13), -1.1, 1.1).T
        return np.stack([np.ones_like(x), x, y, z, x * y, x * z, y * z, x * x, y * y, z * z], 1)
