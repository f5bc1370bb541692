"""Shapes of arrays that belong together, and numbers that point into one another: files and messages may hold any."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Shape = tuple[int | str, ...]


def match_shapes(shapes: Mapping[str, tuple[int, ...]], expected: Mapping[str, Shape]) -> dict[str, int]:
    """The sizes that letters stand for, e.g. {"V": 18789} for {"vertices": ("V", 3)}.

    Raises ValueError for a shape that does not fit or a letter with two sizes, KeyError for a missing array.
    """
    sizes: dict[str, int] = {}
    for name, wanted in expected.items():
        shape = tuple(shapes[name])
        fits = len(shape) == len(wanted) and all(
            size == (sizes.setdefault(want, size) if isinstance(want, str) else want)
            for size, want in zip(shape, wanted, strict=True)
        )
        if not fits:
            known = ", ".join(str(sizes.get(want, want) if isinstance(want, str) else want) for want in wanted)
            raise ValueError(f"{name} has shape {shape} instead of ({known})")
    return sizes


def check_polygons(polygons: np.ndarray, vertices: int) -> None:
    """Raises ValueError unless (P, 3) or (P, 4) integers number `vertices` vertices; -1 ends a triangle of four."""
    if polygons.ndim != 2 or polygons.shape[1] not in (3, 4) or polygons.dtype.kind not in "iu":
        raise ValueError("polygons are no table of three or four vertex numbers")
    if not polygons.size:
        return
    if polygons[:, :3].min() < 0 or polygons.min() < -1 or polygons.max() >= vertices:
        raise ValueError(f"polygons name vertices outside 0 to {vertices - 1}")


def check_positions(positions: np.ndarray) -> None:
    """Raises ValueError unless positions are (V, 3) finite floating-point numbers."""
    if positions.ndim != 2 or positions.shape[1] != 3 or positions.dtype.kind != "f":
        raise ValueError("positions are no table of three coordinates")
    if not np.isfinite(positions).all():
        raise ValueError("a position is not a finite number")
