"""Render docs/images/gallery.jpg: six heads, fourteen expressions each.

    python tools/gallery.py [--output docs/images/gallery.jpg] [--tile 150] [--samples 8]

Needs an interpreter with bpy and the engine's packages (`make setup`). Rows are HEADS, columns EXPRESSIONS.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import types
from pathlib import Path

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
package = sys.modules["facetalk_extension"] = types.ModuleType("facetalk_extension")
package.__path__ = [str(ROOT)]


def _part(name: str) -> types.ModuleType:
    return importlib.import_module(f"facetalk_extension.{name}")


appearance, material, stage = (_part(f"facetalk_blender.look.{name}") for name in ("appearance", "material", "stage"))
mesh_building = _part("facetalk_blender.blender_data.mesh_building")
presets, video = _part("facetalk_blender.settings.head").PRESETS, _part("facetalk_blender.unattended.video")
EngineClient = _part("facetalk_blender.engine_access.client").EngineClient
compat, join_identity = _part("facetalk_blender.compat"), _part("engine.shared.identity_text").join_identity
WEIGHT_NAMES = _part("engine.shared.weights").WEIGHT_NAMES

ZOOM = 1.2  # into the stage's portrait: the face fills the tile
# Identity, linear skin colour, linear eye colour.
HEADS = (
    ("mean", appearance.DEFAULT_SKIN_COLOR, appearance.DEFAULT_EYE_COLOR),
    ("random:8", (0.170, 0.078, 0.044), (0.035, 0.016, 0.008)),
    (join_identity("mean", presets["Delicate"]), (0.640, 0.375, 0.275), (0.080, 0.110, 0.045)),
    (join_identity("mean", presets["Strong Jaw"]), (0.430, 0.215, 0.125), (0.070, 0.036, 0.014)),
    ("random:27", (0.680, 0.420, 0.340), (0.060, 0.120, 0.210)),
    (join_identity("random:4", {"lip_fullness": 1.0, "nose_width": 0.8}), (0.085, 0.036, 0.022), (0.022, 0.010, 0.006)),
)


def _both(name: str, value: float) -> dict[str, float]:
    return {f"{name}Left": value, f"{name}Right": value}


EXPRESSIONS: tuple[dict[str, float], ...] = (
    {},
    {"jawOpen": 0.75},  # ah
    {"jawOpen": 0.2, **_both("mouthStretch", 0.5), **_both("mouthSmile", 0.3), **_both("mouthUpperUp", 0.35)},  # ee
    {"jawOpen": 0.25, "mouthFunnel": 0.55, "mouthPucker": 0.6},  # oo
    {"mouthRollLower": 0.25, "mouthRollUpper": 0.2, **_both("mouthPress", 0.5)},  # m
    {"jawOpen": 0.12, "mouthRollLower": 0.55, **_both("mouthUpperUp", 0.4)},  # f
    {"jawOpen": 0.2, "tongueForward": 1.0, **_both("mouthUpperUp", 0.25), **_both("mouthLowerDown", 0.3)},  # th
    {"jawOpen": 0.5, "tongueOut": 0.9},
    {**_both("mouthSmile", 0.9), **_both("cheekSquint", 0.6), **_both("eyeSquint", 0.4), "jawOpen": 0.1},
    {"browInnerUp": 0.9, **_both("mouthFrown", 0.8), "mouthShrugLower": 0.4, **_both("eyeLookDown", 0.4)},
    {**_both("browDown", 0.9), **_both("noseSneer", 0.6), **_both("mouthPress", 0.6), **_both("eyeSquint", 0.5)},
    {"jawOpen": 0.5, "browInnerUp": 0.8, **_both("browOuterUp", 0.8), **_both("eyeWide", 0.8)},
    {**_both("eyeBlink", 1.0)},
    {"mouthSmileLeft": 0.7, "eyeLookOutLeft": 0.7, "eyeLookInRight": 0.7, "browOuterUpLeft": 0.6},
)


def main() -> None:
    """Render every tile and join them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images" / "gallery.jpg")
    parser.add_argument("--tile", type=int, default=150, help="pixels a side")
    parser.add_argument("--samples", type=int, default=8)
    options = parser.parse_args()
    client = EngineClient(sys.executable, ROOT)
    client.start()
    try:
        rows = []
        for number, (identity, skin, eyes) in enumerate(HEADS):
            template, positions = _shapes(client, identity)
            rows.append(_row(template, positions, (skin, eyes), options.tile, options.samples))
            print(f"Head {number + 1} of {len(HEADS)}: {identity}", flush=True)
    finally:
        client.stop()
    _save(np.concatenate(rows), options.output)


def _shapes(client: EngineClient, identity: str) -> tuple[object, np.ndarray]:
    """The template message of an identity, and the positions (57, V, 3) of every weight at one."""
    number = client.request("arkit_shapes", {"bundle": "starter", "device": "cpu", "identity": identity})
    template, positions = None, []
    while True:
        message = client.wait(1.0)
        if message is None or message.request != number:
            continue
        if message.kind == "error":
            raise SystemExit(message.fields["message"])
        if message.kind == "template":
            template = message
        elif message.kind == "positions":
            positions.append(message.arrays["vertices"])
        elif message.kind == "done":
            return template, np.array(positions)


def _row(template, positions: np.ndarray, colors: tuple, tile: int, samples: int) -> np.ndarray:
    """Pictures (tile, columns * tile, 3) of one head."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    neutral, polygons = template.arrays["vertices"], template.arrays["polygons"]
    head = bpy.data.objects.new("Head", bpy.data.meshes.new("Head"))
    scene.collection.objects.link(head)
    appearance.set_colors(head, *colors)
    mesh_building.fill_mesh(head.data, neutral, polygons)
    regions = appearance.Regions.of_message(template.fields, template.arrays)
    material.dress_mesh(head.data, appearance.Look.of(regions, polygons, colors))
    stage.add_stage(scene, neutral).data.lens *= ZOOM
    video.set_up(scene, "cycles", (tile, tile), samples)
    compat.set_image_output(scene.render.image_settings)
    tiles = []
    for weights in EXPRESSIONS:
        amounts = np.array([weights.get(name, 0.0) for name in WEIGHT_NAMES], np.float32)
        posed = neutral + np.tensordot(amounts, positions - neutral, 1)
        head.data.attributes["position"].data.foreach_set("vector", np.ascontiguousarray(posed, np.float32).ravel())
        head.data.update()
        tiles.append(_render(scene))
    return np.concatenate(tiles, 1)


def _render(scene: bpy.types.Scene) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder, "tile.png"))
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(scene.render.filepath)
        width, height = image.size
        pixels = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(pixels)
        bpy.data.images.remove(image)
        return pixels.reshape(height, width, 4)[::-1, :, :3]


def _save(picture: np.ndarray, path: Path) -> None:
    height, width, _ = picture.shape
    image = bpy.data.images.new("Gallery", width, height)
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = picture[::-1]
    image.pixels.foreach_set(pixels.ravel())
    image.file_format = "JPEG"
    image.save(filepath=str(path), quality=88)


if __name__ == "__main__":
    main()
