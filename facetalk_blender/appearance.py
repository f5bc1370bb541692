"""What each region of the head looks like: colour and surface finish, as per-vertex attributes of any mesh.

The material of the stage reads these attributes; Workbench and the solid viewport show the colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

COLOR_ATTRIBUTE = "facetalk_color"  # linear colour of the vertex
FINISH_ATTRIBUTE = "facetalk_finish"  # roughness, subsurface weight, how much of it is skin
EYE_ATTRIBUTE = "facetalk_eye"  # weights of the eyeball, of iris and pupil together, of the pupil


@dataclass(frozen=True)
class Finish:
    """Look of one region: linear colour, roughness 0..1, subsurface weight 0..1, skin detail 0..1."""

    color: tuple[float, float, float]
    roughness: float
    subsurface: float
    skin: float = 0.0


FINISHES = {
    "skin": Finish((0.60, 0.325, 0.23), 0.5, 0.55, 1.0),
    "lips": Finish((0.45, 0.165, 0.145), 0.34, 0.45, 0.35),
    "sclera": Finish((0.74, 0.70, 0.67), 0.12, 0.1),
    "iris": Finish((0.085, 0.125, 0.135), 0.1, 0.0),
    "pupil": Finish((0.004, 0.004, 0.004), 0.08, 0.0),
    "teeth": Finish((0.72, 0.66, 0.54), 0.16, 0.25),
    "gums": Finish((0.45, 0.15, 0.14), 0.28, 0.3),
    "tongue": Finish((0.48, 0.19, 0.175), 0.32, 0.35),
    "mouth_cavity": Finish((0.13, 0.025, 0.022), 0.35, 0.0),
    "brows": Finish((0.085, 0.05, 0.033), 0.6, 0.05, 0.3),
}
EYE_REGIONS = (("sclera", "iris", "pupil"), ("iris", "pupil"), ("pupil",))


@dataclass(frozen=True)
class VertexAppearance:
    """Per-vertex values of one mesh, ready for `write`.

    color: (V, 4) float32 linear; finish: (V, 3) float32; eye: (V, 3) float32.
    """

    color: np.ndarray
    finish: np.ndarray
    eye: np.ndarray


def vertex_appearance(regions: np.ndarray, region_names: list[str]) -> VertexAppearance:
    """Mix the finishes of the regions by soft weights: regions (V, K) uint8 0..255 of region_names.

    A region without a finish of its own looks like skin.
    """
    table = _finish_table(tuple(region_names))  # (K, 10)
    weights = regions.astype(np.float32)  # (V, K)
    weights /= np.maximum(weights.sum(1, keepdims=True), 1.0)
    mixed = weights @ table  # (V, 10)
    return VertexAppearance(*(np.ascontiguousarray(part) for part in np.split(mixed, [4, 7], axis=1)))


def _finish_table(region_names: tuple[str, ...]) -> np.ndarray:
    rows = []
    for name in region_names:
        finish = FINISHES.get(name, FINISHES["skin"])
        eye = [float(name in group) for group in EYE_REGIONS]
        rows.append([*finish.color, 1.0, finish.roughness, finish.subsurface, finish.skin, *eye])
    return np.array(rows, np.float32)


def write(mesh: bpy.types.Mesh, appearance: VertexAppearance) -> None:
    """Store the appearance as attributes of the mesh and make the colour the one the viewport shows."""
    _attribute(mesh, COLOR_ATTRIBUTE, "FLOAT_COLOR").foreach_set("color", appearance.color.ravel())
    _attribute(mesh, FINISH_ATTRIBUTE, "FLOAT_VECTOR").foreach_set("vector", appearance.finish.ravel())
    _attribute(mesh, EYE_ATTRIBUTE, "FLOAT_VECTOR").foreach_set("vector", appearance.eye.ravel())
    mesh.color_attributes.active_color_name = COLOR_ATTRIBUTE
    mesh.color_attributes.render_color_index = mesh.color_attributes.find(COLOR_ATTRIBUTE)


def _attribute(mesh: bpy.types.Mesh, name: str, kind: str) -> bpy.types.bpy_prop_collection:
    return mesh.attributes.new(name, kind, "POINT").data
