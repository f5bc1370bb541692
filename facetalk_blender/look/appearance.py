"""What each region of a head looks like: material slots, vertex groups and the attributes that the shader reads.

Any mesh of a head is dressed here. The soft weights stay on the vertices, so that borders of lips and eyes are
smoother than the mesh; slots and groups are for the artist. Workbench and the solid viewport show the colour alone.
Fixed topology stores its groups; those of frame meshes are computed as they are shown (`outputs/region_groups.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from ...engine.shared.regions import EYE_REGIONS, NECK
from ...engine.shared.shapes import Shape, match_shapes

COLOR_ATTRIBUTE = "facetalk_color"  # linear colour of the vertex, for viewports without shaders
SKIN_ATTRIBUTE = "facetalk_skin"  # weights of skin (neck and brows included), lips, brows
TISSUE_ATTRIBUTE = "facetalk_tissue"  # weights of eyeball, teeth, gums and tongue; what is left is the mouth cavity
EYE_ATTRIBUTE = "facetalk_eye"  # on an eyeball: direction from its centre, right, up and forward of the gaze
REST_ATTRIBUTE = "facetalk_rest"  # where the vertex lies on the head at rest, metres
SKIN_COLOR_PROPERTY, EYE_COLOR_PROPERTY = "facetalk_skin_color", "facetalk_eye_color"  # of a head object, linear RGBA
HAIR_WORN_PROPERTY = "facetalk_hair_worn"  # of a head object, 0..1: how far painted brows and scalp give way to hair

SCALP_COLOR_PROPERTY = "facetalk_scalp_color"  # of a head object, linear RGBA: under the hair; alpha: how far it covers

Color = tuple[float, float, float]
DEFAULT_SKIN_COLOR: Color = (0.60, 0.325, 0.23)
DEFAULT_EYE_COLOR: Color = (0.085, 0.135, 0.14)
LIP_SHADE: Color = (0.84, 0.49, 0.55)  # of the skin's colour, and what is added to that: lips suit any skin
LIP_BLOOD: Color = (0.03, 0.004, 0.006)
BROW_SHADE: Color = (0.11, 0.085, 0.075)  # of the skin's colour
SCLERA_COLOR: Color = (0.74, 0.70, 0.67)
PUPIL_COLOR: Color = (0.004, 0.004, 0.004)

# Slot of every region, in the order of the slots.
REGION_SLOTS = {
    "skin": "Skin",
    "brows": "Skin",
    "lips": "Lips",
    "sclera": "Eyes",
    "iris": "Iris",
    "pupil": "Pupil",
    "teeth": "Teeth",
    "gums": "Gums and Tongue",
    "tongue": "Gums and Tongue",
    "mouth_cavity": "Mouth Cavity",
    NECK: "Neck",
}
SLOTS = tuple(dict.fromkeys(REGION_SLOTS.values()))
TISSUE_COLORS: dict[str, Color] = {
    "teeth": (0.585, 0.55, 0.505),
    "gums": (0.47, 0.155, 0.145),
    "tongue": (0.50, 0.19, 0.18),
    "mouth_cavity": (0.13, 0.025, 0.022),
}
SKIN_COLUMNS = (("skin", NECK, "brows"), ("lips",), ("brows",))
TISSUE_COLUMNS = (EYE_REGIONS, ("teeth",), ("gums", "tongue"))
GROUP_LEVELS = 8  # vertex groups keep weights in steps of 1 / GROUP_LEVELS
VERTICES_PER_PIECE = 5000  # of a vertex group, about a millisecond to write


_SHAPES: dict[str, Shape] = {
    "vertices": ("V", 3),
    "regions": ("V", "K"),
    "rest": ("V", 3),
    "eye_vertices": ("E",),
    "eye_directions": ("E", 3),
}


@dataclass(frozen=True)
class Regions:
    """The regions of one mesh.

    weights: (V, K) uint8 0..255 of names; rest: (V, 3) float32 metres at rest, or None.
    eye_vertices (E,) int32 and eye_directions (E, 3) float32: see EYE_ATTRIBUTE; None when the model does not tell.
    """

    names: tuple[str, ...]
    weights: np.ndarray
    rest: np.ndarray | None = None
    eye_vertices: np.ndarray | None = None
    eye_directions: np.ndarray | None = None

    @classmethod
    def of_message(cls, fields: dict, arrays: dict[str, np.ndarray]) -> Regions:
        """The regions in a "surface" or "template" of the engine.

        Raises KeyError when it has none, ValueError when they are of another mesh.
        """
        names = tuple(map(str, fields["region_names"]))
        given = {name: arrays[name] for name in _SHAPES if name in arrays}
        expected = {name: _SHAPES[name] for name in given} | {"regions": ("V", len(names))}
        sizes = match_shapes({name: array.shape for name, array in given.items()}, expected)
        optional = [given.get(name) for name in ("rest", "eye_vertices", "eye_directions")]
        eyes = optional[1]
        if eyes is not None and eyes.size and not 0 <= eyes.min() <= eyes.max() < sizes["V"]:
            raise ValueError("eye_vertices name vertices that are not there")
        return cls(names, given["regions"], *optional)

    def table(self, values: dict[str, tuple[float, ...]]) -> np.ndarray:
        """Mix per-region values by the weights: (V, n) float32; a region that is not listed counts as skin."""
        rows = np.array([values.get(name, values["skin"]) for name in self.names], np.float32)  # (K, n)
        weights = self.weights.astype(np.float32)  # (V, K)
        return (weights @ rows) / np.maximum(weights.sum(1, keepdims=True), 1.0)


def set_colors(head: bpy.types.Object, skin: Color | None, eyes: Color | None) -> None:
    """Give a head object its own linear skin and eye colour; None leaves the material's."""
    for name, color in ((SKIN_COLOR_PROPERTY, skin), (EYE_COLOR_PROPERTY, eyes)):
        if color is not None:
            head[name] = [*map(float, color), 1.0]
            head.id_properties_ui(name).update(subtype="COLOR", min=0.0, max=1.0, soft_min=0.0, soft_max=1.0)


def colors_of(head: bpy.types.Object) -> tuple[Color, Color]:
    """Linear skin and eye colour of a head object."""
    given = (head.get(SKIN_COLOR_PROPERTY, DEFAULT_SKIN_COLOR), head.get(EYE_COLOR_PROPERTY, DEFAULT_EYE_COLOR))
    return tuple(tuple(color)[:3] for color in given)


@dataclass(frozen=True)
class Look:
    """What the shader needs of one mesh, ready to be written as it is.

    values: per attribute (V, 3 or 4) float32; slots: (P,) int32, the slot of every polygon.
    """

    values: dict[str, np.ndarray]
    slots: np.ndarray

    @classmethod
    def of(cls, regions: Regions, polygons: np.ndarray, colors: tuple[Color, Color]) -> Look:
        """The look of polygons (P, 3 or 4) with linear skin and eye colours. NumPy only: any thread may call it."""
        return cls(_vertex_values(regions, colors), _polygon_slots(regions, polygons))


def _vertex_values(regions: Regions, colors: tuple[Color, Color]) -> dict[str, np.ndarray]:
    color = np.c_[regions.table(region_colors(*colors)), np.ones(len(regions.weights), np.float32)]
    values = {COLOR_ATTRIBUTE: color}
    for name, columns in ((SKIN_ATTRIBUTE, SKIN_COLUMNS), (TISSUE_ATTRIBUTE, TISSUE_COLUMNS)):
        known = {region: tuple(float(region in column) for column in columns) for region in REGION_SLOTS}
        values[name] = regions.table(known)
    if regions.rest is not None:
        values[REST_ATTRIBUTE] = regions.rest
    if regions.eye_vertices is not None:
        values[EYE_ATTRIBUTE] = np.zeros((len(regions.weights), 3), np.float32)
        values[EYE_ATTRIBUTE][regions.eye_vertices] = regions.eye_directions
    # Half precision, at rest 0.03 mm within 125 mm of the head's middle: it takes half the room in a cache.
    halves = {name: array.astype(np.float16) for name, array in values.items() if name != COLOR_ATTRIBUTE}
    return {name: np.ascontiguousarray(array, np.float32) for name, array in (values | halves).items()}


def _polygon_slots(regions: Regions, polygons: np.ndarray) -> np.ndarray:
    """The slot of the greatest weight in a polygon's corners; (P,) int32. Polygons (P, 3 or 4), -1 for none."""
    of_region = np.array([SLOTS.index(REGION_SLOTS.get(name, "Skin")) for name in regions.names], np.int32)
    weights = regions.weights.astype(np.float32) @ np.eye(len(SLOTS), dtype=np.float32)[of_region]  # (V, slots)
    # The fourth corner of a triangle counts like its first, which changes no majority but a close one.
    polygons = np.where(polygons < 0, polygons[:, :1], polygons)
    corners = weights.argmax(1).astype(np.int32)[polygons]
    slots = corners[:, 0].copy()
    border = np.flatnonzero((corners != corners[:, :1]).any(1))
    slots[border] = weights[polygons[border]].sum(1).argmax(1)
    return slots


def group_members(regions: Regions) -> list[tuple[str, float, list[int]]]:
    """The regions' vertex groups in pieces: group, weight 0..1 and vertex numbers. Any thread may call it."""
    levels = np.round(regions.weights.astype(np.float32) * (GROUP_LEVELS / 255.0)).astype(np.uint8)  # (V, K)
    members = []
    for column, region in enumerate(regions.names):
        for level in np.unique(levels[:, column][levels[:, column] > 0]):
            vertices = np.flatnonzero(levels[:, column] == level)
            pieces = np.array_split(vertices, -(-len(vertices) // VERTICES_PER_PIECE))
            members += [(group_name(region), float(level) / GROUP_LEVELS, piece.tolist()) for piece in pieces]
    return members


def group_name(region: str) -> str:
    """Name of the vertex group of a region."""
    return region.replace("_", " ").title()


def region_colors(skin: Color, eyes: Color) -> dict[str, Color]:
    """Linear colour of every region for a skin and an eye colour."""
    lips = tuple(s * shade + blood for s, shade, blood in zip(skin, LIP_SHADE, LIP_BLOOD, strict=True))
    brows = tuple(s * shade for s, shade in zip(skin, BROW_SHADE, strict=True))
    own = {"skin": skin, NECK: skin, "lips": lips, "brows": brows}
    return TISSUE_COLORS | own | {"sclera": SCLERA_COLOR, "iris": eyes, "pupil": PUPIL_COLOR}


def write_values(mesh: bpy.types.Mesh, look: Look) -> None:
    """Store what the shader reads, the colour that viewports without shaders show, and every polygon's slot."""
    for name, array in look.values.items():
        kind, member = ("FLOAT_COLOR", "color") if name == COLOR_ATTRIBUTE else ("FLOAT_VECTOR", "vector")
        mesh.attributes.new(name, kind, "POINT").data.foreach_set(member, array.ravel())
    mesh.color_attributes.active_color_name = COLOR_ATTRIBUTE
    mesh.color_attributes.render_color_index = mesh.color_attributes.find(COLOR_ATTRIBUTE)
    slots = mesh.attributes.get("material_index") or mesh.attributes.new("material_index", "INT", "FACE")
    slots.data.foreach_set("value", look.slots)
