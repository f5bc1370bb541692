"""Tension of skin, and the wrinkles that it makes: fields of geometry nodes.

Tension compares every edge of the mesh with its length on the head at rest, so it needs no topology. Where a region of
the face is compressed along the way in which its folds gather, folds come: how deep they are and where, the shader
reads from one attribute of the points.
"""

from __future__ import annotations

from dataclasses import dataclass

from bpy.types import NodeSocket

from ..blender_data.nodes import FieldGroup, Fields
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
    return TENSION.use(n, rest, across)[0]


def _plan_tension(n: Fields, given) -> list[NodeSocket]:
    ends = n.node("GeometryNodeInputMeshEdgeVertices").outputs
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
    return [n.add("ShaderNodeClamp", share, -1.0, 1.0)]  # edges may have no length at rest


TENSION = FieldGroup(TENSION_GROUP, {"Rest": "Vector", "Across": "Vector"}, {"Tension": "Float"}, _plan_tension)


def _plan_regions(n: Fields, given) -> list[NodeSocket]:
    """What tells in which region a point lies, 1 in the middle and 0 outside, for each of FOLDS.

    Before that: the least squared distance from the middle of one of them, in its radii; the way in which skin is
    gathered, on the left side; the place at rest, mirrored to the left side.
    """
    x, y, z = n.split(n.named(REST_ATTRIBUTE))
    mirrored = n.join(n.math("ABSOLUTE", x), y, z)
    nearest: NodeSocket | float = 9.0
    across: NodeSocket | Vector = (0.0, 0.0, 0.0)
    masks = []
    for fold in FOLDS:
        scale = tuple(1.0 / radius for radius in fold.radii)
        offset = tuple(-middle / radius for middle, radius in zip(fold.centre, fold.radii, strict=True))
        nearest, across, mask = list(REGION.use(n, mirrored, scale, offset, fold.across, nearest, across))
        masks.append(mask)
    return [nearest, across, mirrored, *masks]


def _plan_region(n: Fields, given) -> list[NodeSocket]:
    mirrored, scale, offset, own, nearest, across = list(given)[:6]
    away = n.vector("MULTIPLY_ADD", mirrored, scale, offset)
    mask = n.step(n.vector("LENGTH", away), 1.0, 0.55)
    nearest = n.math("MINIMUM", nearest, n.vector("DOT_PRODUCT", away, away))
    return [nearest, _chosen(n, mask, across, own, "VECTOR"), mask]


def _chosen(n: Fields, mask, otherwise, value, kind: str) -> NodeSocket:
    """The value where a point lies in a region; the later one where two meet."""
    return n.add("GeometryNodeSwitch", n.math("GREATER_THAN", mask, 0.0), otherwise, value, input_type=kind)


REGION = FieldGroup(
    "FaceTalk Fold Region",
    dict.fromkeys(("Mirrored", "Scale", "Offset", "Own Across"), "Vector") | {"Nearest": "Float", "Across": "Vector"},
    {"Nearest": "Float", "Across": "Vector", "Mask": "Float"},
    _plan_region,
)
REGIONS = FieldGroup(
    "FaceTalk Fold Regions",
    {},
    {"Nearest": "Float", "Across": "Vector", "Mirrored": "Vector"} | {fold.name: "Float" for fold in FOLDS},
    _plan_regions,
)


def _fold_group(fold: Fold) -> FieldGroup:
    """Depth and place of one region's folds, in place of those that are there outside the region."""
    measures = {"Mirrored": "Vector", "Mask": "Float", "Tension": "Float", "Strength": "Float", "Age": "Float"}
    result = {"Depth": "Float", "Place": "Float"}

    def plan(n: Fields, given) -> list[NodeSocket]:
        mirrored, mask, stretched, strength, age, *otherwise = list(given)[: len(measures) + len(result)]
        found = _depth(n, mask, fold, stretched, strength, age), _place(n, mirrored, fold)
        return [_chosen(n, mask, before, value, "FLOAT") for before, value in zip(otherwise, found, strict=True)]

    return FieldGroup(f"FaceTalk Folds, {fold.name}", measures | result, result, plan)


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


FOLD_GROUPS = tuple(_fold_group(fold) for fold in FOLDS)


def _plan_wrinkles(n: Fields, given) -> list[NodeSocket]:
    """The vector WRINKLE_ATTRIBUTE where the skin is 1, kept on points of the geometry.

    Only the part of the mesh that lies in one of FOLDS is looked at, which takes a fifth of the time.
    """
    geometry, on_skin, strength, age = list(given)[:4]
    nearest, *_ = REGIONS.use(n)
    inside = n.math("MULTIPLY", on_skin, n.math("LESS_THAN", nearest, 1.0))
    part = n.add("GeometryNodeSeparateGeometry", geometry, inside, domain="POINT")
    # A part's points keep their order: its place in the part is the number of chosen ones before a point.
    place = n.node("GeometryNodeAccumulateField", inside, data_type="INT", domain="POINT").outputs["Trailing"]
    value = n.node("GeometryNodeSampleIndex", part, data_type="FLOAT_VECTOR", domain="POINT")
    n.tree.links.new(_wrinkles(n, strength, age), value.inputs["Value"])
    n.tree.links.new(place, value.inputs["Index"])
    return [n.store(geometry, inside, WRINKLE_ATTRIBUTE, value.outputs[0])]


def _wrinkles(n: Fields, strength: NodeSocket, age: NodeSocket) -> NodeSocket:
    """The vector WRINKLE_ATTRIBUTE."""
    rest = n.named(REST_ATTRIBUTE)
    _, across, mirrored, *masks = list(REGIONS.use(n))
    # `across` is of the left side.
    side = n.join(n.math("SIGN", n.split(rest)[0]), 1.0, 1.0)
    stretched = tension(n, rest, n.vector("MULTIPLY", across, side))
    stretched = n.add("GeometryNodeBlurAttribute", stretched, SMOOTHINGS, data_type="FLOAT")
    depth: NodeSocket | float = 0.0
    place: NodeSocket | float = 0.0
    for group, mask in zip(FOLD_GROUPS, masks, strict=True):
        depth, place = list(group.use(n, mirrored, mask, stretched, strength, age, depth, place))
    waver = n.node("ShaderNodeTexNoise", rest, noise_dimensions="3D")
    waver.inputs["Scale"].default_value, waver.inputs["Detail"].default_value = WAVES, 1.0
    return n.join(depth, n.math("MULTIPLY_ADD", waver.outputs[0], WAVER, place), stretched)


WRINKLE_GROUP = FieldGroup(
    "FaceTalk Wrinkles",
    {"Geometry": "Geometry", "On Skin": "Float", "Strength": "Float", "Age": "Float"},
    {"Geometry": "Geometry"},
    _plan_wrinkles,
)
WRINKLE_GROUPS = (TENSION, REGION, REGIONS, *FOLD_GROUPS, WRINKLE_GROUP)  # each after those that it uses
