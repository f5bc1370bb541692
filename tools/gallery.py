"""Render docs/images/gallery.jpg: six heads, fourteen expressions each.

    python tools/gallery.py [--output docs/images/gallery.jpg] [--tile 150] [--samples 8]

Needs an interpreter with bpy and the engine's packages (`make setup`). Rows are HEADS, columns EXPRESSIONS.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy
import numpy as np
from studio import ROOT, add_head, appearance, engine, part, rendered, save_jpeg, shapes

stage, video = part("facetalk_blender.look.stage"), part("facetalk_blender.unattended.video")
presets, compat = part("facetalk_blender.settings.head").PRESETS, part("facetalk_blender.compat")
join_identity = part("engine.shared.identity_text").join_identity
WEIGHT_NAMES = part("engine.shared.weights").WEIGHT_NAMES

ZOOM = 1.2  # into the close-up: the face fills the tile
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
    rows = []
    with engine() as client:
        for number, (identity, skin, eyes) in enumerate(HEADS):
            template, positions = shapes(client, identity)
            rows.append(_row(template, positions, (skin, eyes), options.tile, options.samples))
            print(f"Head {number + 1} of {len(HEADS)}: {identity}", flush=True)
    save_jpeg(np.concatenate(rows[::-1]), options.output)


def _row(template, positions: np.ndarray, colors: tuple, tile: int, samples: int) -> np.ndarray:
    """Pictures (tile, columns * tile, 3) of one head, the first row the lowest."""
    neutral = template.arrays["vertices"]
    head = add_head(template, neutral, colors)
    scene = bpy.context.scene
    stage.add_stage(scene, neutral, choice=stage.StageChoice(framing="CLOSE_UP")).data.lens *= ZOOM
    video.set_up(scene, "cycles", (tile, tile), samples)
    compat.set_image_output(scene.render.image_settings)
    tiles = []
    for weights in EXPRESSIONS:
        amounts = np.array([weights.get(name, 0.0) for name in WEIGHT_NAMES], np.float32)
        posed = neutral + np.tensordot(amounts, positions - neutral, 1)
        head.data.attributes["position"].data.foreach_set("vector", np.ascontiguousarray(posed, np.float32).ravel())
        head.data.update()
        tiles.append(rendered(scene))
    return np.concatenate(tiles, 1)


if __name__ == "__main__":
    main()
