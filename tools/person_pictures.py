"""Render the pictures of the persons: facetalk_blender/person/pictures/NAME.jpg.

    python tools/person_pictures.py [--tile 192] [--samples 24] [--sheet docs/images/persons.jpg] [NAME ...]

Needs an interpreter with bpy and the engine's packages (`make setup`). Heads of fixed topology, a faint smile, Cycles.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy
import numpy as np
from studio import add_head, answers, engine, part, pixels, save_jpeg

stage, face_detail, skin_traits = (
    part(f"facetalk_blender.look.{name}") for name in ("stage", "face_detail", "skin_traits")
)
table, worn = part("facetalk_blender.person.persons"), part("facetalk_blender.hair.worn")
compat, video = part("facetalk_blender.compat"), part("facetalk_blender.unattended.video")
join_identity = part("engine.shared.identity_text").join_identity
COLUMNS = 4


def main() -> None:
    """Render every picture, and a sheet of all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="persons; all without one")
    parser.add_argument("--tile", type=int, default=192, help="pixels a side")
    parser.add_argument("--samples", type=int, default=24)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    folder = table.FILE.parent / "pictures"
    folder.mkdir(exist_ok=True)
    persons = table.persons()
    with engine() as client:
        for name in options.names or persons:
            identity = join_identity(persons[name].identity, persons[name].controls)
            message = answers(client, "head", identity=identity, with_template=True)["head"][-1]
            _render(message, persons[name], folder / f"{name.lower()}.jpg", options)
            print(name, flush=True)
    if options.sheet:
        save_jpeg(_joined([folder / f"{name.lower()}.jpg" for name in persons]), options.sheet)


def _render(message: object, person: object, path: Path, options: argparse.Namespace) -> None:
    head = add_head(message, message.arrays["vertices"], (person.skin, person.eyes))
    scene = bpy.context.scene
    face_detail.add(head)
    skin_traits.set_traits(head, skin_traits.SkinTraits(**person.traits))
    worn.put_on(head, person.cut, scene)
    stage.add_stage(scene, message.arrays["vertices"]).data.lens *= 1.25
    video.set_up(scene, "cycles", (options.tile, options.tile), options.samples)
    compat.set_image_output(scene.render.image_settings)
    scene.render.image_settings.file_format, scene.render.image_settings.quality = "JPEG", 88
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def _joined(paths: list[Path]) -> np.ndarray:
    """One picture of all, in rows of COLUMNS, the first row the lowest."""
    tiles = [pixels(path) for path in paths]
    rows = [np.concatenate(tiles[start : start + COLUMNS], 1) for start in range(0, len(tiles), COLUMNS)]
    return np.concatenate(rows[::-1])


if __name__ == "__main__":
    main()
