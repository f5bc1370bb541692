"""The shader of an eye: a cornea that bulges and mirrors, an iris behind it, the white, and the wet edge of the lids.

The eyeball of every mesh is a plain ball. The frame of the eye, which `face_detail` computes, and the direction of a
point in it give an exactly round normal on any mesh. The cornea is a second, smaller ball in that normal alone, and
the iris lies where the refracted ray of sight meets its plane, so it moves behind the cornea as it should.
"""

from __future__ import annotations

import math

from ...engine.shared.regions import IRIS_ANGLE, PUPIL_ANGLE
from ..blender_data.nodes import ShaderNodes, Socket, Value
from .appearance import (
    DEFAULT_EYE_COLOR,
    EYE_ATTRIBUTE,
    EYE_COLOR_PROPERTY,
    PUPIL_COLOR,
    REST_ATTRIBUTE,
    SCLERA_COLOR,
)
from .face_detail import EYE_UP_ATTRIBUTE, GAZE_ATTRIBUTE, LID_ATTRIBUTE

# Lengths are in radii of the eyeball.
CORNEA_STEEPNESS = 1.6  # how much stronger the cornea is curved than the ball
CORNEA_RISE = 0.07  # of its top above the ball
CORNEA_ENDS = (22.0, 27.5)  # degrees from the gaze, between which it goes over into the white
AQUEOUS = 1.336  # index of refraction between cornea and iris
IRIS_RADIUS = math.sin(math.radians(IRIS_ANGLE))
IRIS_DEPTH = math.cos(math.radians(IRIS_ANGLE)) - 0.02  # of its plane before the eyeball's centre
IRIS_HOLLOW = 0.55  # how much the iris leans inwards: light is gathered on the side away from it
PUPIL_SHARE = math.sin(math.radians(PUPIL_ANGLE)) / IRIS_RADIUS
LIMBUS = (20.6, 25.8)  # degrees, over which iris goes over into white
LID_SHADE = (0.0055, 0.0002)  # metres from a lid, between which its shadow grows
WET_EDGE = 0.0009  # metres: width of the tears along the lower lid
SLIT = (0.0005, 0.0002)  # metres from a lid, between which the eye turns to its pink edge: no white in a closed one
LID_EDGE_COLOR = (0.36, 0.17, 0.145)
CORNER_COLOR = (0.56, 0.25, 0.22)
VEIN_COLOR = (0.60, 0.22, 0.18)


class EyeShader:
    """Plans the nodes of an eye."""

    def __init__(self, nodes: ShaderNodes):
        n = self._n = nodes
        self._direction = n.attribute(EYE_ATTRIBUTE, "Vector")
        gaze, up = n.attribute(GAZE_ATTRIBUTE, "Vector"), n.attribute(EYE_UP_ATTRIBUTE, "Vector")
        # Where nothing computed the frame, on a mesh without the modifier, the surface's own normal has to do.
        self._known = n.step(n.vector_math("LENGTH", gaze, output="Value"), 0.4, 0.6)
        self._axes = [self._in_world(axis) for axis in (n.vector_math("CROSS_PRODUCT", up, gaze), up, gaze)]
        self._surface_normal = n.add("ShaderNodeNewGeometry", output="Normal")
        self._right, self._up, self._forward = n.split(self._direction)
        self._off_axis = self._length(self._right, self._up)
        self._angle = n.math("ARCTAN2", self._off_axis, self._forward)  # from the gaze, radians
        distance, above, _ = n.split(n.attribute(LID_ATTRIBUTE, "Vector"))
        # Far from the lids where nothing computed their distance.
        self._lid = n.math("ADD", distance, n.math("SUBTRACT", 1.0, self._known))
        self._above = above

    def plan(self) -> Socket:
        """The shader."""
        n = self._n
        cornea = self._degrees(*reversed(CORNEA_ENDS))
        curved = n.math("MULTIPLY_ADD", cornea, CORNEA_STEEPNESS - 1.0, 1.0)
        mirror = n.vector_math(
            "NORMALIZE",
            n.join(n.math("MULTIPLY", self._right, curved), n.math("MULTIPLY", self._up, curved), self._forward),
        )
        hit_right, hit_up = self._behind(mirror, cornea)
        iris = self._degrees(*reversed(LIMBUS))
        leaning = n.join(
            n.math("MULTIPLY", hit_right, -IRIS_HOLLOW / IRIS_RADIUS),
            n.math("MULTIPLY", hit_up, -IRIS_HOLLOW / IRIS_RADIUS),
            1.0,
        )
        color = n.mix(iris, self._white(), self._iris(hit_right, hit_up))
        base = self._mixed(iris, self._direction, leaning)
        return n.add(
            "ShaderNodeBsdfPrincipled",
            {
                "Base Color": self._at_lids(color),
                "Specular IOR Level": 0.0,
                "Coat Weight": 1.0,
                "Coat Roughness": 0.03,
                "Coat IOR": 1.5,
                "Normal": self._normal(base),
                "Coat Normal": self._normal(self._with_tears(mirror)),
            },
        )

    def _in_world(self, axis: Socket) -> Socket:
        moved = self._n.add(
            "ShaderNodeVectorTransform", {0: axis}, vector_type="VECTOR", convert_from="OBJECT", convert_to="WORLD"
        )
        return self._n.vector_math("NORMALIZE", moved)

    def _length(self, x: Socket, y: Socket) -> Socket:
        n = self._n
        return n.math("SQRT", n.math("MULTIPLY_ADD", x, x, n.math("MULTIPLY", y, y)))

    def _degrees(self, low: float, high: float) -> Socket:
        """A smooth step along the angle from the gaze."""
        return self._n.step(self._angle, math.radians(low), math.radians(high))

    def _mixed(self, factor: Socket, first: Value, second: Value) -> Socket:
        n = self._n
        inputs = {"Factor_Float": factor, "A_Vector": first, "B_Vector": second}
        return n.add("ShaderNodeMix", inputs, "Result_Vector", data_type="VECTOR")

    def _normal(self, in_eye: Socket) -> Socket:
        """A direction of the eye's frame as a normal in the world."""
        n = self._n
        parts = [
            n.add("ShaderNodeVectorMath", {0: axis, "Scale": part}, operation="SCALE")
            for axis, part in zip(self._axes, n.split(in_eye), strict=True)
        ]
        whole = n.vector_math("ADD", n.vector_math("ADD", parts[0], parts[1]), parts[2])
        return n.vector_math("NORMALIZE", self._mixed(self._known, self._surface_normal, whole))

    def _behind(self, mirror: Socket, cornea: Socket) -> tuple[Socket, Socket]:
        """Right and up of the place on the iris's plane that is seen through a point of the cornea."""
        n = self._n
        incoming = n.add("ShaderNodeNewGeometry", output="Incoming")
        sight = n.join(*(n.vector_math("DOT_PRODUCT", incoming, axis, output="Value") for axis in self._axes))
        # Snell: the ray of sight goes on along -sight / n + (cos / n - cos inside) mirror.
        ratio = 1.0 / AQUEOUS
        cosine = n.math("MAXIMUM", n.vector_math("DOT_PRODUCT", sight, mirror, output="Value"), 0.0)
        inside = n.math("SQRT", n.math("MULTIPLY_ADD", n.math("MULTIPLY", cosine, cosine), ratio**2, 1 - ratio**2))
        along = n.math("SUBTRACT", n.math("MULTIPLY", cosine, ratio), inside)
        turned = n.add("ShaderNodeVectorMath", {0: mirror, "Scale": along}, operation="SCALE")
        ray = n.vector_math("SUBTRACT", turned, n.vector_math("MULTIPLY", sight, (ratio, ratio, ratio)))
        right, up, forward = n.split(ray)
        # Without a frame the iris is painted on the ball.
        height = n.math("MULTIPLY_ADD", cornea, CORNEA_RISE, n.math("SUBTRACT", self._forward, IRIS_DEPTH))
        depth = n.math("MULTIPLY", n.math("MAXIMUM", height, 0.0), self._known)
        way = n.math("DIVIDE", depth, n.math("MAXIMUM", n.math("MULTIPLY", forward, -1.0), 0.3))
        return n.math("MULTIPLY_ADD", right, way, self._right), n.math("MULTIPLY_ADD", up, way, self._up)

    def _iris(self, right: Socket, up: Socket) -> Socket:
        """Fibres around the pupil, lighter and warmer within the collarette, in a dark limbal ring."""
        n = self._n
        off_axis = n.math("DIVIDE", self._length(right, up), IRIS_RADIUS)  # 1 where the iris ends
        turn = n.vector_math("NORMALIZE", n.join(right, up, 0.0))
        along = n.vector_math("ADD", turn, n.join(0.0, 0.0, n.math("MULTIPLY", off_axis, 0.45)))
        fibres = n.noise(along, 13.0, 2.0)
        own = n.object_color(EYE_COLOR_PROPERTY, "Eye Color", DEFAULT_EYE_COLOR)
        light = n.math("MULTIPLY_ADD", n.step(fibres, 0.30, 0.68), 1.15, 0.55)
        uneven = n.math("MULTIPLY_ADD", fibres, 0.25, off_axis)
        inner = n.step(uneven, 0.80, 0.58)  # within the collarette
        light = n.math("MULTIPLY", light, n.math("MULTIPLY_ADD", inner, 0.55, 1.0))
        light = n.math("MULTIPLY", light, n.math("MULTIPLY_ADD", n.step(off_axis, 0.66, 0.95), -0.9, 1.0))
        warm = n.mix(n.math("MULTIPLY", inner, 0.5), own, n.mix(1.0, own, (1.5, 1.05, 0.6), "MULTIPLY"))
        iris = n.mix(1.0, warm, n.join(light, light, light), "MULTIPLY")
        return n.mix(n.step(off_axis, PUPIL_SHARE + 0.035, PUPIL_SHARE - 0.015), iris, PUPIL_COLOR)

    def _white(self) -> Socket:
        """The white with fine vessels, pink towards its corners and most at the caruncle."""
        n = self._n
        side = n.math("SIGN", n.split(n.attribute(REST_ATTRIBUTE, "Vector"))[0])
        inwards = n.math("MULTIPLY", n.math("MULTIPLY", self._right, side), -1.0)
        vessels = n.noise(n.vector_math("MULTIPLY", self._direction, (1.0, 2.2, 1.0)), 7.0, 2.0)
        vessels = n.step(n.math("ABSOLUTE", n.math("SUBTRACT", vessels, 0.5)), 0.022, 0.0)
        outwards = n.step(self._angle, math.radians(28.0), math.radians(65.0))
        white = n.mix(n.math("MULTIPLY", vessels, n.math("MULTIPLY", outwards, 0.40)), SCLERA_COLOR, VEIN_COLOR)
        white = n.mix(n.math("MULTIPLY", outwards, 0.35), white, n.mix(1.0, white, (0.95, 0.68, 0.60), "MULTIPLY"))
        return n.mix(n.math("MULTIPLY", n.step(inwards, 0.62, 0.86), 0.85), white, CORNER_COLOR)

    def _at_lids(self, color: Socket) -> Socket:
        """In the shadow of lids and lashes, deeper below the upper one; pink at the very edge."""
        n = self._n
        depth = n.math("MULTIPLY_ADD", n.step(self._above, -0.2, 0.8), 0.45, 0.25)
        shade = n.math("MULTIPLY", n.step(self._lid, *LID_SHADE), depth)
        shaded = n.mix(shade, color, n.mix(1.0, color, (0.26, 0.16, 0.14), "MULTIPLY"))
        return n.mix(n.step(self._lid, *SLIT), shaded, LID_EDGE_COLOR)

    def _with_tears(self, mirror: Socket) -> Socket:
        """The mirror's normal, turned up in the tears that stand along the lower lid."""
        n = self._n
        low = n.math("MULTIPLY", n.step(self._lid, WET_EDGE, 0.3 * WET_EDGE), n.step(self._above, 0.0, -0.5))
        return self._mixed(n.math("MULTIPLY", low, 0.55), mirror, (0.0, 1.0, 0.2))
