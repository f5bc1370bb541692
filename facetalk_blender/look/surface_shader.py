"""The shader of a head: skin, lips, brows, wet eyes, enamel, gums and tongue, and the dark of the mouth.

One node group of stock nodes serves every material of the head. Borders between regions are finer than any mesh of
it, so they are drawn in the shader from the soft weights of `appearance`, not along polygons. Textures are fixed to
the head at rest: they neither swim when it speaks nor depend on texture coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import bpy

from ..blender_data.datablocks import resolve
from ..blender_data.nodes import ShaderNodes, Socket, Value
from .appearance import (
    BROW_SHADE,
    COLOR_ATTRIBUTE,
    DEFAULT_SKIN_COLOR,
    HAIR_WORN_PROPERTY,
    LIP_BLOOD,
    LIP_SHADE,
    REST_ATTRIBUTE,
    SCALP_COLOR_PROPERTY,
    SKIN_ATTRIBUTE,
    SKIN_COLOR_PROPERTY,
    TISSUE_ATTRIBUTE,
)
from .eye_shader import EyeShader
from .skin_traits import TRAITS_PROPERTY
from .wrinkles import WRINKLE_ATTRIBUTE

GROUP_NAME = "FaceTalk Surface"
EYE_GROUP_NAME = "FaceTalk Eye"  # a group in it
SURFACE, SURFACE_IN_EEVEE = "Surface", "Surface in EEVEE"  # outputs of the group
SKIN_SUBSURFACE = {
    "Subsurface Weight": 0.6,
    "Subsurface Radius": (1.0, 0.32, 0.16),  # relative distances of red, green and blue light in skin
    "Subsurface Scale": 0.005,  # metres
}
# Wide enough to gather light that falls on lips and cheeks: the mouth is no black hole behind lips that shade it.
MOUTH_SUBSURFACE = {"Subsurface Weight": 1.0, "Subsurface Radius": (1.0, 0.75, 0.65), "Subsurface Scale": 0.04}
PAPILLAE, ENAMEL_WAVES = 1100.0, 260.0  # cells a metre
# Light from behind comes through the ears: where, and how much of what falls on them.
EARS = (((0.088, 0.060, 0.004), 0.034, 1.0),)
EAR_LIGHT, EAR_TINT = 0.28, (1.0, 0.22, 0.12)
# Where blood shows: centre (the right side mirrors the left) and radius on the head at rest, metres, and strength.
FLUSHES = (
    ((0.046, -0.034, -0.020), 0.036, 0.75),  # cheeks
    ((0.0, -0.069, -0.012), 0.024, 0.7),  # tip of the nose
    ((0.088, 0.060, 0.004), 0.036, 0.9),  # ears
    ((0.0, -0.038, -0.097), 0.024, 0.35),  # chin
    ((0.018, -0.030, 0.016), 0.012, 0.5),  # inner corners of the eyes
)
SHADE_UNDER_EYES = ((0.030, -0.034, 0.004), 0.017, 0.5)
FRECKLES = (((0.018, -0.050, -0.006), 0.042, 1.0),)
FRECKLED = (0.60, 0.70)  # of the mottling, between which a freckle begins and is whole
FRECKLE_TINT = (0.62, 0.42, 0.30)
MAKEUP_ON_LIDS = ((0.031, -0.034, 0.026), 0.014, 0.9)
LID_SHADOW, LIPSTICK = (0.50, 0.36, 0.36), (0.30, 0.025, 0.04)
FLUSH_TINT = (1.06, 0.66, 0.60)
SHADE_TINT = (0.80, 0.70, 0.74)
STUBBLE_TINT = (0.36, 0.36, 0.40)
# What EEVEE does not shade by itself: how far away, in metres, surfaces take light, and the open shares between which
# it goes from none of the shade to all of it.
SHADE_DISTANCE = 0.03
SHADE_RANGE = (0.66, 0.12)
# Wrinkles: turns from the middle of one to its edge; how deep they are in the bumps of the skin; how much of FOLD_TINT
# their bottom has, where light hardly comes.
FOLD_WIDTH = 0.24
FOLD_HEIGHT = 1.9
FOLD_SHADE, FOLD_TINT = 0.75, (0.62, 0.44, 0.40)
# Shaved hair grows where up + HAIRLINE_SLOPE * back exceeds HAIRLINE, metres.
HAIRLINE, HAIRLINE_SLOPE = 0.062, 0.9


def surface_group_pieces() -> Iterator[None]:
    """Make the node group in pieces; one in the file is used as it is, so that an artist's changes to it stay."""
    if GROUP_NAME not in bpy.data.node_groups:
        # Every node that is added costs as much as there are already: two groups take half the time of one.
        yield from _group_pieces(EYE_GROUP_NAME, (SURFACE,), _plan_eye)
        yield from _group_pieces(GROUP_NAME, (SURFACE, SURFACE_IN_EEVEE), lambda nodes: _Surface(nodes).plan())


def _group_pieces(name: str, outputs: tuple[str, ...], plan: Callable[[ShaderNodes], None]) -> Iterator[None]:
    if name in bpy.data.node_groups:
        return
    unfinished = f"{name} (Unfinished)"
    leftover = bpy.data.node_groups.get(unfinished)
    if leftover is not None:
        bpy.data.node_groups.remove(leftover)
    tree = bpy.data.node_groups.new(unfinished, "ShaderNodeTree")
    for output in outputs:
        tree.interface.new_socket(output, in_out="OUTPUT", socket_type="NodeSocketShader")
    session_uid = tree.session_uid
    nodes = ShaderNodes()
    plan(nodes)
    yield
    yield from nodes.pieces(session_uid)
    resolve(bpy.data.node_groups, session_uid).name = name


def _plan_eye(nodes: ShaderNodes) -> None:
    nodes.add("NodeGroupOutput", {0: EyeShader(nodes).plan()})


class _Surface:
    """Plans the group: one shader for each of skin, lips, mouth and eyes, mixed by the weights.

    Cycles leaves out a shader of which nothing is shown, with all nodes that it alone needs. It also evaluates the
    place where light leaves the skin only if the subsurface has a bumped normal, so the bumps are the coat's.
    """

    def __init__(self, nodes: ShaderNodes):
        self._n = nodes
        self._skin, self._lips, self._brows = nodes.split(nodes.attribute(SKIN_ATTRIBUTE, "Vector"))
        self._ball, self._teeth, self._flesh = nodes.split(nodes.attribute(TISSUE_ATTRIBUTE, "Vector"))
        self._region_color = nodes.attribute(COLOR_ATTRIBUTE, "Color")
        self._rest = nodes.attribute(REST_ATTRIBUTE, "Vector")
        # Noise lies in a lattice that is seen where it runs with the picture; no view is along this one.
        tilt = nodes.vector_math("CROSS_PRODUCT", self._rest, (0.5, 0.35, 0.6))
        self._grain = nodes.vector_math("ADD", self._rest, tilt)
        x, y, z = nodes.split(self._rest)
        self._mirrored = nodes.join(nodes.math("ABSOLUTE", x), y, z)
        self._pores = nodes.noise(self._grain, 1300.0, 0.0)
        self._skin_detail = nodes.number("Skin Detail", 0.4)
        self._hollow, self._tension = self._folds()
        self._covered, self._scalp_color = self._under_hair(y, z)
        traits = nodes.add(
            "ShaderNodeAttribute", output="Vector", attribute_type="OBJECT", attribute_name=TRAITS_PROPERTY
        )
        self._redness, self._freckles, self._makeup = nodes.split(traits)
        worn = nodes.add(
            "ShaderNodeAttribute", output="Fac", attribute_type="OBJECT", attribute_name=HAIR_WORN_PROPERTY
        )
        bare = nodes.math("SUBTRACT", 1.0, worn)
        self._painted_hair = nodes.math("MULTIPLY", nodes.number("Painted Hair", 1.0), bare)

    def plan(self) -> None:
        n = self._n
        skin = n.object_color(SKIN_COLOR_PROPERTY, "Skin Color", DEFAULT_SKIN_COLOR)
        face = n.mix_shader(n.step(self._lips, 0.1, 0.9), self._skin_shader(skin), self._lip_shader(skin))
        head = n.mix_shader(n.step(n.math("ADD", self._skin, self._lips), 0.0, 1.0), self._mouth_shader(), face)
        shown = n.mix_shader(n.step(self._ball, 0.38, 0.62), head, n.group(EYE_GROUP_NAME))
        n.add("NodeGroupOutput", {0: shown, 1: self._in_its_own_shade(shown)})

    def _folds(self) -> tuple[Socket, Socket]:
        """How near a point lies to the bottom of a deep wrinkle, 0..1, and the skin's tension."""
        n = self._n
        depth, place, tension = n.split(n.attribute(WRINKLE_ATTRIBUTE, "Vector"))
        away = n.math("PINGPONG", place, 0.5)  # turns to the next fold
        return n.math("MULTIPLY", n.step(away, FOLD_WIDTH, 0.0), depth), tension

    def _in_its_own_shade(self, shown: Socket) -> Socket:
        """Dark where the head hides the surroundings, whose light reaches mouth and nostrils in EEVEE."""
        n = self._n
        open_share = n.add("ShaderNodeAmbientOcclusion", {"Distance": SHADE_DISTANCE}, "AO", samples=16)
        shade = n.math("MULTIPLY", n.step(open_share, *SHADE_RANGE), n.number("Shade in EEVEE", 0.92))
        return n.add("ShaderNodeMixShader", {0: shade, 1: shown})

    def _wet(self, color: Socket, roughness: Value, **more: Value) -> Socket:
        """What lies under a clear coat: the coat alone shines, one reflection less to compute."""
        inputs = {"Base Color": color, "Specular IOR Level": 0.0, "Coat Weight": 1.0, "Coat Roughness": roughness}
        # Burley's method looks the same from a portrait's distance and takes a fifth of the time of a random walk.
        return self._n.add("ShaderNodeBsdfPrincipled", inputs | more, subsurface_method="BURLEY")

    def _skin_shader(self, skin: Socket) -> Socket:
        n = self._n
        color = n.mix(self._brow_hair(), self._skin_color(skin), n.mix(1.0, skin, BROW_SHADE, "MULTIPLY"))
        roughness = n.math("MULTIPLY_ADD", self._pores, 0.25, 0.355)
        height = n.math("MULTIPLY_ADD", self._hollow, -FOLD_HEIGHT, n.noise(self._grain, 720.0, 0.0))
        bumps = self._bumps(height)
        color = n.mix(n.math("MULTIPLY", self._hollow, FOLD_SHADE), color, n.mix(1.0, color, FOLD_TINT, "MULTIPLY"))
        matt = n.math("SUBTRACT", 1.0, self._covered)
        below = SKIN_SUBSURFACE | {"Subsurface Weight": n.math("MULTIPLY", matt, SKIN_SUBSURFACE["Subsurface Weight"])}
        shown = self._wet(color, roughness, **{"Coat Normal": bumps, "Coat Weight": matt}, **below)
        ears = n.math("MULTIPLY", self._spots(self._mirrored, EARS), EAR_LIGHT)
        through = n.add("ShaderNodeBsdfTranslucent", {0: n.mix(1.0, color, EAR_TINT, "MULTIPLY")})
        return n.mix_shader(ears, shown, through)

    def _lip_shader(self, skin: Socket) -> Socket:
        bumps = self._bumps(self._n.noise(self._creases(), 900.0, 1.0))
        return self._wet(self._lip_color(skin), 0.21, **{"Coat Normal": bumps, "Coat IOR": 1.6}, **SKIN_SUBSURFACE)

    def _mouth_shader(self) -> Socket:
        """Teeth, gums, tongue and the dark of the mouth."""
        n = self._n
        roughness = n.weighted((self._teeth, -0.26), (self._flesh, -0.18), base=0.36)
        # Papillae of the tongue and the grain of gums; enamel is smooth but for slight waves, which break its mirror.
        papillae = n.math("MULTIPLY", n.noise(self._grain, PAPILLAE, 0.0), self._flesh)
        waves = n.noise(self._grain, ENAMEL_WAVES, 0.0)
        bumps = self._bumps(n.math("MULTIPLY_ADD", papillae, 1.6, waves))
        grain = n.math("MULTIPLY_ADD", n.math("SUBTRACT", papillae, n.math("MULTIPLY", self._flesh, 0.5)), 0.9, 1.0)
        color = n.mix(1.0, self._region_color, n.join(grain, grain, grain), "MULTIPLY")
        return self._wet(color, roughness, **{"Coat Normal": bumps}, **MOUTH_SUBSURFACE)

    def _bumps(self, height: Socket) -> Socket:
        return self._n.add("ShaderNodeBump", {"Distance": 0.0006, "Strength": self._skin_detail, "Height": height})

    def _skin_color(self, skin: Socket) -> Socket:
        """Skin with blood under it, shade under the eyes, shaved hair on the scalp and a fine mottling."""
        n = self._n
        mirrored, (_, y, z) = self._mirrored, n.split(self._rest)
        uneven = n.step(n.noise(self._grain, 38.0, 0.0), 0.25, 0.75)
        blood = n.math("MULTIPLY", n.math("ADD", self._redness, 1.0), n.number("Flush", 1.0))
        flush = n.math("MULTIPLY", blood, self._spots(mirrored, FLUSHES))
        color = n.mix(
            n.math("MULTIPLY", flush, n.math("MULTIPLY_ADD", uneven, 0.6, 0.4)),
            skin,
            n.mix(1.0, skin, FLUSH_TINT, "MULTIPLY"),
        )
        color = n.mix(self._spots(mirrored, (SHADE_UNDER_EYES,)), color, n.mix(1.0, color, SHADE_TINT, "MULTIPLY"))
        color = n.mix(self._stubble(y, z, uneven), color, n.mix(1.0, color, STUBBLE_TINT, "MULTIPLY"))
        color = n.mix(self._covered, color, self._scalp_color)
        noise = n.noise(self._grain, 190.0, 1.0)
        color = n.mix(self._on_lids(mirrored), color, n.mix(1.0, color, LID_SHADOW, "MULTIPLY"))
        speckled = n.math("MULTIPLY", n.step(noise, *FRECKLED), self._spots(mirrored, FRECKLES))
        speckled = n.math("MULTIPLY", speckled, self._freckles)
        color = n.mix(speckled, color, n.mix(1.0, color, FRECKLE_TINT, "MULTIPLY"))
        mottling = n.math("MULTIPLY_ADD", noise, 0.30, 0.85)
        return n.mix(1.0, color, n.join(mottling, n.math("MULTIPLY_ADD", noise, 0.44, 0.78), mottling), "MULTIPLY")

    def _on_lids(self, mirrored: Socket) -> Socket:
        return self._n.math("MULTIPLY", self._spots(mirrored, (MAKEUP_ON_LIDS,)), self._makeup)

    def _spots(self, position: Socket, spots: tuple) -> Socket:
        """The strongest of soft round spots."""
        n = self._n
        strongest = None
        for centre, radius, strength in spots:
            distance = n.vector_math("DISTANCE", position, centre, output="Value")
            spot = n.add("ShaderNodeMapRange", dict(enumerate((distance, 0.1 * radius, radius, strength, 0.0))))
            strongest = spot if strongest is None else n.math("MAXIMUM", strongest, spot)
        return strongest

    def _stubble(self, back: Socket, up: Socket, uneven: Socket) -> Socket:
        n = self._n
        place = n.math("MULTIPLY_ADD", back, HAIRLINE_SLOPE, up)
        scalp = n.step(n.math("MULTIPLY_ADD", uneven, 0.006, place), HAIRLINE - 0.006, HAIRLINE + 0.012)
        dots = n.math("MULTIPLY_ADD", n.step(self._pores, 0.62, 0.42), 0.5, 0.5)
        return n.math(
            "MULTIPLY",
            n.math("MULTIPLY", scalp, dots),
            n.math("MULTIPLY", n.number("Scalp Stubble", 0.75), self._painted_hair),
        )

    def _under_hair(self, back: Socket, up: Socket) -> tuple[Socket, Socket]:
        """How far the scalp has the colour of the hair that grows on it, and that: it shows between strands."""
        n = self._n
        under = n.add("ShaderNodeAttribute", attribute_type="OBJECT", attribute_name=SCALP_COLOR_PROPERTY)
        # Strands set in singly and in tufts: an even edge would be that of a cap.
        place = n.math(
            "MULTIPLY_ADD", n.noise(self._grain, 70.0, 0.0), 0.024, n.math("MULTIPLY_ADD", back, HAIRLINE_SLOPE, up)
        )
        place = n.math("MULTIPLY_ADD", self._pores, 0.024, place)
        scalp = n.step(place, HAIRLINE + 0.026, HAIRLINE + 0.050)
        return n.math("MULTIPLY", scalp, Socket(under.node, "Alpha")), Socket(under.node, "Color")

    def _lip_color(self, skin: Socket) -> Socket:
        n = self._n
        shade = n.math("MULTIPLY_ADD", n.noise(self._creases(), 420.0, 1.0), 0.5, 0.75)
        color = n.mix(1.0, n.mix(1.0, skin, LIP_SHADE, "MULTIPLY"), LIP_BLOOD, "ADD")
        # Lips that are drawn or pressed are paler: blood leaves them.
        pale = n.math("MULTIPLY", n.step(self._tension, 0.12, 0.5), 0.3)
        color = n.mix(pale, color, n.mix(1.0, skin, (1.0, 0.86, 0.82), "MULTIPLY"))
        color = n.mix(n.math("MULTIPLY", self._hollow, FOLD_SHADE), color, n.mix(1.0, color, FOLD_TINT, "MULTIPLY"))
        color = n.mix(n.math("MULTIPLY", self._makeup, 0.8), color, LIPSTICK)
        return n.mix(1.0, color, n.join(shade, shade, shade), "MULTIPLY")

    def _creases(self) -> Socket:
        """Positions squeezed along the height, so that noise on them runs across the lips."""
        return self._n.vector_math("MULTIPLY", self._rest, (1.0, 0.25, 0.18))

    def _brow_hair(self) -> Socket:
        """Brows as strands: soft at their border, denser inside."""
        n = self._n
        strands = n.noise(n.vector_math("MULTIPLY", self._rest, (1.0, 1.0, 0.4)), 1500.0, 0.0)
        density = n.math("MULTIPLY_ADD", n.math("SUBTRACT", strands, 0.5), 1.7, self._brows)
        # Where there are no brows at all the strands' noise must not make specks.
        shown = n.math("MULTIPLY", n.step(self._brows, 0.02, 0.15), n.math("MULTIPLY", self._painted_hair, 0.92))
        return n.math("MULTIPLY", n.step(density, 0.2, 0.8), shown)
