"""Tension on an artist's own mesh, for the artist's own shader: what skin is gathered and what is stretched."""

from __future__ import annotations

import bpy
import numpy as np

from ..blender_data.nodes import Fields, new_modifier_tree
from .appearance import REST_ATTRIBUTE
from .wrinkles import SMOOTHINGS, TENSION_GROUP, tension

TENSION_ATTRIBUTE = "facetalk_tension"  # of points: -0.1 where a tenth of the length is gathered
MODIFIER_NAME = TENSION_GROUP
DIVIDING = {"SUBSURF", "MULTIRES"}  # modifiers that move points by themselves: tension is measured before them


def add_tension(item: bpy.types.Object) -> None:
    """Store the rest shape of a mesh, which is its first shape key or else its own, and add the modifier.

    A modifier that is there stays, and gets the rest shape as it is now.
    """
    mesh = item.data
    rest = np.empty((len(mesh.vertices), 3), np.float32)
    points = mesh.shape_keys.reference_key.points if mesh.shape_keys else mesh.vertices
    points.foreach_get("co", rest.ravel())
    attribute = mesh.attributes.get(REST_ATTRIBUTE) or mesh.attributes.new(REST_ATTRIBUTE, "FLOAT_VECTOR", "POINT")
    attribute.data.foreach_set("vector", rest.ravel())
    if MODIFIER_NAME in item.modifiers:
        return
    first = next((place for place, other in enumerate(item.modifiers) if other.type in DIVIDING), None)
    item.modifiers.new(MODIFIER_NAME, "NODES").node_group = bpy.data.node_groups.get(_TREE_NAME) or _build()
    if first is not None:
        item.modifiers.move(len(item.modifiers) - 1, first)


_TREE_NAME = "FaceTalk Own Tension"


def _build() -> bpy.types.NodeTree:
    tree, geometry = new_modifier_tree(_TREE_NAME)
    n = Fields(tree)
    value = tension(n, n.named(REST_ATTRIBUTE), (0.0, 0.0, 0.0))
    value = n.add("GeometryNodeBlurAttribute", value, SMOOTHINGS, data_type="FLOAT")
    n.node("NodeGroupOutput", n.store(geometry, True, TENSION_ATTRIBUTE, value, "FLOAT"))
    return tree
