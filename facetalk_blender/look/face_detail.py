"""What the shader reads of a face as it is posed: a modifier of stock nodes computes it for whatever mesh is shown.

The axes of every eye, how far its points lie from the lids, and wrinkles where skin is compressed. All of it comes from
attributes that every output carries, so a head plays and renders so without the extension. Where a mesh lacks them the
results are zero, and the shader does without.
"""

from __future__ import annotations

from collections.abc import Iterator

import bpy
from bpy.types import NodeSocket

from .. import compat
from ..blender_data.nodes import FieldGroup, Fields, new_modifier_tree
from .appearance import EYE_ATTRIBUTE, REST_ATTRIBUTE, SKIN_ATTRIBUTE, TISSUE_ATTRIBUTE
from .wrinkles import WRINKLE_GROUP, WRINKLE_GROUPS

MODIFIER_NAME = "FaceTalk Face Detail"  # of the node tree too
GAZE_ATTRIBUTE, EYE_UP_ATTRIBUTE = "facetalk_gaze", "facetalk_eye_up"  # on eyeballs: axes of the eye, object space
LID_ATTRIBUTE = "facetalk_lid"  # on eyeballs: metres to the lids, and 1 where the upper one is nearer, -1 the lower
LEAST_FORWARD = 0.5  # part of a direction along the gaze: eyes are fitted by their front, which all meshes have
AMOUNTS_PROPERTY = "facetalk_wrinkle_amounts"  # of a head object: what its modifier has or is to have
WRINKLES, AGE = "Wrinkles", "Age"  # inputs of the modifier
DEFAULT_WRINKLES, DEFAULT_AGE = 1.0, 0.2


def group_pieces() -> Iterator[None]:
    """Make the node groups in pieces, so that `add` finds them; those in the file stay as they are."""
    for group in GROUPS:
        group.tree()
        yield
    _tree()


def add(owner: bpy.types.Object) -> None:
    """Add the modifier to an object that shows a head, above its others; one that is there stays."""
    if MODIFIER_NAME not in owner.modifiers:
        owner.modifiers.new(MODIFIER_NAME, "NODES").node_group = _tree()
        if AMOUNTS_PROPERTY in owner:
            set_amounts(owner, *owner[AMOUNTS_PROPERTY])


def set_amounts(owner: bpy.types.Object, wrinkles: float, age: float) -> None:
    """How deep a head's wrinkles are, 0 to 2, and how old it is, 0 to 1; a modifier that comes later has them too."""
    owner[AMOUNTS_PROPERTY] = [float(wrinkles), float(age)]
    modifier = owner.modifiers.get(MODIFIER_NAME)
    if modifier is None or modifier.node_group is None:
        return
    for name, value in ((WRINKLES, wrinkles), (AGE, age)):
        if modifier.node_group.interface.items_tree.get(name) is not None:  # an artist may use a group without it
            compat.set_modifier_input(modifier, name, value)
    owner.update_tag()


def _tree() -> bpy.types.NodeTree:
    return bpy.data.node_groups.get(MODIFIER_NAME) or _build()


def _build() -> bpy.types.NodeTree:
    tree, geometry = new_modifier_tree(MODIFIER_NAME)
    for name, default, greatest in ((WRINKLES, DEFAULT_WRINKLES, 2.0), (AGE, DEFAULT_AGE, 1.0)):
        socket = tree.interface.new_socket(name, in_out="INPUT", socket_type="NodeSocketFloat")
        socket.default_value, socket.min_value, socket.max_value = default, 0.0, greatest
    n, given = Fields(tree), geometry.node.outputs
    geometry = EYES.use(n, geometry)[0]
    on_skin = n.vector("DOT_PRODUCT", n.named(SKIN_ATTRIBUTE), (1.0, 1.0, 0.0))
    on_skin = n.math("GREATER_THAN", on_skin, 0.0)
    n.node("NodeGroupOutput", WRINKLE_GROUP.use(n, geometry, on_skin, given[WRINKLES], given[AGE])[0])
    return tree


def _plan_eyes(n: Fields, given) -> list[NodeSocket]:
    """Geometry with GAZE_ATTRIBUTE, EYE_UP_ATTRIBUTE and LID_ATTRIBUTE."""
    geometry = given[0]
    direction, ball = n.named(EYE_ATTRIBUTE), n.split(n.named(TISSUE_ATTRIBUTE))[0]
    near = n.math("GREATER_THAN", n.vector("LENGTH", direction), 0.5)
    on_eye = n.math("MULTIPLY", near, n.math("GREATER_THAN", ball, 0.5))
    eyes = n.add("GeometryNodeSeparateGeometry", geometry, on_eye, domain="POINT")
    left = n.math("GREATER_THAN", n.split(n.named(REST_ATTRIBUTE))[0], 0.0)
    axes = [list(EYE_AXES.use(n, eyes, own)) for own in (left, n.math("SUBTRACT", 1.0, left))]
    gaze, up = (
        n.add("GeometryNodeSwitch", left, right_eye, left_eye, input_type="VECTOR")
        for left_eye, right_eye in zip(*axes, strict=True)
    )
    touched = n.math("MULTIPLY", near, n.math("GREATER_THAN", ball, 0.0))
    for name, value in ((GAZE_ATTRIBUTE, gaze), (EYE_UP_ATTRIBUTE, up)):
        geometry = n.store(geometry, touched, name, value)
    skin = n.split(n.named(SKIN_ATTRIBUTE))[0]
    on_lid = n.math("MULTIPLY", near, n.math("GREATER_THAN", skin, 0.5))
    lids = n.add("GeometryNodeSeparateGeometry", geometry, on_lid, domain="POINT")
    return [n.store(geometry, touched, LID_ATTRIBUTE, _lid_distance(n, lids))]


def _plan_axes(n: Fields, given) -> list[NodeSocket]:
    """Gaze and up of an eyeball: the turn that takes directions in the eye to places, by least squares."""
    eyes, own = given[0], given[1]
    direction, position = n.named(EYE_ATTRIBUTE), n.add("GeometryNodeInputPosition")
    parts = n.split(direction)
    chosen = n.math("MULTIPLY", own, n.math("GREATER_THAN", parts[2], LEAST_FORWARD))

    middle, centre = (_mean(n, eyes, chosen, vector) for vector in (direction, position))
    # Columns of the covariances of directions with themselves and of places with directions.
    own_columns, columns = [], []
    for part, mean_part in zip(parts, n.split(middle), strict=True):
        for covariances, vector, its_mean in ((own_columns, direction, middle), (columns, position, centre)):
            covariances.append(COVARIANCE.use(n, eyes, chosen, vector, its_mean, part, mean_part)[0])
    entries = [entry for column in own_columns for entry in (*n.split(column), 0.0)]
    # Numbers of thousandths have determinants that are taken for zero.
    entries = [entry if isinstance(entry, float) else n.math("MULTIPLY", entry, 100.0) for entry in entries]
    inverse = n.add("FunctionNodeInvertMatrix", n.add("FunctionNodeCombineMatrix", *entries, 0.0, 0.0, 0.0, 1.0))

    def axis(of_eye: tuple[float, float, float]) -> NodeSocket:
        shares = n.split(n.add("FunctionNodeTransformDirection", of_eye, inverse))
        sums = [n.scaled(column, share) for column, share in zip(columns, shares, strict=True)]
        return n.vector("NORMALIZE", n.vector("ADD", n.vector("ADD", sums[0], sums[1]), sums[2]))

    gaze, up = axis((0.0, 0.0, 1.0)), axis((0.0, 1.0, 0.0))
    along = n.scaled(gaze, n.vector("DOT_PRODUCT", gaze, up))
    return [gaze, n.vector("NORMALIZE", n.vector("SUBTRACT", up, along))]


def _mean(n: Fields, eyes: NodeSocket, chosen: NodeSocket, vector: NodeSocket) -> NodeSocket:
    return n.add("GeometryNodeAttributeStatistic", eyes, chosen, vector, data_type="FLOAT_VECTOR")


def _plan_covariance(n: Fields, given) -> list[NodeSocket]:
    eyes, chosen, vector, its_mean, part, mean_part = list(given)[:6]
    product = _mean(n, eyes, chosen, n.scaled(vector, part))
    return [n.vector("SUBTRACT", product, n.scaled(its_mean, mean_part))]


def _lid_distance(n: Fields, lids: NodeSocket) -> NodeSocket:
    node = n.node("GeometryNodeProximity", lids, target_element="FACES")
    towards = n.vector("SUBTRACT", node.outputs["Position"], n.add("GeometryNodeInputPosition"))
    above = n.split(n.vector("NORMALIZE", towards))[2]
    return n.join(node.outputs["Distance"], above, 0.0)


COVARIANCE = FieldGroup(
    "FaceTalk Eye Covariance",
    {
        "Eyes": "Geometry",
        "Chosen": "Float",
        "Vector": "Vector",
        "Mean": "Vector",
        "Part": "Float",
        "Mean Part": "Float",
    },
    {"Column": "Vector"},
    _plan_covariance,
)
EYE_AXES = FieldGroup(
    "FaceTalk Eye Axes", {"Eyes": "Geometry", "Own": "Float"}, {"Gaze": "Vector", "Up": "Vector"}, _plan_axes
)
EYES = FieldGroup("FaceTalk Eyes", {"Geometry": "Geometry"}, {"Geometry": "Geometry"}, _plan_eyes)
GROUPS = (*WRINKLE_GROUPS, COVARIANCE, EYE_AXES, EYES)  # each after those that it uses
