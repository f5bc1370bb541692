"""The kinds of files that a result can be written to, and whether this Blender can write them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import bpy


@dataclass(frozen=True)
class Format:
    """One kind of file.

    label, suffix: for people; operator: Blender's exporter; missing: what to do when it is not there.
    needs_relative: whether only relative shape keys can be written to it.
    """

    label: str
    suffix: str
    description: str
    operator: str = ""
    missing: str = ""
    needs_relative: bool = False


FORMATS = {
    "gltf": Format(
        "glTF", ".glb", "Shape keys and their animation as morph targets, for game engines and the web",
        "export_scene.gltf", "Enable the add-on glTF 2.0 format in the preferences.", True,
    ),
    "fbx": Format(
        "FBX", ".fbx", "Shape keys and their animation as blend shapes", "export_scene.fbx",
        "Enable the add-on FBX format in the preferences.", True,
    ),
    "alembic": Format(
        "Alembic", ".abc", "The moving surface, vertex by vertex, for other 3D programs", "wm.alembic_export",
        "This Blender was built without Alembic; use another build.",
    ),
    "usd": Format(
        "USD", ".usdc", "Blend shapes, or the moving surface vertex by vertex", "wm.usd_export",
        "This Blender was built without USD; use another build.",
    ),
    "csv": Format("Weights (CSV)", ".csv", "The 52 ARKit weights of every frame, as Live Link Face records them"),
}  # fmt: skip


def exporter(chosen: Format) -> Callable | None:
    """Blender's exporter of a format; None when this Blender has none."""
    group, name = chosen.operator.split(".")
    operator = getattr(getattr(bpy.ops, group), name)
    try:
        operator.get_rna_type()
    except KeyError:
        return None
    return operator
