"""The head's materials: one for each slot, so that any part can be given another one."""

from __future__ import annotations

import bpy

from . import compat
from .appearance import DEFAULT_EYE_COLOR, DEFAULT_SKIN_COLOR, SLOTS, region_colors
from .surface_shader import surface_group

# Colour and roughness of the slots in viewports without shaders, by the region that shows most.
_SHOWN = {
    "Skin": ("skin", 0.5),
    "Lips": ("lips", 0.32),
    "Eyes": ("sclera", 0.05),
    "Teeth": ("teeth", 0.16),
    "Gums and Tongue": ("tongue", 0.28),
    "Mouth Cavity": ("mouth_cavity", 0.36),
    "Neck": ("skin", 0.5),
}


def head_materials() -> list[bpy.types.Material]:
    """The materials of SLOTS; those in the file are used as they are, so that an artist's changes stay."""
    return [_material(slot) for slot in SLOTS]


def _material(slot: str) -> bpy.types.Material:
    name = f"FaceTalk {slot}"
    existing = bpy.data.materials.get(name)
    if existing is not None:
        return existing
    material = bpy.data.materials.new(name)
    region, material.roughness = _SHOWN[slot]
    material.diffuse_color = (*region_colors(DEFAULT_SKIN_COLOR, DEFAULT_EYE_COLOR)[region], 1.0)
    tree = compat.use_nodes(material)
    tree.nodes.clear()
    group = tree.nodes.new("ShaderNodeGroup")
    group.node_tree = surface_group()
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    output.location = (220.0, 0.0)
    tree.links.new(group.outputs[0], output.inputs["Surface"])
    return material


def dress_object(owner: bpy.types.Object) -> None:
    """Give an object slots of its own with the head's materials: they hold for whatever mesh its modifiers show."""
    for material in head_materials():
        owner.data.materials.append(material)
    for slot, material in zip(owner.material_slots, head_materials(), strict=True):
        slot.link = "OBJECT"
        slot.material = material
