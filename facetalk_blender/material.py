"""The head's one material: skin with pores, lips, wet eyes, enamel and the dark of the mouth.

It reads the attributes of `appearance`, so that it fits any mesh of the head, and is made of stock nodes only.
"""

from __future__ import annotations

import bpy

from . import compat
from .appearance import COLOR_ATTRIBUTE, EYE_ATTRIBUTE, FINISH_ATTRIBUTE, FINISHES

MATERIAL_NAME = "FaceTalk Head"
SUBSURFACE_RADIUS = (1.0, 0.32, 0.16)  # relative distances of red, green and blue light in skin
SUBSURFACE_SCALE = 0.005  # metres


def head_material() -> bpy.types.Material:
    """The head's material; the one in the file is used as it is, so that an artist's changes to it stay."""
    existing = bpy.data.materials.get(MATERIAL_NAME)
    if existing is not None:
        return existing
    material = bpy.data.materials.new(MATERIAL_NAME)
    material.diffuse_color = (*FINISHES["skin"].color, 1.0)
    material.roughness = FINISHES["skin"].roughness
    _HeadNodes(compat.use_nodes(material)).build()
    return material


class _HeadNodes:
    """Builds the node tree; every method returns the output socket of what it made."""

    def __init__(self, tree: bpy.types.NodeTree):
        self._tree = tree
        self._column = 0

    def build(self) -> None:
        self._tree.nodes.clear()
        position = self._add("ShaderNodeTexCoord").outputs["Object"]
        finish = self._separate(self._attribute(FINISH_ATTRIBUTE, "Vector"))
        eye = [self._edge(weight) for weight in self._separate(self._attribute(EYE_ATTRIBUTE, "Vector"))]
        skin = finish[2]
        blotches = self._noise(position, scale=28.0, detail=3.0)
        pores = self._noise(position, scale=1400.0, detail=1.0)

        principled = self._add("ShaderNodeBsdfPrincipled")
        self._link(self._color(eye, skin, blotches), principled.inputs["Base Color"])
        self._link(self._roughness(finish[0], skin, pores), principled.inputs["Roughness"])
        self._link(finish[1], principled.inputs["Subsurface Weight"])
        principled.inputs["Subsurface Radius"].default_value = SUBSURFACE_RADIUS
        principled.inputs["Subsurface Scale"].default_value = SUBSURFACE_SCALE
        self._link(eye[0], principled.inputs["Coat Weight"])
        principled.inputs["Coat Roughness"].default_value = 0.02
        self._link(self._bump(position, skin, pores), principled.inputs["Normal"])
        output = self._add("ShaderNodeOutputMaterial")
        self._link(principled.outputs["BSDF"], output.inputs["Surface"])

    def _color(self, eye: list, skin: bpy.types.NodeSocket, blotches: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
        base = self._attribute(COLOR_ATTRIBUTE, "Color")
        redness = self._math("MULTIPLY", self._map_range(blotches, 0.48, 0.72), self._math("MULTIPLY", skin, 0.35))
        color = self._mix(redness, base, (0.50, 0.215, 0.165, 1.0))
        # The borders inside the eye are finer than the mesh: they are drawn where the soft weights cross one half.
        for weight, name in zip(eye, ("sclera", "iris", "pupil"), strict=True):
            color = self._mix(weight, color, (*FINISHES[name].color, 1.0))
        return color

    def _roughness(self, base, skin, pores) -> bpy.types.NodeSocket:
        variation = self._math("MULTIPLY", self._math("SUBTRACT", pores, 0.5), self._math("MULTIPLY", skin, 0.25))
        return self._math("ADD", base, variation)

    def _bump(self, position, skin, pores) -> bpy.types.NodeSocket:
        furrows = self._noise(position, scale=420.0, detail=2.0)
        height = self._math("ADD", pores, furrows)
        bump = self._add("ShaderNodeBump")
        bump.inputs["Distance"].default_value = 0.0004
        self._link(self._math("MULTIPLY", skin, 0.35), bump.inputs["Strength"])
        self._link(height, bump.inputs["Height"])
        return bump.outputs["Normal"]

    def _edge(self, weight) -> bpy.types.NodeSocket:
        """A soft weight as a narrow smooth step around one half."""
        return self._map_range(weight, 0.38, 0.62)

    def _attribute(self, name: str, output: str) -> bpy.types.NodeSocket:
        node = self._add("ShaderNodeAttribute")
        node.attribute_name = name
        return node.outputs[output]

    def _separate(self, vector) -> list[bpy.types.NodeSocket]:
        node = self._add("ShaderNodeSeparateXYZ")
        self._link(vector, node.inputs[0])
        return list(node.outputs)

    def _noise(self, position, scale: float, detail: float) -> bpy.types.NodeSocket:
        node = self._add("ShaderNodeTexNoise")
        self._link(position, node.inputs["Vector"])
        node.inputs["Scale"].default_value = scale
        node.inputs["Detail"].default_value = detail
        return node.outputs[0]

    def _map_range(self, value, low: float, high: float) -> bpy.types.NodeSocket:
        node = self._add("ShaderNodeMapRange")
        node.interpolation_type = "SMOOTHSTEP"
        self._link(value, node.inputs["Value"])
        node.inputs["From Min"].default_value = low
        node.inputs["From Max"].default_value = high
        return node.outputs[0]

    def _math(self, operation: str, first, second) -> bpy.types.NodeSocket:
        node = self._add("ShaderNodeMath")
        node.operation = operation
        for value, socket in zip((first, second), node.inputs, strict=False):
            self._set(value, socket)
        return node.outputs[0]

    def _mix(self, factor, first, second) -> bpy.types.NodeSocket:
        node = self._add("ShaderNodeMix")
        node.data_type = "RGBA"
        colors = [socket for socket in node.inputs if socket.type == "RGBA"]
        self._set(factor, node.inputs[0])
        self._set(first, colors[0])
        self._set(second, colors[1])
        return next(socket for socket in node.outputs if socket.type == "RGBA")

    def _set(self, value, socket: bpy.types.NodeSocket) -> None:
        if isinstance(value, bpy.types.NodeSocket):
            self._link(value, socket)
        else:
            socket.default_value = value

    def _add(self, kind: str) -> bpy.types.Node:
        node = self._tree.nodes.new(kind)
        node.location = (220.0 * (self._column // 4), -280.0 * (self._column % 4))
        self._column += 1
        return node

    def _link(self, output: bpy.types.NodeSocket, socket: bpy.types.NodeSocket) -> None:
        self._tree.links.new(output, socket)
