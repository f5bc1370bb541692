"""Binary PLY files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .engine import SurfaceFrame
from .shared.files import replaced


def write_ply(path: str | Path, surface: SurfaceFrame) -> None:
    """Write a surface as binary little-endian PLY: metres, Blender's axes, one uchar property per region.

    Raises OSError when the file cannot be written.
    """
    region_properties = [(f"region_{name}", "u1") for name in surface.region_names]
    vertex_type = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), *region_properties])
    vertices = np.empty(len(surface.vertices), vertex_type)
    for axis, name in enumerate("xyz"):
        vertices[name] = surface.vertices[:, axis]
    for column, (name, _) in enumerate(region_properties):
        vertices[name] = surface.regions[:, column]
    faces = np.empty(len(surface.faces), np.dtype([("count", "u1"), ("indices", "<i4", 3)]))
    faces["count"], faces["indices"] = 3, surface.faces
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    header += [f"property float {axis}" for axis in "xyz"]
    header += [f"property uchar {name}" for name, _ in region_properties]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header", ""]
    with replaced(path) as part:
        part.write_bytes("\n".join(header).encode() + vertices.tobytes() + faces.tobytes())
