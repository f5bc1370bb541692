"""Camera, lights and backdrop for a portrait of the head, in a collection of their own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector

from ..blender_data.datablocks import resolve
from ..sound.strip_link import STRIP_PROPERTY
from .bust import bust, bust_rows, is_worn, put_on, wears_one
from .lighting import BACKDROP_NAME, RIGS, Light, backdrop, set_backdrop

COLLECTION_NAME = "FaceTalk Stage"
CAMERA_BEFORE_PROPERTY = "facetalk_camera_before"  # of the collection: through which the scene looked before
CAMERA_LENS = 85.0  # mm, a portrait lens
CAMERA_DISPLAY_SIZE = 0.015  # metres: at its usual size it is drawn across the face
CAMERA_ANGLE = math.radians(10.0)  # to the subject's left
BOUNDS_PROPERTY = "facetalk_bounds"  # of the collection: least and greatest coordinates of the heads
LINE_SHARE = 0.3  # of the way to the face: how far the line goes that viewports draw for a light


FRAMINGS = {  # name, description, margins above and below the head as shares of its height
    "BUST": ("Bust", "Head and shoulders", 0.09, 0.22),
    "CLOSE_UP": ("Close-Up", "The head alone", 0.07, 0.03),
}


@dataclass(frozen=True)
class StageChoice:
    """What a stage shall be: keys of RIGS, BACKDROPS and FRAMINGS."""

    light: str = "PORTRAIT"
    backdrop: str = "DARK"
    framing: str = "BUST"


def has_own_stage(scene: bpy.types.Scene) -> bool:
    """Whether the scene has a camera or a light that is not of ours."""
    stage = _collection(scene)
    ours = set() if stage is None else set(stage.objects)
    return any(item.type in {"CAMERA", "LIGHT"} and item not in ours for item in scene.objects)


def use_camera(scene: bpy.types.Scene, wanted: bool) -> None:
    """Let the scene look through the stage's camera, or through the one before again. Does nothing without a stage."""
    stage = _collection(scene)
    camera = next((item for item in stage.objects if item.type == "CAMERA"), None) if stage else None
    if camera is None:
        return
    if not wanted and scene.camera == camera:
        scene.camera = stage.get(CAMERA_BEFORE_PROPERTY) or camera
    elif wanted and scene.camera != camera:
        stage[CAMERA_BEFORE_PROPERTY] = scene.camera
        scene.camera = camera


def stage_around(scene_uid: int, head_uid: int, choice: StageChoice | None = None) -> Iterator[None]:
    """Add the stage around an object as it looks at the current frame, in pieces. Takes session_uids.

    Every head has a bust of its own. Camera and lights are for all heads that render; they are placed again only when
    a head of another strip comes. Raises DataBlockLost when scene or head is gone.
    """
    scene, head = resolve(bpy.data.scenes, scene_uid), resolve(bpy.data.objects, head_uid)
    scene.view_layers[0].update()
    yield
    scene, head = resolve(bpy.data.scenes, scene_uid), resolve(bpy.data.objects, head_uid)
    aspect = scene.render.resolution_x / scene.render.resolution_y
    vertices = _shown_vertices(scene, head)
    others = [item for item in scene.objects if STRIP_PROPERTY in item and item != head and not item.hide_render]
    bounds = [vertices, *(_shown_vertices(scene, other) for other in others)]
    bounds = [part for part in bounds if len(part)]
    yield
    rows = []
    for row in bust_rows(vertices):
        rows.append(row)
        yield
    low, high = (Vector(bound) for bound in _extent(bounds))
    scene, head = resolve(bpy.data.scenes, scene_uid), resolve(bpy.data.objects, head_uid)
    if (collection := _collection(scene)) is not None and wears_one(head, collection):
        put_on(bust(rows), head, collection)  # camera and lights stay as the artist may have changed them
        return
    collection = _fresh_collection(scene)
    put_on(bust(rows), head, collection)
    _furnish(scene, collection, low, high, aspect, choice or StageChoice())


def add_stage(
    scene: bpy.types.Scene, vertices: np.ndarray, aspect: float = 1.0, choice: StageChoice | None = None
) -> bpy.types.Object:
    """Add camera, lights, backdrop and a bust around a head that is no object of ours, and return the camera.

    vertices: (V, 3) of the head, metres, world space, z up, the face towards -y.
    aspect: width of the picture over its height.
    """
    low, high = Vector(vertices.min(0)), Vector(vertices.max(0))
    collection = _fresh_collection(scene)
    collection.objects.link(bust(list(bust_rows(vertices))))
    return _furnish(scene, collection, low, high, aspect, choice or StageChoice())


def change(scene: bpy.types.Scene, choice: StageChoice) -> None:
    """Let the scene's stage be another one; the artist's own world stays. Does nothing without a stage."""
    collection = _collection(scene)
    if collection is None or BOUNDS_PROPERTY not in collection:
        return
    bounds = collection[BOUNDS_PROPERTY]
    aspect = scene.render.resolution_x / scene.render.resolution_y
    _furnish(scene, _fresh_collection(scene), Vector(bounds[:3]), Vector(bounds[3:]), aspect, choice)


def _furnish(
    scene: bpy.types.Scene,
    collection: bpy.types.Collection,
    low: Vector,
    high: Vector,
    aspect: float,
    choice: StageChoice,
) -> bpy.types.Object:
    """Camera, lights and, in a scene without a world, a backdrop. Gives the camera, through which the scene looks."""
    collection[BOUNDS_PROPERTY] = [*low, *high]
    camera = _add_camera(collection, low, high, aspect, choice.framing)
    face = Vector(((low.x + high.x) / 2, low.y, _eye_height(low, high)))
    for light in RIGS[choice.light].lights:
        _add_light(collection, light, face)
    use_camera(scene, True)
    if scene.world is None:
        scene.world = backdrop(choice.light, choice.backdrop)
    elif scene.world.name.startswith(BACKDROP_NAME):
        set_backdrop(scene.world, choice.light, choice.backdrop)
    return camera


def _shown_vertices(scene: bpy.types.Scene, head: bpy.types.Object) -> np.ndarray:
    """(V, 3) metres in world space."""
    evaluated = head.evaluated_get(scene.view_layers[0].depsgraph)
    mesh = evaluated.data
    vertices = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", vertices.ravel())
    to_world = np.array(head.matrix_world, np.float32)
    return vertices @ to_world[:3, :3].T + to_world[:3, 3]


def _extent(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest coordinates (3,) of all parts (P, 3)."""
    return np.min([part.min(0) for part in parts], 0), np.max([part.max(0) for part in parts], 0)


def _eye_height(low: Vector, high: Vector) -> float:
    return low.z + 0.52 * (high.z - low.z)


def _collection(scene: bpy.types.Scene) -> bpy.types.Collection | None:
    return next((c for c in scene.collection.children if c.name.startswith(COLLECTION_NAME)), None)


def _fresh_collection(scene: bpy.types.Scene) -> bpy.types.Collection:
    """The stage's collection without its earlier camera and lights. The scene looks as it did before them."""
    collection = _collection(scene)
    if collection is None:
        collection = bpy.data.collections.new(COLLECTION_NAME)
        scene.collection.children.link(collection)
    use_camera(scene, False)
    earlier = [item for item in collection.objects if item.name.startswith("FaceTalk ") and not is_worn(item)]
    bpy.data.batch_remove([*earlier, *(item.data for item in earlier if item.data.users == 1)])
    return collection


def _add_camera(
    collection: bpy.types.Collection, low: Vector, high: Vector, aspect: float, framing: str
) -> bpy.types.Object:
    height = high.z - low.z
    _, _, above, below = FRAMINGS[framing]
    top, bottom = high.z + above * height, low.z - below * height
    data = bpy.data.cameras.new("FaceTalk Camera")
    data.lens = CAMERA_LENS
    data.display_size = CAMERA_DISPLAY_SIZE
    data.sensor_fit = "VERTICAL"
    data.sensor_height = 36.0
    # A wide picture keeps the height of the head; a tall one must keep its width.
    visible = max(top - bottom, (high.x - low.x) * 1.25 / aspect)
    center = Vector(((low.x + high.x) / 2, (low.y + high.y) / 2 - 0.25 * (high.y - low.y), top - visible / 2))
    distance = visible * data.lens / data.sensor_height
    away = Vector((math.sin(CAMERA_ANGLE), -math.cos(CAMERA_ANGLE), 0.0))
    camera = bpy.data.objects.new("FaceTalk Camera", data)
    camera.location = center + away * distance
    camera.rotation_euler = (-away).to_track_quat("-Z", "Y").to_euler()
    collection.objects.link(camera)
    return camera


def _add_light(collection: bpy.types.Collection, light: Light, face: Vector) -> None:
    data = bpy.data.lights.new(light.name, "AREA")
    data.size = light.size
    data.energy = light.watts
    data.color = light.color
    data.specular_factor = light.shine
    item = bpy.data.objects.new(light.name, data)
    item.location = face + Vector(light.position)
    # How far viewports draw a line for the light, which would cross the face; without "Custom Distance" nothing else.
    data.cutoff_distance = LINE_SHARE * Vector(light.position).length
    item.rotation_euler = (face - item.location).to_track_quat("-Z", "Y").to_euler()
    collection.objects.link(item)
