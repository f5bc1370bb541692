"""The shader of a head: skin, lips, brows, wet eyes, enamel, gums and tongue, and the dark of the mouth.

One node group of stock nodes serves every material of the head. Borders between regions are finer than any mesh of
it, so they are drawn in the shader from the soft weights of `appearance`, not along polygons. Textures are fixed to
the head at rest: they neither swim when it speaks nor depend on texture coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import bpy

from ...engine.shared.regions import IRIS_ANGLE, PUPIL_ANGLE
from ..blender_data.datablocks import resolve
from ..blender_data.nodes import ShaderNodes, Socket
from .appearance import (
    BROW_SHADE,
    COLOR_ATTRIBUTE,
    DEFAULT_EYE_COLOR,
    DEFAULT_SKIN_COLOR,
    EYE_ATTRIBUTE,
    EYE_COLOR_PROPERTY,
    LIP_BLOOD,
    LIP_SHADE,
    PUPIL_COLOR,
    REST_ATTRIBUTE,
    SCLERA_COLOR,
    SKIN_ATTRIBUTE,
    SKIN_COLOR_PROPERTY,
    TISSUE_ATTRIBUTE,
)

GROUP_NAME = "FaceTalk Surface"
UNFINISHED_NAME = "FaceTalk Surface (Unfinished)"
SUBSURFACE_RADIUS = (1.0, 0.32, 0.16)  # relative distances of red, green and blue light in skin
SUBSURFACE_SCALE = 0.005  # metres
# Where blood shows: centre (the right side mirrors the left) and radius on the head at rest, metres, and strength.
FLUSHES = (
    ((0.046, -0.034, -0.020), 0.036, 0.75),  # cheeks
    ((0.0, -0.069, -0.012), 0.024, 0.7),  # tip of the nose
    ((0.088, 0.060, 0.004), 0.036, 0.9),  # ears
    ((0.0, -0.038, -0.097), 0.024, 0.35),  # chin
    ((0.018, -0.030, 0.016), 0.012, 0.5),  # inner corners of the eyes
)
SHADE_UNDER_EYES = ((0.030, -0.034, 0.004), 0.017, 0.5)
FLUSH_TINT = (1.06, 0.66, 0.60)
SHADE_TINT = (0.80, 0.70, 0.74)
STUBBLE_TINT = (0.36, 0.36, 0.40)
# Shaved hair grows where up + HAIRLINE_SLOPE * back exceeds HAIRLINE, metres.
HAIRLINE, HAIRLINE_SLOPE = 0.062, 0.9


def surface_group_pieces() -> Iterator[None]:
    """Make the node group in pieces; one in the file is used as it is, so that an artist's changes to it stay."""
    if GROUP_NAME in bpy.data.node_groups:
        return
    leftover = bpy.data.node_groups.get(UNFINISHED_NAME)
    if leftover is not None:
        bpy.data.node_groups.remove(leftover)
    tree = bpy.data.node_groups.new(UNFINISHED_NAME, "ShaderNodeTree")
    tree.interface.new_socket("Surface", in_out="OUTPUT", socket_type="NodeSocketShader")
    session_uid = tree.session_uid
    nodes = ShaderNodes()
    _Surface(nodes).plan()
    yield
    yield from nodes.pieces(session_uid)
    resolve(bpy.data.node_groups, session_uid).name = GROUP_NAME


class _Surface:
    """Plans the group: a colour, a roughness and the other inputs of one Principled BSDF."""

    def __init__(self, nodes: ShaderNodes):
        self._n = nodes
        self._skin, self._lips, self._brows = nodes.split(nodes.attribute(SKIN_ATTRIBUTE, "Vector"))
        ball, self._teeth, self._flesh = nodes.split(nodes.attribute(TISSUE_ATTRIBUTE, "Vector"))
        self._ball = nodes.step(ball, 0.38, 0.62)
        self._rest = nodes.attribute(REST_ATTRIBUTE, "Vector")
        self._pores = nodes.noise(self._rest, 1300.0, 1.0)
        self._mottling = nodes.noise(self._rest, 190.0, 3.0)

    def plan(self) -> None:
        n = self._n
        inputs = {
            "Base Color": self._color(),
            "Roughness": self._roughness(),
            "Normal": self._normal(),
            "Subsurface Weight": n.weighted(
                (self._skin, 0.6), (self._lips, 0.5), (self._teeth, 0.3), (self._flesh, 0.35)
            ),
            "Subsurface Radius": SUBSURFACE_RADIUS,
            "Subsurface Scale": SUBSURFACE_SCALE,
            "Coat Weight": n.weighted((self._ball, 1.0), (self._flesh, 0.5), (self._lips, 0.25)),
            "Coat Roughness": n.math("MULTIPLY_ADD", self._ball, -0.16, 0.18),
        }
        n.add("NodeGroupOutput", {0: n.add("ShaderNodeBsdfPrincipled", inputs)})

    def _color(self) -> Socket:
        n = self._n
        skin = n.object_color(SKIN_COLOR_PROPERTY, "Skin Color", DEFAULT_SKIN_COLOR)
        color = n.mix(self._skin, n.attribute(COLOR_ATTRIBUTE, "Color"), self._skin_color(skin))
        color = n.mix(n.step(self._lips, 0.1, 0.9), color, self._lip_color(skin))
        color = n.mix(self._brow_hair(), color, n.mix(1.0, skin, BROW_SHADE, "MULTIPLY"))
        return n.mix(self._ball, color, self._eye_color())

    def _skin_color(self, skin: Socket) -> Socket:
        """Skin with blood under it, shade under the eyes, shaved hair on the scalp and a fine mottling."""
        n = self._n
        x, y, z = n.split(self._rest)
        mirrored = n.join(n.math("ABSOLUTE", x), y, z)
        uneven = n.step(n.noise(self._rest, 38.0, 2.0), 0.25, 0.75)
        flush = n.math("MULTIPLY", n.number("Flush", 1.0), self._spots(mirrored, FLUSHES))
        color = n.mix(
            n.math("MULTIPLY", flush, n.math("MULTIPLY_ADD", uneven, 0.6, 0.4)),
            skin,
            n.mix(1.0, skin, FLUSH_TINT, "MULTIPLY"),
        )
        color = n.mix(self._spots(mirrored, (SHADE_UNDER_EYES,)), color, n.mix(1.0, color, SHADE_TINT, "MULTIPLY"))
        color = n.mix(self._stubble(y, z, uneven), color, n.mix(1.0, color, STUBBLE_TINT, "MULTIPLY"))
        mottling = n.math("MULTIPLY_ADD", self._mottling, 0.30, 0.85)
        return n.mix(
            1.0, color, n.join(mottling, n.math("MULTIPLY_ADD", self._mottling, 0.44, 0.78), mottling), "MULTIPLY"
        )

    def _spots(self, position: Socket, spots: tuple) -> Socket:
        """The strongest of soft round spots."""
        n = self._n
        strongest = None
        for centre, radius, strength in spots:
            distance = n.vector_math("DISTANCE", position, centre, output="Value")
            spot = n.math("MULTIPLY", n.step(distance, radius, 0.1 * radius), strength)
            strongest = spot if strongest is None else n.math("MAXIMUM", strongest, spot)
        return strongest

    def _stubble(self, back: Socket, up: Socket, uneven: Socket) -> Socket:
        n = self._n
        place = n.math("MULTIPLY_ADD", back, HAIRLINE_SLOPE, up)
        scalp = n.step(n.math("MULTIPLY_ADD", uneven, 0.006, place), HAIRLINE - 0.006, HAIRLINE + 0.012)
        dots = n.math("MULTIPLY_ADD", n.step(self._pores, 0.62, 0.42), 0.5, 0.5)
        return n.math("MULTIPLY", n.math("MULTIPLY", scalp, dots), n.number("Scalp Stubble", 0.75))

    def _lip_color(self, skin: Socket) -> Socket:
        n = self._n
        shade = n.math("MULTIPLY_ADD", n.noise(self._creases(), 420.0, 2.0), 0.5, 0.75)
        color = n.mix(1.0, n.mix(1.0, skin, LIP_SHADE, "MULTIPLY"), LIP_BLOOD, "ADD")
        return n.mix(1.0, color, n.join(shade, shade, shade), "MULTIPLY")

    def _creases(self) -> Socket:
        """Positions squeezed along the height, so that noise on them runs across the lips."""
        return self._n.vector_math("MULTIPLY", self._rest, (1.0, 0.25, 0.18))

    def _brow_hair(self) -> Socket:
        """Brows as strands: soft at their border, denser inside."""
        n = self._n
        strands = n.noise(n.vector_math("MULTIPLY", self._rest, (1.0, 1.0, 0.4)), 1300.0, 2.0)
        density = n.math("MULTIPLY_ADD", n.math("SUBTRACT", strands, 0.5), 1.7, self._brows)
        return n.math("MULTIPLY", n.step(density, 0.2, 0.8), 0.92)

    def _eye_color(self) -> Socket:
        n = self._n
        right, up, forward = n.split(n.attribute(EYE_ATTRIBUTE, "Vector"))
        radius = n.math("SQRT", n.math("ADD", n.math("MULTIPLY", right, right), n.math("MULTIPLY", up, up)))
        angle = n.math("ARCTAN2", radius, forward)
        turn = n.vector_math("NORMALIZE", n.join(right, up, 0.0))
        degree = math.radians(1.0)

        strands = n.noise(
            n.vector_math("ADD", turn, n.join(0.0, 0.0, n.math("MULTIPLY", angle, 1.6))),
            9.0,
            2.0,
        )
        iris = n.object_color(EYE_COLOR_PROPERTY, "Eye Color", DEFAULT_EYE_COLOR)
        light = n.math("MULTIPLY_ADD", n.step(strands, 0.3, 0.7), 1.0, 0.5)
        # Lighter around the pupil, dark where the iris meets the white.
        light = n.math(
            "MULTIPLY", light, n.math("MULTIPLY_ADD", n.step(angle, 15 * degree, PUPIL_ANGLE * degree), 0.45, 1.0)
        )
        light = n.math(
            "MULTIPLY", light, n.math("MULTIPLY_ADD", n.step(angle, 18.5 * degree, 23.5 * degree), -0.8, 1.0)
        )
        iris = n.mix(1.0, iris, n.join(light, light, light), "MULTIPLY")

        corner = n.math("MULTIPLY", n.step(n.math("ABSOLUTE", right), 0.45, 0.95), 0.55)
        white = n.mix(corner, SCLERA_COLOR, (0.62, 0.36, 0.31))
        color = n.mix(n.step(angle, (IRIS_ANGLE - 1.6) * degree, (IRIS_ANGLE + 1.0) * degree), iris, white)
        color = n.mix(n.math("MULTIPLY", n.step(up, 0.05, 0.42), 0.45), color, (0.16, 0.11, 0.10))  # the lid's shadow
        return n.mix(n.step(angle, (PUPIL_ANGLE + 0.7) * degree, (PUPIL_ANGLE - 0.7) * degree), color, PUPIL_COLOR)

    def _roughness(self) -> Socket:
        n = self._n
        uneven = n.math("MULTIPLY", n.math("SUBTRACT", self._pores, 0.5), self._skin)
        # 0.36 in the dark of the mouth; every region differs from that.
        regions = n.weighted((self._skin, 0.12), (self._lips, -0.05), (self._teeth, -0.2), (self._flesh, -0.08))
        regions = n.math("MULTIPLY_ADD", self._ball, -0.31, regions)
        return n.math("ADD", n.math("MULTIPLY_ADD", uneven, 0.25, 0.36), regions)

    def _normal(self) -> Socket:
        n = self._n
        furrows = n.noise(self._rest, 420.0, 2.0)
        creases = n.math("MULTIPLY", n.noise(self._creases(), 900.0, 1.0), n.math("MULTIPLY", self._lips, 1.5))
        skin = n.math("MULTIPLY", n.math("ADD", self._pores, furrows), self._skin)
        inputs = {"Distance": 0.0004, "Strength": n.number("Skin Detail", 0.4), "Height": n.math("ADD", skin, creases)}
        return n.add("ShaderNodeBump", inputs)
