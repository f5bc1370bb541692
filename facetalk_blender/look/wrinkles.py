"""Tension of skin, and the wrinkles that it makes: fields of geometry nodes.

Tension compares every edge of the mesh with its length on the head at rest, so it needs no topology. Where a region of
the face is compressed along the way in which its folds gather, folds come: how deep they are and where, the shader
reads from one attribute of the points.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
from bpy.types import NodeSocket

from ..blender_data.nodes import Fields
from .appearance import REST_ATTRIBUTE

WRINKLE_ATTRIBUTE = "facetalk_wrinkle"  # depth of a fold 0..1, its place in turns (folds lie at whole ones), tension
TENSION_GROUP = "FaceTalk Tension"
SMOOTHINGS = 2  # of the tension: meshes that change with every frame differ in their edges

WAVES, WAVER = 85.0, 0.7  # folds waver: cells of noise a metre, and turns

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Fold:
    """Folds of one region of the face; places on the head at rest, metres, the right side mirrors the left.

    centre, radii: of the ellipsoid in which they lie. across: unit vector along which skin is gathered.
    start, full: tension at which they begin and at which they are whole; full is below start where compression makes
    them. age: how deep they are in an old face at rest.
    spacing: metres from fold to fold along `across`; fans: they fan out from the centre instead, so many in a turn.
    bow: metres by which folds rise per square metre off the middle.
    """

    name: str
    centre: Vector
    radii: Vector
    across: Vector
    start: float
    full: float
    spacing: float
    age: float
    bow: float = 0.0
    fans: float = 0.0


UP, SIDEWAYS = (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)
FOLDS = (
    Fold("Forehead", (0.0, -0.043, 0.068), (0.052, 0.040, 0.024), UP, -0.05, -0.22, 0.0085, 0.45, bow=-2.0),
    Fold("Glabella", (0.0065, -0.047, 0.037), (0.011, 0.030, 0.018), SIDEWAYS, -0.03, -0.16, 0.0130, 0.40),
    Fold("Crow's Feet", (0.060, -0.016, 0.015), (0.013, 0.022, 0.015), UP, -0.03, -0.16, 0.006, 0.55, fans=20.0),
    Fold("Under Eyes", (0.031, -0.036, 0.001), (0.017, 0.020, 0.008), UP, -0.02, -0.18, 0.0045, 0.40, bow=12.0),
    Fold("Nasolabial", (0.0305, -0.042, -0.038), (0.011, 0.026, 0.027), (0.87, 0.0, 0.49), -0.05, -0.15, 0.030, 0.55),
    Fold("Chin", (0.0, -0.042, -0.096), (0.018, 0.024, 0.013), UP, 0.09, 0.20, 0.0045, 0.15),
    Fold("Lips", (0.0, -0.050, -0.053), (0.024, 0.030, 0.020), SIDEWAYS, -0.09, -0.22, 0.0040, 0.30),
)


def tension(n: Fields, rest: NodeSocket, across: NodeSocket | Vector) -> NodeSocket:
    """How much longer skin is than at rest along a way, as a share: -0.1 where a tenth of its length is gathered.

    rest: where points lie at rest. across: unit vector of the way at rest; zero counts every way.
    """
    group = bpy.data.node_groups.get(TENSION_GROUP) or _tension_group()
    return n.add("GeometryNodeGroup", rest, across, node_tree=group)


def _tension_group() -> bpy.types.NodeTree:
    tree = bpy.data.node_groups.new(TENSION_GROUP, "GeometryNodeTree")
    for name in ("Rest", "Across"):
        tree.interface.new_socket(name, in_out="INPUT", socket_type="NodeSocketVector")
    tree.interface.new_socket("Tension", in_out="OUTPUT", socket_type="NodeSocketFloat")
    n = Fields(tree)
    given, ends = n.node("NodeGroupInput").outputs, n.node("GeometryNodeInputMeshEdgeVertices").outputs
    at_rest = [n.add("GeometryNodeFieldAtIndex", given[0], end, data_type="FLOAT_VECTOR") for end in ends[:2]]
    edge = n.vector("SUBTRACT", at_rest[1], at_rest[0])
    length, before = n.vector("DISTANCE", ends[2], ends[3]), n.vector("LENGTH", edge)
    # Edges along the way count, those across it hardly: the fourth power of the cosine.
    cosine = n.vector("DOT_PRODUCT", n.vector("NORMALIZE", edge), given[1])
    every_way = n.math("SUBTRACT", 1.0, n.vector("DOT_PRODUCT", given[1], given[1]))
    square = n.math("MULTIPLY", cosine, cosine)
    weight = n.math("MULTIPLY_ADD", square, square, n.math("MAXIMUM", every_way, 0.0))
    weighted = n.math("MULTIPLY", weight, before)
    change = n.math("MULTIPLY", weight, n.math("SUBTRACT", length, before))
    sums = [n.add("GeometryNodeFieldOnDomain", value, data_type="FLOAT", domain="EDGE") for value in (change, weighted)]
    share = n.math("DIVIDE", sums[0], n.math("MAXIMUM", sums[1], 1e-9))
    n.node("NodeGroupOutput", n.add("ShaderNodeClamp", share, -1.0, 1.0))  # edges may have no length at rest
    return tree


def with_wrinkles(
    n: Fields, geometry: NodeSocket, on_skin: NodeSocket, strength: NodeSocket, age: NodeSocket
) -> NodeSocket:
    """Geometry whose points have WRINKLE_ATTRIBUTE where `on_skin` is 1.

    Only the part of the mesh that lies in one of FOLDS is looked at, which takes a fifth of the time.
    """
    mirrored = _mirrored(n)
    inside = n.math("MULTIPLY", on_skin, n.math("LESS_THAN", _nearest(n, mirrored), 1.0))
    part = n.add("GeometryNodeSeparateGeometry", geometry, inside, domain="POINT")
    # A part's points keep their order: its place in the part is the number of chosen ones before a point.
    place = n.node("GeometryNodeAccumulateField", inside, data_type="INT", domain="POINT").outputs["Trailing"]
    value = n.node("GeometryNodeSampleIndex", part, data_type="FLOAT_VECTOR", domain="POINT")
    n.tree.links.new(_wrinkles(n, strength, age), value.inputs["Value"])
    n.tree.links.new(place, value.inputs["Index"])
    return n.store(geometry, inside, WRINKLE_ATTRIBUTE, value.outputs[0])


def _mirrored(n: Fields) -> NodeSocket:
    x, y, z = n.split(n.named(REST_ATTRIBUTE))
    return n.join(n.math("ABSOLUTE", x), y, z)


def _nearest(n: Fields, mirrored: NodeSocket) -> NodeSocket:
    """Least squared distance from the middle of one of FOLDS, in its radii."""
    nearest: NodeSocket | float = 9.0
    for fold in FOLDS:
        away = _away(n, mirrored, fold)
        nearest = n.math("MINIMUM", nearest, n.vector("DOT_PRODUCT", away, away))
    return nearest


def _away(n: Fields, mirrored: NodeSocket, fold: Fold) -> NodeSocket:
    scale = tuple(1.0 / radius for radius in fold.radii)
    offset = tuple(-middle / radius for middle, radius in zip(fold.centre, fold.radii, strict=True))
    return n.vector("MULTIPLY_ADD", mirrored, scale, offset)


def _wrinkles(n: Fields, strength: NodeSocket, age: NodeSocket) -> NodeSocket:
    """The vector WRINKLE_ATTRIBUTE."""
    rest, mirrored = n.named(REST_ATTRIBUTE), _mirrored(n)
    masks = [n.step(n.vector("LENGTH", _away(n, mirrored, fold)), 1.0, 0.55) for fold in FOLDS]
    across = _chosen(n, masks, [fold.across for fold in FOLDS], "VECTOR")
    # `across` is of the left side.
    side = n.join(n.math("SIGN", n.split(rest)[0]), 1.0, 1.0)
    stretched = tension(n, rest, n.vector("MULTIPLY", across, side))
    stretched = n.add("GeometryNodeBlurAttribute", stretched, SMOOTHINGS, data_type="FLOAT")
    depths = [_depth(n, mask, fold, stretched, strength, age) for mask, fold in zip(masks, FOLDS, strict=True)]
    places = [_place(n, mirrored, fold) for fold in FOLDS]
    depth, place = (_chosen(n, masks, values, "FLOAT") for values in (depths, places))
    waver = n.node("ShaderNodeTexNoise", rest, noise_dimensions="3D")
    waver.inputs["Scale"].default_value, waver.inputs["Detail"].default_value = WAVES, 1.0
    return n.join(depth, n.math("MULTIPLY_ADD", waver.outputs[0], WAVER, place), stretched)


def _chosen(n: Fields, masks: list[NodeSocket], values: list, kind: str) -> NodeSocket:
    """The value of the region in which a point lies; the later one where two meet."""
    chosen = (0.0, 0.0, 0.0) if kind == "VECTOR" else 0.0
    for mask, value in zip(masks, values, strict=True):
        inside = n.math("GREATER_THAN", mask, 0.0)
        chosen = n.add("GeometryNodeSwitch", inside, chosen, value, input_type=kind)
    return chosen


def _depth(n: Fields, mask, fold: Fold, stretched, strength, age) -> NodeSocket:
    folded = n.math("MAXIMUM", n.step(stretched, fold.start, fold.full), n.math("MULTIPLY", age, fold.age))
    return n.math("MULTIPLY", n.math("MULTIPLY", folded, mask), strength)


def _place(n: Fields, mirrored: NodeSocket, fold: Fold) -> NodeSocket:
    x, y, z = n.split(n.vector("SUBTRACT", mirrored, fold.centre))
    if fold.fans:
        # From the corner of the eye outwards and backwards.
        inwards = n.math("ADD", n.math("ADD", x, y), fold.radii[0])
        return n.math("MULTIPLY", n.math("ARCTAN2", z, inwards), fold.fans / 6.2832)
    along = n.vector("DOT_PRODUCT", n.join(x, y, z), fold.across)
    along = n.math("MULTIPLY_ADD", n.math("MULTIPLY", x, x), -fold.bow, along)
    return n.math("DIVIDE", along, fold.spacing)
