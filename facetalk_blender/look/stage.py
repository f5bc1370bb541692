"""Camera, lights and backdrop for a portrait of the head, in a collection of their own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector

from .. import compat
from ..blender_data.datablocks import resolve, run_to_end
from .collar import collar, collar_rows

COLLECTION_NAME = "FaceTalk Stage"
CAMERA_LENS = 85.0  # mm, a portrait lens
CAMERA_DISPLAY_SIZE = 0.015  # metres: at its usual size it is drawn across the face
CAMERA_ANGLE = math.radians(10.0)  # to the subject's left
HEADROOM = 0.07  # of the head's height, above it
NECK_MARGIN = 0.03  # of the head's height, below it
LINE_SHARE = 0.3  # of the way to the face: how far the line goes that viewports draw for a light


@dataclass(frozen=True)
class Light:
    """One area light: where it stands as seen from the face (metres; y is away from it), size, power, colour."""

    name: str
    position: tuple[float, float, float]
    size: float
    watts: float
    color: tuple[float, float, float]


LIGHTS = (
    Light("FaceTalk Key", (-0.7, -0.85, 0.55), 0.7, 19.0, (1.0, 0.93, 0.85)),
    Light("FaceTalk Fill", (1.1, -0.9, 0.05), 1.2, 3.5, (0.84, 0.91, 1.0)),
    Light("FaceTalk Rim", (0.6, 0.75, 0.55), 0.4, 20.0, (0.88, 0.94, 1.0)),
)


def has_own_stage(scene: bpy.types.Scene) -> bool:
    """Whether the scene has a camera or a light of its own."""
    return any(item.type in {"CAMERA", "LIGHT"} for item in scene.objects)


def stage_around(scene_uid: int, head_uid: int) -> Iterator[None]:
    """Add the stage around an object as it looks at the current frame, in pieces. Takes session_uids.

    Raises DataBlockLost when one of them is gone.
    """
    scene, head = resolve(bpy.data.scenes, scene_uid), resolve(bpy.data.objects, head_uid)
    layer = scene.view_layers[0]
    layer.update()
    yield
    scene, head = resolve(bpy.data.scenes, scene_uid), resolve(bpy.data.objects, head_uid)
    layer = scene.view_layers[0]
    evaluated = head.evaluated_get(layer.depsgraph)
    mesh = evaluated.data
    vertices = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", vertices.ravel())
    to_world = np.array(head.matrix_world, np.float32)
    aspect = scene.render.resolution_x / scene.render.resolution_y
    yield
    yield from stage_pieces(scene_uid, vertices @ to_world[:3, :3].T + to_world[:3, 3], aspect)


def add_stage(scene: bpy.types.Scene, vertices: np.ndarray, aspect: float = 1.0) -> bpy.types.Object:
    """Add camera, lights, backdrop and collar around a head and return the camera.

    vertices: (V, 3) of the head, metres, world space, z up, the face towards -y.
    aspect: width of the picture over its height.

    The scene's own camera and world stay if there are any. Staging again replaces the earlier stage.
    """
    run_to_end(stage_pieces(scene.session_uid, vertices, aspect))
    return next(item for item in _collection(scene).objects if item.type == "CAMERA")


def stage_pieces(scene_uid: int, vertices: np.ndarray, aspect: float) -> Iterator[None]:
    """The same in pieces. Raises DataBlockLost when the scene is gone."""
    rows = []
    for row in collar_rows(vertices):
        rows.append(row)
        yield
    low, high = Vector(vertices.min(0)), Vector(vertices.max(0))
    yield
    scene = resolve(bpy.data.scenes, scene_uid)
    collection = _fresh_collection(scene)
    camera = _add_camera(collection, low, high, aspect)
    face = Vector(((low.x + high.x) / 2, low.y, _eye_height(low, high)))
    for light in LIGHTS:
        _add_light(collection, light, face)
    collection.objects.link(collar(rows))
    scene.camera = scene.camera or camera
    scene.world = scene.world or _backdrop()


def _eye_height(low: Vector, high: Vector) -> float:
    return low.z + 0.52 * (high.z - low.z)


def _collection(scene: bpy.types.Scene) -> bpy.types.Collection | None:
    return next((c for c in scene.collection.children if c.name.startswith(COLLECTION_NAME)), None)


def _fresh_collection(scene: bpy.types.Scene) -> bpy.types.Collection:
    collection = _collection(scene)
    if collection is None:
        collection = bpy.data.collections.new(COLLECTION_NAME)
        scene.collection.children.link(collection)
    earlier = [item for item in collection.objects if item.name.startswith("FaceTalk ")]
    bpy.data.batch_remove([*earlier, *(item.data for item in earlier if item.data.users == 1)])
    return collection


def _add_camera(collection: bpy.types.Collection, low: Vector, high: Vector, aspect: float) -> bpy.types.Object:
    height = high.z - low.z
    top, bottom = high.z + HEADROOM * height, low.z - NECK_MARGIN * height
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
    item = bpy.data.objects.new(light.name, data)
    item.location = face + Vector(light.position)
    # How far viewports draw a line for the light, which would cross the face; without "Custom Distance" nothing else.
    data.cutoff_distance = LINE_SHARE * Vector(light.position).length
    item.rotation_euler = (face - item.location).to_track_quat("-Z", "Y").to_euler()
    collection.objects.link(item)


def _backdrop() -> bpy.types.World:
    """A dark neutral gradient behind the head, and a little even light from all around."""
    world = bpy.data.worlds.new("FaceTalk Backdrop")
    tree = compat.use_nodes(world)
    nodes, links = tree.nodes, tree.links
    nodes.clear()
    window = nodes.new("ShaderNodeTexCoord").outputs["Window"]
    offset = nodes.new("ShaderNodeVectorMath")
    offset.inputs[1].default_value = (-0.5, -0.45, 0.0)
    links.new(window, offset.inputs[0])
    gradient = nodes.new("ShaderNodeTexGradient")
    gradient.gradient_type = "SPHERICAL"
    links.new(offset.outputs[0], gradient.inputs["Vector"])
    ramp = nodes.new("ShaderNodeValToRGB")
    ramp.color_ramp.elements[0].color = (0.012, 0.013, 0.015, 1.0)
    ramp.color_ramp.elements[0].position = 0.25
    ramp.color_ramp.elements[1].color = (0.085, 0.09, 0.1, 1.0)
    links.new(gradient.outputs["Fac"], ramp.inputs[0])
    shown, ambient = nodes.new("ShaderNodeBackground"), nodes.new("ShaderNodeBackground")
    links.new(ramp.outputs[0], shown.inputs["Color"])
    ambient.inputs["Color"].default_value = (0.09, 0.095, 0.105, 1.0)
    choose = nodes.new("ShaderNodeMixShader")
    links.new(nodes.new("ShaderNodeLightPath").outputs["Is Camera Ray"], choose.inputs[0])
    links.new(ambient.outputs[0], choose.inputs[1])
    links.new(shown.outputs[0], choose.inputs[2])
    links.new(choose.outputs[0], nodes.new("ShaderNodeOutputWorld").inputs["Surface"])
    return world
