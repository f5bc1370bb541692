"""Light rigs and backdrops of the stage: what they are made of."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from .. import compat
from ..blender_data.nodes import add_node
from .appearance import Color

BACKDROP_NAME = "FaceTalk Backdrop"
RIM_SHINE = 0.25
CENTRE, EDGE, AMBIENT = "Centre", "Edge", "Ambient"  # nodes of the backdrop's world


@dataclass(frozen=True)
class Light:
    """One area light: where it stands as seen from the face (metres; y is away from it), size, power, colour.

    shine: share of its highlights. EEVEE draws those of light from behind as white grains on skin and hair; Cycles does
    not, and has all of them whatever this says.
    """

    name: str
    position: tuple[float, float, float]
    size: float
    watts: float
    color: Color
    shine: float = 1.0


@dataclass(frozen=True)
class Rig:
    """Lights, and the even light from all around."""

    name: str
    description: str
    lights: tuple[Light, Light, Light]
    ambient: Color


RIGS = {
    "PORTRAIT": Rig(
        "Portrait",
        "A soft key light from the side, a weak fill and a rim light",
        (
            Light("FaceTalk Key", (-0.7, -0.85, 0.55), 0.7, 19.0, (1.0, 0.93, 0.85)),
            Light("FaceTalk Fill", (1.1, -0.9, 0.05), 1.2, 3.5, (0.84, 0.91, 1.0)),
            Light("FaceTalk Rim", (0.6, 0.75, 0.55), 0.4, 20.0, (0.88, 0.94, 1.0), RIM_SHINE),
        ),
        (0.09, 0.095, 0.105),
    ),
    "DAYLIGHT": Rig(
        "Daylight",
        "The even light of a large window, and of the sky",
        (
            Light("FaceTalk Key", (-1.1, -0.75, 0.5), 1.2, 27.0, (0.95, 0.97, 1.0)),
            Light("FaceTalk Fill", (1.1, -0.8, -0.1), 1.5, 3.5, (1.0, 0.96, 0.9)),
            Light("FaceTalk Rim", (0.5, 0.8, 0.75), 0.6, 12.0, (1.0, 0.97, 0.92), RIM_SHINE),
        ),
        (0.12, 0.135, 0.16),
    ),
    "DRAMATIC": Rig(
        "Dramatic",
        "A small warm light from the side, and a cold edge",
        (
            Light("FaceTalk Key", (-0.95, -0.42, 0.45), 0.3, 21.0, (1.0, 0.87, 0.73)),
            Light("FaceTalk Fill", (1.0, -0.9, 0.1), 1.0, 0.7, (0.7, 0.82, 1.0)),
            Light("FaceTalk Rim", (0.75, 0.6, 0.45), 0.3, 26.0, (0.74, 0.86, 1.0), RIM_SHINE),
        ),
        (0.018, 0.02, 0.024),
    ),
}
# Name, description and linear colours in the middle and at the edge.
BACKDROPS: dict[str, tuple[str, str, Color, Color]] = {
    "DARK": ("Dark", "A dark grey, a little lighter behind the head", (0.085, 0.09, 0.1), (0.012, 0.013, 0.015)),
    "LIGHT": ("Light", "A light grey, as a wall behind the head", (0.62, 0.64, 0.66), (0.30, 0.315, 0.335)),
}


def backdrop(rig: str, shown: str) -> bpy.types.World:
    """A new world: a gradient behind the head, and the rig's even light from all around."""
    world = bpy.data.worlds.new(BACKDROP_NAME)
    tree = compat.use_nodes(world)
    tree.nodes.clear()
    window = add_node(tree, "ShaderNodeTexCoord").outputs["Window"]
    offset = add_node(tree, "ShaderNodeVectorMath", window, (-0.5, -0.45, 0.0)).outputs[0]
    gradient = add_node(tree, "ShaderNodeTexGradient", offset, gradient_type="SPHERICAL").outputs["Fac"]
    share = add_node(tree, "ShaderNodeMapRange", gradient, 0.25, 1.0, 0.0, 1.0).outputs[0]
    edge, centre = (add_node(tree, "ShaderNodeRGB", name=name, label=name).outputs[0] for name in (EDGE, CENTRE))
    mix = add_node(tree, "ShaderNodeMix", data_type="RGBA")
    sockets = [socket for socket in mix.inputs if socket.enabled]
    for source, socket in zip((share, edge, centre), sockets, strict=True):
        tree.links.new(source, socket)
    color = next(socket for socket in mix.outputs if socket.enabled)
    ambient = add_node(tree, "ShaderNodeBackground", name=AMBIENT, label=AMBIENT).outputs[0]
    seen = add_node(tree, "ShaderNodeBackground", color).outputs[0]
    ray = add_node(tree, "ShaderNodeLightPath").outputs["Is Camera Ray"]
    add_node(tree, "ShaderNodeOutputWorld", add_node(tree, "ShaderNodeMixShader", ray, ambient, seen).outputs[0])
    set_backdrop(world, rig, shown)
    return world


def set_backdrop(world: bpy.types.World, rig: str, shown: str) -> None:
    """Give a world of ours another rig's light and another look; one that an artist has rebuilt stays as it is."""
    nodes = world.node_tree.nodes if world.node_tree is not None else {}
    if not all(name in nodes for name in (CENTRE, EDGE, AMBIENT)):
        return
    _, _, centre, edge = BACKDROPS[shown]
    for name, color in ((CENTRE, centre), (EDGE, edge)):
        nodes[name].outputs[0].default_value = (*color, 1.0)
    nodes[AMBIENT].inputs["Color"].default_value = (*RIGS[rig].ambient, 1.0)
