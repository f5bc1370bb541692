"""The material of hair: melanin, redness and grey of the object that wears it, in Cycles and, simpler, in EEVEE."""

from __future__ import annotations

import math

import bpy

from .. import compat
from ..blender_data.nodes import add_math, add_node

NAME = "FaceTalk Hair"
MELANIN_PROPERTY, REDNESS_PROPERTY, GREY_PROPERTY = "facetalk_melanin", "facetalk_redness", "facetalk_grey"
TONE_ATTRIBUTE = "facetalk_tone"  # of a strand: added to the melanin
ROUGHNESS, RADIAL_ROUGHNESS, GREY_MELANIN = 0.32, 0.4, 0.035
# What Chiang and others (2016) make of the radial roughness, for colours of the melanin's absorption.
_SPREAD = sum(f * RADIAL_ROUGHNESS**p for p, f in enumerate((5.969, -0.215, 2.532, -10.73, 5.574, 0.245)))
_EUMELANIN, _PHEOMELANIN = (0.506, 0.841, 1.653), (0.343, 0.733, 1.924)

Color = tuple[float, float, float]


def color_of(melanin: float, redness: float, grey: float = 0.0) -> Color:
    """About the linear colour of hair, for viewports without shaders."""
    amount = -math.log(max(1 - min(melanin * (1 - grey) + GREY_MELANIN * grey, 0.999), 1e-3))
    absorbed = (amount * (e + redness * (p - e)) for e, p in zip(_EUMELANIN, _PHEOMELANIN, strict=True))
    red, green, blue = (math.exp(-math.sqrt(a) * _SPREAD * 0.5) for a in absorbed)
    return red, green, blue


def hair_material() -> bpy.types.Material:
    """The material; one in the file is used as it is, with an artist's changes."""
    return bpy.data.materials.get(NAME) or _make()


def _make() -> bpy.types.Material:
    material = bpy.data.materials.new(NAME)
    tree = compat.use_nodes(material)
    tree.nodes.clear()
    melanin, redness, grey = (_property(tree, name) for name in (MELANIN_PROPERTY, REDNESS_PROPERTY, GREY_PROPERTY))
    tone = add_node(tree, "ShaderNodeAttribute", attribute_name=TONE_ATTRIBUTE).outputs["Fac"]
    chance = add_node(tree, "ShaderNodeHairInfo").outputs["Random"]
    is_grey = add_math(tree, "LESS_THAN", chance, grey)
    coloured = add_math(tree, "MINIMUM", add_math(tree, "ADD", melanin, tone), 0.98)
    shown = add_math(tree, "MULTIPLY_ADD", add_math(tree, "SUBTRACT", GREY_MELANIN, coloured), is_grey, coloured)
    hair = add_node(tree, "ShaderNodeBsdfHairPrincipled", parametrization="MELANIN")
    for name, value in (("Roughness", ROUGHNESS), ("Radial Roughness", RADIAL_ROUGHNESS), ("Random Color", 0.25)):
        hair.inputs[name].default_value = value
    tree.links.new(shown, hair.inputs["Melanin"])
    tree.links.new(redness, hair.inputs["Melanin Redness"])
    _output(tree, hair.outputs[0], "CYCLES")
    _output(tree, _simple(tree, shown, redness), "EEVEE")
    material.roughness = 0.5
    return material


def _simple(tree: bpy.types.NodeTree, melanin: bpy.types.NodeSocket, redness: bpy.types.NodeSocket):
    """A shader without the paths of light through hair: the colour of `color_of`, sharply lit along the strand."""
    amount = add_math(tree, "LOGARITHM", add_math(tree, "SUBTRACT", 1.0, melanin), math.e)
    channels = []
    for e, p in zip(_EUMELANIN, _PHEOMELANIN, strict=True):
        absorbed = add_math(tree, "MULTIPLY", add_math(tree, "MULTIPLY_ADD", redness, p - e, e), amount)
        root = add_math(tree, "SQRT", add_math(tree, "ABSOLUTE", absorbed))
        channels.append(add_math(tree, "EXPONENT", add_math(tree, "MULTIPLY", root, -_SPREAD * 0.5)))
    color = add_node(tree, "ShaderNodeCombineXYZ", *channels).outputs[0]
    shader = add_node(tree, "ShaderNodeBsdfPrincipled")
    tree.links.new(color, shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = 0.45
    shader.inputs["Specular IOR Level"].default_value = 0.3
    return shader.outputs[0]


def _property(tree: bpy.types.NodeTree, name: str) -> bpy.types.NodeSocket:
    return add_node(tree, "ShaderNodeAttribute", attribute_type="OBJECT", attribute_name=name).outputs["Fac"]


def _output(tree: bpy.types.NodeTree, shader: bpy.types.NodeSocket, target: str) -> None:
    add_node(tree, "ShaderNodeOutputMaterial", shader).target = target
