"""The node tree that keeps strands on the skin: stock nodes, for a head of any topology that knows its rest.

Every strand is held by three supports, points of the skin some millimetres apart. Where the supports are now is
looked up once for all strands: by number on a head of fixed topology, else at the nearest vertex at rest. What that
vertex lies beside the support does not matter, since a strand keeps its place to the three points that were found.
"""

from __future__ import annotations

import bpy
from bpy.types import NodeSocket, NodeTree

from ..blender_data.nodes import add_math, add_node, new_modifier_tree
from ..look.appearance import REST_ATTRIBUTE, SKIN_ATTRIBUTE, TISSUE_ATTRIBUTE

NAME = "FaceTalk Hair on Skin"  # of the tree and the modifier
HEAD, SUPPORTS, FIXED = "Head", "Supports", "Fixed Topology"
VIEWPORT, RENDER, WIDTH = "Viewport Strands", "Render Strands", "Width"
VERTEX_ATTRIBUTE = "facetalk_vertex"  # of a support: the template's vertex
SUPPORT_ATTRIBUTES = ("facetalk_support_a", "facetalk_support_b", "facetalk_support_c")  # of a strand
ROOT_ATTRIBUTE = "facetalk_root"  # of a strand: its root at rest
RANK_ATTRIBUTE = "facetalk_rank"
NOW_ATTRIBUTE = "facetalk_now"
# Of a dense mesh, how many vertices are enough to find supports among: on the scalp, on the face; all about the eyes.
ENOUGH_ON_SCALP, ENOUGH_ON_FACE = 20000.0, 40000.0
FACE_BEGINS = 0.02  # y in metres
THINNED = 0.45  # by which power of their share fewer strands get wider
LEAST_SKIN = 0.0  # weight of skin and lips less that of the eyeball: with the rims of the lids
# Square metres, of twice the triangle of the supports, which has 3.4e-6 at least where strands were made: on one that
# is much smaller, of vertices side by side, a root beside it would swing far off.
LEAST_AREA = 7e-7


def following_tree() -> NodeTree:
    """The tree; one in the file is used as it is."""
    return bpy.data.node_groups.get(NAME) or _build()


def _build() -> NodeTree:
    tree, strands = new_modifier_tree(NAME)
    inputs = strands.node
    new = tree.interface.new_socket
    for name in (HEAD, SUPPORTS):
        new(name, in_out="INPUT", socket_type="NodeSocketObject")
    new(FIXED, in_out="INPUT", socket_type="NodeSocketBool")
    for name, value, most in ((VIEWPORT, 0.3, 1.0), (RENDER, 1.0, 1.0), (WIDTH, 1.0, 4.0)):
        socket = new(name, in_out="INPUT", socket_type="NodeSocketFloat")
        socket.default_value, socket.min_value, socket.max_value = value, 0.0, most
    given = inputs.outputs
    shown = add_node(tree, "GeometryNodeIsViewport").outputs[0]
    share = _switched(tree, "FLOAT", shown, given[RENDER], given[VIEWPORT])
    strands = _thinned(tree, strands, share, given[WIDTH])
    head = add_node(tree, "GeometryNodeObjectInfo", given[HEAD], transform_space="RELATIVE").outputs["Geometry"]
    supports = add_node(tree, "GeometryNodeObjectInfo", given[SUPPORTS]).outputs["Geometry"]
    found = _found(tree, head, supports, given[FIXED])
    followed = _followed(tree, strands, found)
    # Without a head, the strands stay where they were made.
    size = add_node(tree, "GeometryNodeAttributeDomainSize", head, component="MESH").outputs["Point Count"]
    there = add_math(tree, "GREATER_THAN", size, 0.5)
    add_node(tree, "NodeGroupOutput", _switched(tree, "GEOMETRY", there, strands, followed))
    return tree


def _thinned(tree: NodeTree, strands: NodeSocket, share: NodeSocket, width: NodeSocket) -> NodeSocket:
    rank = _attribute(tree, RANK_ATTRIBUTE, "FLOAT")
    beyond = add_math(tree, "GREATER_THAN", rank, share)
    kept = add_node(tree, "GeometryNodeDeleteGeometry", strands, beyond, domain="CURVE").outputs[0]
    wider = add_math(tree, "POWER", add_math(tree, "MAXIMUM", share, 0.02), -THINNED)
    # Strands that are always there are not few: they keep their width.
    some = add_math(tree, "GREATER_THAN", rank, 0.0)
    factor = add_math(tree, "MULTIPLY_ADD", add_math(tree, "SUBTRACT", wider, 1.0), some, 1.0)
    radius = add_math(tree, "MULTIPLY", _attribute(tree, "radius", "FLOAT"), add_math(tree, "MULTIPLY", factor, width))
    return add_node(tree, "GeometryNodeSetCurveRadius", kept, True, radius).outputs[0]


def _found(tree: NodeTree, head: NodeSocket, supports: NodeSocket, fixed: NodeSocket) -> NodeSocket:
    """The supports with the attributes REST_ATTRIBUTE and NOW_ATTRIBUTE: where what holds them was and is."""
    position = add_node(tree, "GeometryNodeInputPosition").outputs[0]
    rest = _attribute(tree, REST_ATTRIBUTE, "FLOAT_VECTOR")
    number = _attribute(tree, VERTEX_ATTRIBUTE, "INT")
    was = _sampled(tree, head, rest, number)
    by_number = _noted(tree, supports, was, _sampled(tree, head, position, number))
    captured = add_node(tree, "GeometryNodeCaptureAttribute", head)
    captured.capture_items.new("VECTOR", "Now")
    tree.links.new(position, captured.inputs["Now"])
    points = add_node(tree, "GeometryNodeMeshToPoints", captured.outputs[0], _enough(tree, head, rest), rest).outputs[0]
    nearest = add_node(tree, "GeometryNodeSampleNearest", points, position).outputs[0]
    was = _sampled(tree, points, position, nearest)
    by_place = _noted(tree, supports, was, _sampled(tree, points, captured.outputs["Now"], nearest))
    return _switched(tree, "GEOMETRY", fixed, by_place, by_number)


def _enough(tree: NodeTree, head: NodeSocket, rest: NodeSocket) -> NodeSocket:
    """Which vertices of a head to look among: skin alone, and of a dense mesh not all."""
    weights = _attribute(tree, SKIN_ATTRIBUTE, "FLOAT_VECTOR")
    skin, lips, _ = add_node(tree, "ShaderNodeSeparateXYZ", weights).outputs
    ball = add_node(tree, "ShaderNodeSeparateXYZ", _attribute(tree, TISSUE_ATTRIBUTE, "FLOAT_VECTOR")).outputs[0]
    weight = add_math(tree, "SUBTRACT", add_math(tree, "ADD", skin, lips), ball)
    is_skin = add_math(tree, "GREATER_THAN", weight, LEAST_SKIN)
    count = add_node(tree, "GeometryNodeAttributeDomainSize", head, component="MESH").outputs["Point Count"]
    x, y, z = add_node(tree, "ShaderNodeSeparateXYZ", rest).outputs
    on_face = add_math(tree, "LESS_THAN", y, FACE_BEGINS)
    sparse, dense = (
        add_math(tree, "CEIL", add_math(tree, "DIVIDE", count, most)) for most in (ENOUGH_ON_SCALP, ENOUGH_ON_FACE)
    )
    step = _switched(tree, "FLOAT", on_face, sparse, dense)
    index = add_node(tree, "GeometryNodeInputIndex").outputs[0]
    drawn = add_math(tree, "LESS_THAN", add_math(tree, "FLOORED_MODULO", index, step), 0.5)
    # About the eyes: a box of the face from below the lower lid to the brow.
    aside = add_math(tree, "COMPARE", add_math(tree, "ABSOLUTE", x), 0.033, 0.022)
    high = add_math(tree, "COMPARE", z, 0.020, 0.014)
    eyes = add_math(tree, "MULTIPLY", add_math(tree, "MULTIPLY", aside, high), on_face)
    return add_math(tree, "MULTIPLY", is_skin, add_math(tree, "MAXIMUM", drawn, eyes))


def _followed(tree: NodeTree, strands: NodeSocket, found: NodeSocket) -> NodeSocket:
    """Strands moved and turned with their supports."""
    rest, now = (_attribute(tree, name, "FLOAT_VECTOR") for name in (REST_ATTRIBUTE, NOW_ATTRIBUTE))
    numbers = [_attribute(tree, name, "INT") for name in SUPPORT_ATTRIBUTES]
    was, is_now = ([_sampled(tree, found, value, number) for number in numbers] for value in (rest, now))
    root = _attribute(tree, ROOT_ATTRIBUTE, "FLOAT_VECTOR")
    old, new = _frame(tree, was), _frame(tree, is_now)
    arm = _vector(tree, "SUBTRACT", root, was[0])
    u, v, height = _shares(tree, arm, old)
    place = _vector(tree, "ADD", is_now[0], _scaled(tree, new.first, u))
    place = _vector(tree, "ADD", place, _scaled(tree, new.second, v))
    place = _vector(tree, "ADD", place, _scaled(tree, new.unit_normal, height))
    # Supports of a coarse mesh may be one vertex, or three in a row: then the strand moves with the first.
    sound = add_math(tree, "GREATER_THAN", old.area, LEAST_AREA)
    place = _switched(tree, "VECTOR", sound, _vector(tree, "ADD", is_now[0], arm), place)
    back = add_node(tree, "FunctionNodeInvertRotation", old.rotation).outputs[0]
    turn = add_node(tree, "FunctionNodeRotateRotation", back, new.rotation, rotation_space="GLOBAL").outputs[0]
    kept = add_node(tree, "GeometryNodeCaptureAttribute", strands, domain="CURVE")
    for kind, name, value in (("VECTOR", "Root", place), ("ROTATION", "Turn", turn), ("VECTOR", "Rest", root)):
        kept.capture_items.new(kind, name)
        tree.links.new(value, kept.inputs[name])
    position = add_node(tree, "GeometryNodeInputPosition").outputs[0]
    offset = _vector(tree, "SUBTRACT", position, kept.outputs["Rest"])
    turned = add_node(tree, "FunctionNodeRotateVector", offset, kept.outputs["Turn"]).outputs[0]
    moved = _vector(tree, "ADD", kept.outputs["Root"], turned)
    placed = add_node(tree, "GeometryNodeSetPosition", kept.outputs[0])
    tree.links.new(moved, placed.inputs["Position"])
    return placed.outputs[0]


class _Frame:
    """Sides of a triangle, their normal, twice its area, and the rotation that they make."""

    def __init__(self, tree: NodeTree, corners: list[NodeSocket]):
        self.first = _vector(tree, "SUBTRACT", corners[1], corners[0])
        self.second = _vector(tree, "SUBTRACT", corners[2], corners[0])
        self.normal = _vector(tree, "CROSS_PRODUCT", self.first, self.second)
        self.unit_normal = _vector(tree, "NORMALIZE", self.normal)
        self.area = _number(tree, "LENGTH", self.normal)
        # Both sides have a say in where the triangle points: one alone would turn with shear.
        pointing = _vector(tree, "ADD", self.first, self.second)
        node = add_node(tree, "FunctionNodeAxesToRotation", self.normal, pointing)
        node.primary_axis, node.secondary_axis = "Z", "X"
        self.rotation = node.outputs[0]


def _frame(tree: NodeTree, corners: list[NodeSocket]) -> _Frame:
    return _Frame(tree, corners)


def _shares(tree: NodeTree, arm: NodeSocket, frame: _Frame) -> tuple[NodeSocket, NodeSocket, NodeSocket]:
    """How far an arm goes along both sides, and metres along the normal."""
    square = _number(tree, "DOT_PRODUCT", frame.normal, frame.normal)
    u = _number(tree, "DOT_PRODUCT", _vector(tree, "CROSS_PRODUCT", arm, frame.second), frame.normal)
    v = _number(tree, "DOT_PRODUCT", _vector(tree, "CROSS_PRODUCT", frame.first, arm), frame.normal)
    height = _number(tree, "DOT_PRODUCT", arm, frame.unit_normal)
    return add_math(tree, "DIVIDE", u, square), add_math(tree, "DIVIDE", v, square), height


def _attribute(tree: NodeTree, name: str, kind: str) -> NodeSocket:
    return add_node(tree, "GeometryNodeInputNamedAttribute", name, data_type=kind).outputs["Attribute"]


def _sampled(tree: NodeTree, geometry: NodeSocket, value: NodeSocket, index: NodeSocket) -> NodeSocket:
    node = add_node(tree, "GeometryNodeSampleIndex", geometry, data_type="FLOAT_VECTOR", clamp=True)
    tree.links.new(value, node.inputs["Value"])
    tree.links.new(index, node.inputs["Index"])
    return node.outputs[0]


def _noted(tree: NodeTree, supports: NodeSocket, was: NodeSocket, is_now: NodeSocket) -> NodeSocket:
    for name, value in ((REST_ATTRIBUTE, was), (NOW_ATTRIBUTE, is_now)):
        node = add_node(tree, "GeometryNodeStoreNamedAttribute", supports, True, name, data_type="FLOAT_VECTOR")
        tree.links.new(value, node.inputs["Value"])
        supports = node.outputs[0]
    return supports


def _switched(tree: NodeTree, kind: str, condition: NodeSocket, no: NodeSocket, yes: NodeSocket) -> NodeSocket:
    return add_node(tree, "GeometryNodeSwitch", condition, no, yes, input_type=kind).outputs[0]


def _vector(tree: NodeTree, operation: str, *inputs: NodeSocket) -> NodeSocket:
    return add_node(tree, "ShaderNodeVectorMath", *inputs, operation=operation).outputs["Vector"]


def _number(tree: NodeTree, operation: str, *inputs: NodeSocket) -> NodeSocket:
    return add_node(tree, "ShaderNodeVectorMath", *inputs, operation=operation).outputs["Value"]


def _scaled(tree: NodeTree, vector: NodeSocket, factor: NodeSocket) -> NodeSocket:
    node = add_node(tree, "ShaderNodeVectorMath", vector, operation="SCALE")
    tree.links.new(factor, node.inputs["Scale"])
    return node.outputs["Vector"]
