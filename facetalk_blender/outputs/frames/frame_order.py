"""Vertices and polygons in an order that makes differences of neighbours small, as USD's compression likes it.

Marching cubes gives vertices layer by layer: those of a polygon are hundreds apart. Here they come in blocks, within
which they are at most a hundred apart, and polygons in the order of their first vertex. NumPy only: any thread may call
it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .quads import leading_corner

LEAST_VERTICES = 2000  # fewer are left as they are
BLOCK = 12  # edges along the side of a block


@dataclass(frozen=True)
class Ordered:
    """vertices (V,) and polygons (P,): the number that each had; corners (C,) and starts (P,) of the new ones."""

    vertices: np.ndarray
    polygons: np.ndarray
    corners: np.ndarray
    starts: np.ndarray


def in_blocks(vertices: np.ndarray, corners: np.ndarray, starts: np.ndarray) -> Ordered:
    """Put vertices (V, 3) and polygons, see `mesh_building.corners_of`, in order.

    Of polygons, those with more corners come first, so that the counts of their corners are almost all the same.
    Each begins with its `leading_corner`.
    """
    if len(vertices) < LEAST_VERTICES or not len(starts):
        return Ordered(np.arange(len(vertices)), np.arange(len(starts)), corners, starts)
    edge = float(np.median(np.linalg.norm(vertices[corners[starts]] - vertices[corners[starts + 1]], axis=1)))
    cells = np.round((vertices - vertices.min(0)) / max(edge, 1e-9)).astype(np.int64)  # (V, 3)
    blocks = cells // BLOCK
    order = np.lexsort((*cells.T, *blocks.T))
    number = np.empty(len(vertices), np.int32)
    number[order] = np.arange(len(vertices))
    corners = number[corners]
    second = np.maximum(corners[starts], corners[starts + 1])
    sizes = np.diff(starts, append=len(corners))
    polygons = np.lexsort((second, np.minimum.reduceat(corners, starts), -sizes))
    return Ordered(order, polygons, *_corners_in_order(corners, starts, polygons))


def _corners_in_order(corners: np.ndarray, starts: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners (C,) and starts (P,) of polygons in another order."""
    sizes = np.diff(starts, append=len(corners))[order]
    begins = starts[order]
    turn = np.zeros(len(order), np.int64)
    for size in (3, 4):
        chosen = np.flatnonzero(sizes == size)
        turn[chosen] = leading_corner(corners[begins[chosen, None] + np.arange(size)])
    made = (np.cumsum(sizes) - sizes).astype(np.int32)
    within = np.arange(len(corners)) - np.repeat(made, sizes)
    within = (within + np.repeat(turn, sizes)) % np.repeat(sizes, sizes)
    return corners[np.repeat(begins, sizes) + within], made
