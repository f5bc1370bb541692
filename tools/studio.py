"""What the tools that render heads share: the extension as a package, the engine's answers, a head, a picture of it."""

from __future__ import annotations

import importlib
import sys
import tempfile
import types
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
package = sys.modules["facetalk_extension"] = types.ModuleType("facetalk_extension")
package.__path__ = [str(ROOT)]


def part(name: str) -> types.ModuleType:
    """A module of the extension by its dotted name in the project."""
    return importlib.import_module(f"facetalk_extension.{name}")


appearance, material = part("facetalk_blender.look.appearance"), part("facetalk_blender.look.material")
mesh_building = part("facetalk_blender.blender_data.mesh_building")
EngineClient = part("facetalk_blender.engine_access.client").EngineClient


@contextmanager
def engine() -> Iterator[EngineClient]:
    """An engine that runs meanwhile."""
    client = EngineClient(sys.executable, ROOT)
    client.start()
    try:
        yield client
    finally:
        client.stop()


def answers(client: EngineClient, kind: str, **fields: object) -> dict[str, list]:
    """What the starter answers to a question, by the kind of message. Ends the program with the engine's error."""
    number = client.request(kind, {"bundle": "starter", "device": "cpu"} | fields)
    found: dict[str, list] = defaultdict(list)
    while "done" not in found:
        message = client.wait(1.0)
        if message is None or message.request != number:
            continue
        if message.kind == "error":
            raise SystemExit(message.fields["message"])
        found[message.kind].append(message)
    return found


def shapes(client: EngineClient, identity: str) -> tuple[object, np.ndarray]:
    """The template message of an identity, and the positions (57, V, 3) of every weight at one."""
    found = answers(client, "arkit_shapes", identity=identity)
    return found["template"][-1], np.array([message.arrays["vertices"] for message in found["positions"]])


def add_head(message: object, vertices: np.ndarray, colors: tuple = ()) -> bpy.types.Object:
    """A dressed head with vertices (V, 3), alone in a new scene.

    message: holds its polygons and regions. colors: of skin and eyes; the usual ones when not given.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    head = bpy.data.objects.new("Head", bpy.data.meshes.new("Head"))
    bpy.context.scene.collection.objects.link(head)
    if colors:
        appearance.set_colors(head, *colors)
    polygons = message.arrays["polygons"]
    mesh_building.fill_mesh(head.data, vertices, polygons)
    regions = appearance.Regions.of_message(message.fields, message.arrays)
    material.dress_mesh(head.data, appearance.Look.of(regions, polygons, appearance.colors_of(head)))
    return head


def rendered(scene: bpy.types.Scene) -> np.ndarray:
    """A picture (H, W, 3) of the scene, its first row the lowest, as the scene's kind of file stores it."""
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder, "picture" + scene.render.file_extension))
        bpy.ops.render.render(write_still=True)
        return pixels(scene.render.filepath)


def pixels(path: str | Path) -> np.ndarray:
    """The picture (H, W, 3) in a file, its first row the lowest."""
    image = bpy.data.images.load(str(path))
    width, height = image.size
    values = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(values)
    bpy.data.images.remove(image)
    return values.reshape(height, width, 4)[..., :3]


def save_jpeg(picture: np.ndarray, path: Path, quality: int = 88) -> None:
    """Write a picture (H, W, 3), its first row the lowest."""
    height, width, _ = picture.shape
    image = bpy.data.images.new("Picture", width, height)
    values = np.ones((height, width, 4), np.float32)
    values[..., :3] = picture
    image.pixels.foreach_set(values.ravel())
    image.file_format = "JPEG"
    image.save(filepath=str(path), quality=quality)
    bpy.data.images.remove(image)
