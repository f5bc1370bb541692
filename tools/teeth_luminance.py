"""Measure how light upper teeth are against skin, at every light rig.

    python tools/teeth_luminance.py [--size 240] [--samples 8] [--light portrait]

Renders a close-up of "ee" in Cycles, and which pixels show teeth and skin; prints the mean luminance of the teeth over
that of the skin around the mouth, for each rig. Needs an interpreter with bpy and the engine's packages (`make setup`).
"""

from __future__ import annotations

import argparse

import bpy
import numpy as np
from gallery import EXPRESSIONS, WEIGHT_NAMES
from studio import add_head, appearance, engine, part, rendered, shapes

stage, lighting = part("facetalk_blender.look.stage"), part("facetalk_blender.look.lighting")
compat, video = part("facetalk_blender.compat"), part("facetalk_blender.unattended.video")

EE = EXPRESSIONS[2]
LUMINANCE = np.array((0.2126, 0.7152, 0.0722), np.float32)
LENS = 320.0  # mm: the mouth fills the picture
WITHIN = 0.022  # metres from the middle of the mouth, sideways and upwards: upper teeth and skin that are compared
SKIN_WITHIN = 0.05


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=240, help="pixels a side")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--light", choices=[name.lower() for name in lighting.RIGS], action="append")
    options = parser.parse_args()
    with engine() as client:
        template, positions = shapes(client, "mean")
    for light in options.light or [name.lower() for name in lighting.RIGS]:
        ratio, teeth, skin = measure(template, positions, light.upper(), options.size, options.samples)
        print(f"{light}: teeth {teeth:.3f}, skin {skin:.3f}, ratio {ratio:.2f}", flush=True)


def measure(template, positions: np.ndarray, light: str, size: int, samples: int) -> tuple[float, float, float]:
    """Luminance of teeth over skin, of teeth, and of skin, at "ee" under a rig."""
    scene, head = _scene(template, positions, light)
    video.set_up(scene, "cycles", (size, size), samples)
    picture = _linear(scene) @ LUMINANCE
    shown = _regions(scene, head)
    teeth, skin = (float(picture[shown[..., channel] > 0.9].mean()) for channel in (0, 1))
    return teeth / skin, teeth, skin


def _scene(template, positions: np.ndarray, light: str) -> tuple[bpy.types.Scene, bpy.types.Object]:
    neutral = template.arrays["vertices"]
    amounts = np.array([EE.get(name, 0.0) for name in WEIGHT_NAMES], np.float32)
    head = add_head(template, neutral + np.tensordot(amounts, positions - neutral, 1))
    scene = bpy.context.scene
    names = appearance.Regions.of_message(template.fields, template.arrays).names
    teeth = template.arrays["regions"][:, names.index("teeth")] > 127
    camera = stage.add_stage(scene, neutral, 1.0, stage.StageChoice(light=light))
    lips = neutral[template.arrays["regions"][:, names.index("lips")] > 127]
    middle = lips.mean(0)
    camera.location, camera.rotation_euler = middle - (0.0, 0.75, 0.0), (np.pi / 2, 0.0, 0.0)
    camera.data.lens = LENS
    _mark(head, template.arrays["rest"], teeth, middle)
    return scene, head


def _mark(head: bpy.types.Object, rest: np.ndarray, teeth: np.ndarray, middle: np.ndarray) -> None:
    """Store which points count: red on front upper teeth, green on skin around the mouth."""
    away = np.abs(rest - middle)
    skin = np.empty((len(rest), 3), np.float32)
    head.data.attributes[appearance.SKIN_ATTRIBUTE].data.foreach_get("vector", skin.ravel())
    marks = np.zeros((len(rest), 4), np.float32)
    marks[:, 0] = teeth & (away[:, 0] < WITHIN) & (rest[:, 2] > np.median(rest[teeth, 2]))
    marks[:, 1] = (skin[:, 0] > 0.9) & (away[:, [0, 2]].max(1) < SKIN_WITHIN)
    head.data.attributes.new("marks", "FLOAT_COLOR", "POINT").data.foreach_set("color", marks.ravel())


def _regions(scene: bpy.types.Scene, head: bpy.types.Object) -> np.ndarray:
    """Picture (H, W, 3) of the marks."""
    shown = bpy.data.materials.new("Marks")
    tree = compat.use_nodes(shown)
    tree.nodes.clear()
    attribute, emission = tree.nodes.new("ShaderNodeAttribute"), tree.nodes.new("ShaderNodeEmission")
    attribute.attribute_name = "marks"
    tree.links.new(attribute.outputs["Color"], emission.inputs["Color"])
    tree.links.new(emission.outputs[0], tree.nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])
    for slot in head.material_slots:
        slot.material = shown
    scene.cycles.samples, scene.cycles.use_denoising = 4, False
    return _linear(scene)


def _linear(scene: bpy.types.Scene) -> np.ndarray:
    """Linear picture (H, W, 3), its first row the lowest."""
    compat.set_image_output(scene.render.image_settings)
    scene.render.image_settings.file_format = "OPEN_EXR"
    return rendered(scene)


if __name__ == "__main__":
    main()
