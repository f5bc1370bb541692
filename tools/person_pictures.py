"""Render the pictures of the persons: facetalk_blender/person/pictures/NAME.jpg, and sheets to judge them by.

    python tools/person_pictures.py [--tile 192] [--samples 24] [--sheet docs/images/persons.jpg] [NAME ...]
    python tools/person_pictures.py --expressions docs/images/expressions.jpg --tile 150 --samples 10
    python tools/person_pictures.py --close-ups close-ups.jpg --tile 160 Anna Kofi

The second renders every person's EXPRESSIONS, the third CLOSE_UPS from front, three quarters and profile. Needs an
interpreter with bpy and the engine's packages (`make setup`). Heads of fixed topology, Cycles.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector
from studio import add_head, answers, engine, part, pixels, rendered, save_jpeg, shapes

stage, face_detail, skin_traits = (
    part(f"facetalk_blender.look.{name}") for name in ("stage", "face_detail", "skin_traits")
)
table, worn = part("facetalk_blender.person.persons"), part("facetalk_blender.hair.worn")
compat, video = part("facetalk_blender.compat"), part("facetalk_blender.unattended.video")
join_identity = part("engine.shared.identity_text").join_identity
WEIGHT_NAMES = part("engine.shared.weights").WEIGHT_NAMES
COLUMNS = 4
STRANDS_OF = 5  # small tiles have the strands of pictures so many times larger


def _both(**weights: float) -> dict[str, float]:
    return {f"{name}{side}": value for name, value in weights.items() for side in ("Left", "Right")}


EE = {"jawOpen": 0.2, **_both(mouthStretch=0.5, mouthSmile=0.3, mouthUpperUp=0.35)}
PRESSED = {"mouthRollLower": 0.25, "mouthRollUpper": 0.2, **_both(mouthPress=0.5)}
EXPRESSIONS: dict[str, dict[str, float]] = {
    "neutral": {},
    "joy": {"jawOpen": 0.1, **_both(mouthSmile=0.9, cheekSquint=0.6, eyeSquint=0.35)},
    "anger": _both(browDown=0.9, noseSneer=0.55, mouthPress=0.6, eyeSquint=0.5),
    "sadness": {"browInnerUp": 0.9, "mouthShrugLower": 0.4, **_both(mouthFrown=0.8, eyeLookDown=0.35)},
    "surprise": {"jawOpen": 0.5, "browInnerUp": 0.8, **_both(browOuterUp=0.8, eyeWide=0.8)},
    "ee": EE,
}
EYE, MOUTH, FOREHEAD = (0.031, -0.04, 0.02), (0.0, -0.06, -0.055), (0.0, -0.045, 0.05)
# Name, weights, what is looked at on the mean head (metres), and how wide the picture is there.
CLOSE_UPS = (
    ("eye open", {}, EYE, 0.07),
    ("eye half closed", _both(eyeBlink=0.5), EYE, 0.07),
    ("eye closed", _both(eyeBlink=1.0), EYE, 0.07),
    ("ee", EE, MOUTH, 0.11),
    ("ah", {"jawOpen": 0.75}, MOUTH, 0.11),
    ("m", PRESSED, MOUTH, 0.11),
    ("brows up", {"browInnerUp": 0.9, **_both(browOuterUp=0.9)}, FOREHEAD, 0.17),
)
TURNS = (0.0, 40.0, 88.0)  # degrees to the subject's left: front, three quarters, profile


def main() -> None:
    """Render every picture, or the sheet that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="persons; all without one")
    parser.add_argument("--tile", type=int, default=192, help="pixels a side")
    parser.add_argument("--samples", type=int, default=24)
    parser.add_argument("--sheet", type=Path, help="all pictures joined")
    parser.add_argument("--expressions", type=Path, help="a row of expressions for each person")
    parser.add_argument("--close-ups", type=Path, help="three rows of close-ups for each person")
    options = parser.parse_args()
    names = options.names or list(table.persons())
    with engine() as client:
        if options.expressions:
            save_jpeg(_sheet(client, names, options, _expressions), options.expressions)
        if options.close_ups:
            save_jpeg(_sheet(client, names, options, _close_ups), options.close_ups)
        if not (options.expressions or options.close_ups):
            _portraits(client, names, options)


def _portraits(client: object, names: list[str], options: argparse.Namespace) -> None:
    folder = table.FILE.parent / "pictures"
    folder.mkdir(exist_ok=True)
    for name in names:
        person = table.persons()[name]
        identity = join_identity(person.identity, person.controls)
        message = answers(client, "head", identity=identity, with_template=True)["head"][-1]
        scene, camera = _dressed(message, person, options)
        _keep_hair_inside(camera)
        scene.render.image_settings.file_format, scene.render.image_settings.quality = "JPEG", 88
        scene.render.filepath = str(table.picture(name))
        bpy.ops.render.render(write_still=True)
        print(name, flush=True)
    if options.sheet:
        tiles = [pixels(table.picture(name)) for name in table.persons()]
        save_jpeg(_joined([np.concatenate(tiles[at : at + COLUMNS], 1) for at in range(0, len(tiles), COLUMNS)]),
                  options.sheet)  # fmt: skip


def _sheet(client: object, names: list[str], options: argparse.Namespace, rows_of) -> np.ndarray:
    rows = []
    for name in names:
        person = table.persons()[name]
        template, positions = shapes(client, join_identity(person.identity, person.controls))
        rows += rows_of(template, positions, person, options)
        print(name, flush=True)
    return _joined(rows)


def _expressions(
    template: object, positions: np.ndarray, person: object, options: argparse.Namespace
) -> list[np.ndarray]:
    """One row of pictures of a person."""
    scene, camera = _dressed(template, person, options)
    _keep_hair_inside(camera)
    side = STRANDS_OF * options.tile
    worn.set_shares(scene.objects["Head"], worn.SHARES[0], worn.share_for((side, side)))
    tiles = []
    for weights in EXPRESSIONS.values():
        _pose(scene, template, positions, weights)
        tiles.append(rendered(scene))
    return [np.concatenate(tiles, 1)]


def _close_ups(
    template: object, positions: np.ndarray, person: object, options: argparse.Namespace
) -> list[np.ndarray]:
    """Rows of pictures of a person, one for each of TURNS."""
    scene, camera = _dressed(template, person, options)
    rows: list[list[np.ndarray]] = [[] for _ in TURNS]
    for _, weights, place, width in CLOSE_UPS:
        _pose(scene, template, positions, weights)
        for row, turn in zip(rows, TURNS, strict=True):
            _look(camera, Vector(place), width, math.radians(turn))
            row.append(rendered(scene))
    return [np.concatenate(row, 1) for row in rows]


def _dressed(message: object, person: object, options: argparse.Namespace) -> tuple[bpy.types.Scene, bpy.types.Object]:
    """A person alone in a scene that is ready to render, and its camera."""
    head = add_head(message, message.arrays["vertices"], (person.skin, person.eyes))
    head.name = "Head"
    scene = bpy.context.scene
    face_detail.add(head)
    skin_traits.set_traits(head, skin_traits.SkinTraits(**person.traits))
    worn.put_on(head, person.cut, scene)
    camera = stage.add_stage(scene, message.arrays["vertices"], choice=stage.StageChoice(framing="CLOSE_UP"))
    video.set_up(scene, "cycles", (options.tile, options.tile), options.samples)
    scene.render.use_persistent_data = True
    compat.set_image_output(scene.render.image_settings)
    return scene, camera


def _keep_hair_inside(camera: bpy.types.Object) -> None:
    """A little further away than the head alone needs, and higher."""
    camera.data.lens *= 0.9
    camera.data.shift_y = 0.05


def _look(camera: bpy.types.Object, place: Vector, width: float, turn: float) -> None:
    away = Vector((math.sin(turn), -math.cos(turn), 0.0))
    camera.location = place + away * width * camera.data.lens / camera.data.sensor_height
    camera.rotation_euler = (-away).to_track_quat("-Z", "Y").to_euler()


def _pose(scene: bpy.types.Scene, template: object, positions: np.ndarray, weights: dict[str, float]) -> None:
    neutral, mesh = template.arrays["vertices"], scene.objects["Head"].data
    amounts = np.array([weights.get(name, 0.0) for name in WEIGHT_NAMES], np.float32)
    posed = neutral + np.tensordot(amounts, positions - neutral, 1)
    mesh.attributes["position"].data.foreach_set("vector", np.ascontiguousarray(posed, np.float32).ravel())
    mesh.update()


def _joined(rows: list[np.ndarray]) -> np.ndarray:
    """One picture of rows (H, W, 3) from top to bottom, its first line the lowest."""
    return np.concatenate(rows[::-1])


if __name__ == "__main__":
    main()
