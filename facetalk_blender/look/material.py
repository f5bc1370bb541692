"""The head's materials: one for each slot, so that any part can be given another one."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from .. import compat
from ..blender_data.datablocks import run_to_end
from .appearance import DEFAULT_EYE_COLOR, DEFAULT_SKIN_COLOR, SLOTS, Color, Look, region_colors, write_values
from .surface_shader import GROUP_NAME, SURFACE, SURFACE_IN_EEVEE, surface_group_pieces

# Colour and roughness of the slots in viewports without shaders, by the region that shows most.
_SHOWN = {
    "Skin": ("skin", 0.5),
    "Lips": ("lips", 0.32),
    "Eyes": ("sclera", 0.05),
    "Iris": ("iris", 0.05),
    "Pupil": ("pupil", 0.05),
    "Teeth": ("teeth", 0.16),
    "Gums and Tongue": ("tongue", 0.28),
    "Mouth Cavity": ("mouth_cavity", 0.36),
    "Neck": ("skin", 0.5),
}
OUTPUTS = {"ALL": SURFACE, "EEVEE": SURFACE_IN_EEVEE}  # of the group, by the renderer that shows it


def material_pieces() -> Iterator[None]:
    """Make the materials of SLOTS in pieces; those in the file are left as they are, with an artist's changes."""
    missing = [slot for slot in SLOTS if _name(slot) not in bpy.data.materials]
    if missing:
        yield from surface_group_pieces()
    for slot in missing:
        _make(slot)
        yield


def head_materials() -> list[bpy.types.Material]:
    """The materials of SLOTS, made when there are none."""
    run_to_end(material_pieces())
    return [bpy.data.materials[_name(slot)] for slot in SLOTS]


def show_colors(skin: Color, eyes: Color) -> None:
    """Let viewports without shaders show these linear colours. Heads share materials, so they show the last ones."""
    colors = region_colors(skin, eyes)
    for slot, (region, _) in _SHOWN.items():
        material = bpy.data.materials.get(_name(slot))
        if material is not None and material.library is None:
            material.diffuse_color = (*colors[region], 1.0)


def _name(slot: str) -> str:
    return f"FaceTalk {slot}"


def _make(slot: str) -> None:
    material = bpy.data.materials.new(_name(slot))
    region, material.roughness = _SHOWN[slot]
    material.diffuse_color = (*region_colors(DEFAULT_SKIN_COLOR, DEFAULT_EYE_COLOR)[region], 1.0)
    tree = compat.use_nodes(material)
    tree.nodes.clear()
    group = tree.nodes.new("ShaderNodeGroup")
    group.node_tree = bpy.data.node_groups[GROUP_NAME]
    # A file made before the second output came has a group without it.
    named = {renderer: name for renderer, name in OUTPUTS.items() if name in group.outputs}
    for number, (renderer, name) in enumerate(named.items()):
        output = tree.nodes.new("ShaderNodeOutputMaterial")
        output.target, output.location = renderer, (220.0, -180.0 * number)
        tree.links.new(group.outputs[name], output.inputs["Surface"])


def shown_color(material: bpy.types.Material | None, colors: tuple[Color, Color]) -> Color:
    """Linear colour of the region that shows most of a head's slot, for a skin and an eye colour."""
    slot = material.name.removeprefix("FaceTalk ") if material is not None else ""
    return region_colors(*colors)[_SHOWN[slot][0]] if slot in _SHOWN else DEFAULT_SKIN_COLOR


def dress_mesh(mesh: bpy.types.Mesh, look: Look) -> None:
    """Give a new mesh attributes and material slots."""
    write_values(mesh, look)
    add_materials(mesh)


def add_materials(mesh: bpy.types.Mesh) -> None:
    """Give a new mesh material slots."""
    for material in head_materials():
        mesh.materials.append(material)


def dress_object(owner: bpy.types.Object) -> None:
    """Give an object slots of its own with the head's materials: they hold for whatever mesh its modifiers show."""
    for material in head_materials():
        owner.data.materials.append(material)
    for slot, material in zip(owner.material_slots, head_materials(), strict=True):
        slot.link = "OBJECT"
        slot.material = material
