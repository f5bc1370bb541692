"""The material of hair: melanin, redness and grey of the object that wears it, in Cycles and, simpler, in EEVEE."""

from __future__ import annotations

import math

import bpy

from .. import compat
from ..blender_data.nodes import add_math, add_node

NAME = "FaceTalk Hair"
MELANIN_PROPERTY, REDNESS_PROPERTY, GREY_PROPERTY = "facetalk_melanin", "facetalk_redness", "facetalk_grey"
TONE_ATTRIBUTE = "facetalk_tone"  # of a strand: added to the melanin
RADIAL_ROUGHNESS, GREY_MELANIN = 0.4, 0.035
GREYED = 0.4  # how far colours are those of many strands, whose shine is white
VARIATION = 0.15  # by which share the melanin of strands differs
# Cycles: share and roughness (along, across) of the highlight and what its tint adds to the hair's colour; the glow of
# hair that is not seen by the camera, of its colour.
# DIMMED: of its colour, for the strands among which light is lost.
SHINE, SHINE_ROUGHNESS, SHINE_TINT, GLOW, DIMMED = 0.25, (0.25, 0.9), 0.08, 0.1, 0.45
# What Chiang and others (2016) make of the radial roughness, for colours of the melanin's absorption.
_SPREAD = sum(f * RADIAL_ROUGHNESS**p for p, f in enumerate((5.969, -0.215, 2.532, -10.73, 5.574, 0.245)))
_EUMELANIN, _PHEOMELANIN = (0.506, 0.841, 1.653), (0.343, 0.733, 1.924)

Color = tuple[float, float, float]


def color_of(melanin: float, redness: float, grey: float = 0.0) -> Color:
    """About the linear colour of hair, for viewports without shaders."""
    amount = -math.log(max(1 - min(melanin * (1 - grey) + GREY_MELANIN * grey, 0.999), 1e-3))
    absorbed = (amount * (e + redness * (p - e)) for e, p in zip(_EUMELANIN, _PHEOMELANIN, strict=True))
    channels = [math.exp(-math.sqrt(a) * _SPREAD * 0.5) for a in absorbed]
    red, green, blue = (GREYED * sum(channels) / 3 + (1 - GREYED) * channel for channel in channels)
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
    varied = add_math(tree, "MULTIPLY", shown, add_math(tree, "MULTIPLY_ADD", chance, VARIATION, 1 - VARIATION))
    color = _color(tree, varied, redness)
    _output(tree, _strand(tree, color), "CYCLES")
    _output(tree, _simple(tree, color), "EEVEE")
    material.roughness = 0.5
    return material


def _color(tree: bpy.types.NodeTree, melanin: bpy.types.NodeSocket, redness: bpy.types.NodeSocket):
    """The colour of `color_of`, grey strands as those of little melanin."""
    amount = add_math(tree, "LOGARITHM", add_math(tree, "SUBTRACT", 1.0, melanin), math.e)
    channels = []
    for e, p in zip(_EUMELANIN, _PHEOMELANIN, strict=True):
        absorbed = add_math(tree, "MULTIPLY", add_math(tree, "MULTIPLY_ADD", redness, p - e, e), amount)
        root = add_math(tree, "SQRT", add_math(tree, "ABSOLUTE", absorbed))
        channels.append(add_math(tree, "EXPONENT", add_math(tree, "MULTIPLY", root, -_SPREAD * 0.5)))
    whole = add_node(tree, "ShaderNodeCombineXYZ", *channels).outputs[0]
    grey = add_node(tree, "ShaderNodeVectorMath", whole, (GREYED / 3,) * 3, operation="DOT_PRODUCT").outputs["Value"]
    kept = add_node(tree, "ShaderNodeVectorMath", whole, (1 - GREYED,) * 3, operation="MULTIPLY").outputs[0]
    return add_node(tree, "ShaderNodeVectorMath", kept, grey, operation="ADD").outputs[0]


def _strand(tree: bpy.types.NodeTree, color: bpy.types.NodeSocket):
    """For Cycles: light goes on from where the camera sees hair; what comes from there finds hair as a dim glow.

    That ends its way, which otherwise goes from strand to strand. Light through strands is left out too: a rim light
    made dark hair gold.
    """
    dimmed = add_node(tree, "ShaderNodeVectorMath", color, (DIMMED,) * 3, operation="MULTIPLY").outputs[0]
    base = add_node(tree, "ShaderNodeBsdfDiffuse", dimmed).outputs[0]
    shine = add_node(tree, "ShaderNodeBsdfHair", component="Reflection")
    shine.inputs["RoughnessU"].default_value, shine.inputs["RoughnessV"].default_value = SHINE_ROUGHNESS
    tint = add_node(tree, "ShaderNodeVectorMath", color, (SHINE_TINT,) * 3, operation="ADD").outputs[0]
    tree.links.new(tint, shine.inputs["Color"])
    seen = add_node(tree, "ShaderNodeMixShader", SHINE, base, shine.outputs[0]).outputs[0]
    glow = add_node(tree, "ShaderNodeEmission", color)
    glow.inputs["Strength"].default_value = GLOW
    from_camera = add_node(tree, "ShaderNodeLightPath").outputs["Is Camera Ray"]
    return add_node(tree, "ShaderNodeMixShader", from_camera, glow.outputs[0], seen).outputs[0]


def _simple(tree: bpy.types.NodeTree, color: bpy.types.NodeSocket):
    """For EEVEE: a plain surface, whose shine stays low: on thin strands it is grains of white."""
    shader = add_node(tree, "ShaderNodeBsdfPrincipled")
    tree.links.new(color, shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = 0.6
    shader.inputs["Specular IOR Level"].default_value = 0.15
    return shader.outputs[0]


def _property(tree: bpy.types.NodeTree, name: str) -> bpy.types.NodeSocket:
    return add_node(tree, "ShaderNodeAttribute", attribute_type="OBJECT", attribute_name=name).outputs["Fac"]


def _output(tree: bpy.types.NodeTree, shader: bpy.types.NodeSocket, target: str) -> None:
    add_node(tree, "ShaderNodeOutputMaterial", shader).target = target
