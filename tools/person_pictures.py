"""Render the pictures of the persons: facetalk_blender/person/pictures/NAME.jpg.

    python tools/person_pictures.py [--tile 192] [--samples 24] [--sheet docs/images/persons.jpg] [NAME ...]

Needs an interpreter with bpy and the engine's packages (`make setup`). Heads of fixed topology, a faint smile, Cycles.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import types
from pathlib import Path

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
package = sys.modules["facetalk_extension"] = types.ModuleType("facetalk_extension")
package.__path__ = [str(ROOT)]


def _part(name: str) -> types.ModuleType:
    return importlib.import_module(f"facetalk_extension.{name}")


appearance, material, stage, face_detail, skin_traits = (
    _part(f"facetalk_blender.look.{name}") for name in ("appearance", "material", "stage", "face_detail", "skin_traits")
)
mesh_building, compat = _part("facetalk_blender.blender_data.mesh_building"), _part("facetalk_blender.compat")
table, worn = _part("facetalk_blender.person.persons"), _part("facetalk_blender.hair.worn")
video = _part("facetalk_blender.unattended.video")
EngineClient = _part("facetalk_blender.engine_access.client").EngineClient
join_identity = _part("engine.shared.identity_text").join_identity
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
    client = EngineClient(sys.executable, ROOT)
    client.start()
    try:
        for name in options.names or persons:
            _render(_head(client, persons[name]), persons[name], folder / f"{name.lower()}.jpg", options)
            print(name, flush=True)
    finally:
        client.stop()
    if options.sheet:
        _join([folder / f"{name.lower()}.jpg" for name in persons], options)


def _head(client: EngineClient, person: object) -> object:
    """The head message of a person."""
    identity = join_identity(person.identity, person.controls)
    fields = {"bundle": "starter", "device": "cpu", "identity": identity, "with_template": True}
    number, head = client.request("head", fields), None
    while True:
        message = client.wait(1.0)
        if message is None or message.request != number:
            continue
        if message.kind == "error":
            raise SystemExit(message.fields["message"])
        if message.kind == "head":
            head = message
        elif message.kind == "done":
            return head


def _render(message: object, person: object, path: Path, options: argparse.Namespace) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    vertices, polygons = message.arrays["vertices"], message.arrays["polygons"]
    head = bpy.data.objects.new("Head", bpy.data.meshes.new("Head"))
    scene.collection.objects.link(head)
    appearance.set_colors(head, person.skin, person.eyes)
    mesh_building.fill_mesh(head.data, vertices, polygons)
    regions = appearance.Regions.of_message(message.fields, message.arrays)
    material.dress_mesh(head.data, appearance.Look.of(regions, polygons, appearance.colors_of(head)))
    face_detail.add(head)
    skin_traits.set_traits(head, skin_traits.SkinTraits(**person.traits))
    worn.put_on(head, person.cut, scene)
    stage.add_stage(scene, vertices).data.lens *= 1.25
    video.set_up(scene, "cycles", (options.tile, options.tile), options.samples)
    compat.set_image_output(scene.render.image_settings)
    scene.render.image_settings.file_format, scene.render.image_settings.quality = "JPEG", 88
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def _join(paths: list[Path], options: argparse.Namespace) -> None:
    """One picture of all, in rows of COLUMNS."""
    tiles = []
    for path in paths:
        image = bpy.data.images.load(str(path))
        pixels = np.empty(image.size[0] * image.size[1] * 4, np.float32)
        image.pixels.foreach_get(pixels)
        tiles.append(pixels.reshape(image.size[1], image.size[0], 4))
    rows = [np.concatenate(tiles[start : start + COLUMNS], 1) for start in range(0, len(tiles), COLUMNS)]
    whole = np.concatenate(rows[::-1])
    sheet = bpy.data.images.new("Sheet", whole.shape[1], whole.shape[0])
    sheet.pixels.foreach_set(np.ascontiguousarray(whole).ravel())
    sheet.filepath_raw, sheet.file_format = str(options.sheet), "JPEG"
    sheet.save()


if __name__ == "__main__":
    main()
