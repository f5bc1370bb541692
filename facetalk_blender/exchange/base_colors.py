"""Plain materials for the time of an export: other programs know neither the head's shader nor its attributes.

Every slot gets a Principled BSDF of one colour. glTF multiplies it by the colours of corners, so these are written as
shares of it; USD has them as `displayColor`. A reader that knows no colours of vertices still shows
skin, lips, eyes and teeth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import bpy
import numpy as np

from .. import compat
from ..blender_data.nodes import add_node, new_modifier_tree
from ..look.appearance import COLOR_ATTRIBUTE, Color, colors_of
from ..look.face_detail import MODIFIER_NAME as FACE_DETAIL
from ..look.material import shown_color
from ..look.surface_shader import GROUP_NAME
from ..outputs.frames.frame_writer import PLAYER_NAME

# The attribute that a kind of file gets meanwhile.
ADDED = {"gltf": "Color", "usd": "displayColor"}


def is_head(item: bpy.types.Object) -> bool:
    """Whether an object wears the head's own materials."""
    return any(_is_own(slot.material) for slot in item.material_slots)


@contextmanager
def plain_materials(kind: str, items: list[bpy.types.Object]) -> Iterator[None]:
    """Heads of ours wear plain materials meanwhile; other objects and materials stay as they are."""
    heads = [item for item in items if is_head(item)]
    worn = [(slot, slot.material) for item in heads for slot in item.material_slots if _is_own(slot.material)]
    plain: dict[bpy.types.Material, bpy.types.Material] = {}
    undo = []
    try:
        for item in heads:
            undo += [_add_colors(kind, item), _without_face_detail(item)]
            for slot in item.material_slots:
                if _is_own(slot.material):
                    plain[slot.material] = plain.get(slot.material) or _plain(slot.material, colors_of(item))
                    slot.material = plain[slot.material]
        yield
    finally:
        for slot, material in worn:
            slot.material = material
        for take_back in undo:
            take_back()
        bpy.data.batch_remove(plain.values())


def _without_face_detail(head: bpy.types.Object) -> Callable[[], None]:
    """Let a head do without what only its own shader reads; what takes that back."""
    modifier = head.modifiers.get(FACE_DETAIL)
    if modifier is None:
        return lambda: None
    shown = modifier.show_viewport, modifier.show_render
    modifier.show_viewport = modifier.show_render = False

    def take_back() -> None:
        found = head.modifiers[FACE_DETAIL]
        found.show_viewport, found.show_render = shown

    return take_back


def _is_own(material: bpy.types.Material | None) -> bool:
    tree = material.node_tree if material is not None else None
    groups = (node.node_tree for node in tree.nodes if node.type == "GROUP") if tree is not None else ()
    return any(group is not None and group.name == GROUP_NAME for group in groups)


def _add_colors(kind: str, head: bpy.types.Object) -> Callable[[], None]:
    """Give a head's mesh the colours that a kind of file wants; what takes them back."""
    mesh, name = head.data, ADDED.get(kind, "")
    if kind == "usd" and PLAYER_NAME in head.modifiers:
        return _add_shown_colors(head, name)
    if not name or COLOR_ATTRIBUTE not in mesh.attributes or name in mesh.attributes:
        return lambda: None
    colors = np.empty((len(mesh.vertices), 4), np.float32)
    mesh.attributes[COLOR_ATTRIBUTE].data.foreach_get("color", colors.ravel())
    shown = mesh.color_attributes.active_color_name
    domain, colors = ("CORNER", _shares(mesh, colors)) if kind == "gltf" else ("POINT", colors)
    mesh.attributes.new(name, "FLOAT_COLOR", domain).data.foreach_set("color", colors.ravel())
    _show(mesh, name)

    def take_back() -> None:
        mesh.attributes.remove(mesh.attributes[name])
        _show(mesh, shown)

    return take_back


def _add_shown_colors(head: bpy.types.Object, name: str) -> Callable[[], None]:
    """The same for a head whose mesh comes from modifiers: one more of them.

    Of what only the head's own shader reads nothing is written, which halves the file.
    """
    tree, geometry = new_modifier_tree(name)
    color = add_node(tree, "GeometryNodeInputNamedAttribute", COLOR_ATTRIBUTE, data_type="FLOAT_COLOR").outputs[0]
    values = (geometry, True, name, color)
    colored = add_node(tree, "GeometryNodeStoreNamedAttribute", *values, data_type="FLOAT_COLOR").outputs[0]
    add_node(tree, "NodeGroupOutput", compat.add_removal_of_attributes(tree, colored, "facetalk_*"))
    modifier = head.modifiers.new(name, "NODES")
    modifier.node_group = tree

    def take_back() -> None:
        head.modifiers.remove(modifier)
        bpy.data.node_groups.remove(tree)

    return take_back


def _show(mesh: bpy.types.Mesh, name: str) -> None:
    mesh.color_attributes.active_color_name = name
    mesh.color_attributes.render_color_index = mesh.color_attributes.find(name)


def _shares(mesh: bpy.types.Mesh, of_vertex: np.ndarray) -> np.ndarray:
    """Colours (C, 4) of corners as shares, at most 1, of what their slot mostly has; of_vertex: (V, 4) linear."""
    corners, sizes = np.empty(len(mesh.loops), np.int32), np.empty(len(mesh.polygons), np.int32)
    slots = np.empty(len(mesh.polygons), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    mesh.polygons.foreach_get("loop_total", sizes)
    mesh.polygons.foreach_get("material_index", slots)
    of_corner, slot_of_corner = of_vertex[corners], np.repeat(slots, sizes)
    for slot in np.unique(slots):
        inside = slot_of_corner == slot
        of_corner[inside, :3] /= np.maximum(np.median(of_corner[inside, :3], axis=0), 1e-6)
    return np.minimum(of_corner, 1.0)


def _plain(own: bpy.types.Material, colors: tuple[Color, Color]) -> bpy.types.Material:
    material = bpy.data.materials.new(own.name.removeprefix("FaceTalk "))
    material.diffuse_color, material.roughness = (*shown_color(own, colors), 1.0), own.roughness
    principled = compat.use_nodes(material).nodes["Principled BSDF"]
    principled.inputs["Base Color"].default_value = material.diffuse_color
    principled.inputs["Roughness"].default_value = own.roughness
    principled.inputs["Metallic"].default_value = 0.0
    return material
