"""What Blender's exporter makes larger than it need be in a USD file, by Blender's own copy of OpenUSD."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import ModuleType

import bpy
import numpy as np

from ...engine.shared.files import owned

SAME = 1e-3  # by which the normals of a vertex's corners may differ, as unit vectors


def shrink(path: Path) -> None:
    """Store a normal for each vertex instead of each corner, where all corners of every vertex agree.

    Of a head that moves, the normals of corners are four fifths of the file. The file stays as it is in a Blender
    without OpenUSD's Python modules, and where the smaller one cannot be written beside it.
    """
    usd = _open_usd()
    smaller = path.with_name(f"{owned(f'.{path.name}.')}smaller{path.suffix}")
    try:
        # OpenUSD's errors are RuntimeErrors.
        with suppress(OSError, RuntimeError):
            if usd is not None and _write_smaller(usd, path, smaller):
                smaller.replace(path)
    finally:
        smaller.unlink(missing_ok=True)


def _open_usd() -> ModuleType | None:
    bpy.utils.expose_bundled_modules()
    try:
        import pxr
        from pxr import Usd, UsdGeom, Vt  # noqa: F401 - they become members of pxr
    except ImportError:
        return None
    return pxr


def _write_smaller(usd: ModuleType, path: Path, smaller: Path) -> bool:
    """Write the file with less normals; False when there is nothing to gain. It is closed afterwards."""
    stage = usd.Usd.Stage.Open(str(path))
    meshes = [usd.UsdGeom.Mesh(prim) for prim in stage.Traverse() if prim.IsA(usd.UsdGeom.Mesh)]
    changed = [_share_normals(usd, mesh) for mesh in meshes]
    return any(changed) and stage.GetRootLayer().Export(str(smaller))


def _share_normals(usd: ModuleType, mesh) -> bool:
    """Whether the normals of a mesh were replaced by those of its vertices."""
    normals, corners, points = mesh.GetNormalsAttr(), mesh.GetFaceVertexIndicesAttr(), mesh.GetPointsAttr()
    if not normals.HasAuthoredValue() or mesh.GetNormalsInterpolation() != usd.UsdGeom.Tokens.faceVarying:
        return False
    times = normals.GetTimeSamples() or [usd.Usd.TimeCode.Default()]
    found = []
    for time in times:
        shared = _of_vertices(np.array(normals.Get(time)), np.array(corners.Get(time)), len(points.Get(time)))
        if shared is None:
            return False
        found.append(shared)
    normals.Clear()
    mesh.SetNormalsInterpolation(usd.UsdGeom.Tokens.vertex)
    for time, values in zip(times, found, strict=True):
        normals.Set(usd.Vt.Vec3fArray.FromNumpy(values), time)
    return True


def _of_vertices(normals: np.ndarray, corners: np.ndarray, count: int) -> np.ndarray | None:
    """Normals (V, 3) of the vertices from those (C, 3) of corners (C,); None where corners of a vertex differ."""
    if len(normals) != len(corners):
        return None
    found = np.zeros((count, 3), np.float32)
    found[corners] = normals
    return found if np.abs(found[corners] - normals).max(initial=0.0) <= SAME else None
