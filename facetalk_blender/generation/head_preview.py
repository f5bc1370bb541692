"""A still head beside the settings that shows what the sliders do, without a sound.

It exists only while the artist wants it, is an object of its own, and goes when a generation starts. The engine
answers in some tenths of a second; of moves that come faster only the last is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import bpy

from ...engine.shared.errors import EngineError
from ...engine.shared.protocol import Message
from ..blender_data.mesh_building import corners_of, fill_mesh
from ..look import appearance
from ..look.material import dress_mesh
from . import head_questions
from .conversation import UNUSABLE
from .session import EngineChoice, session

NAME = "FaceTalk Head Preview"
PREVIEW_PROPERTY = "facetalk_preview"
STILL_SECONDS = 0.12  # a slider rests for so long before the engine is asked


def find(scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The preview of a scene."""
    return next((item for item in scene.objects if item.get(PREVIEW_PROPERTY)), None)


def add(scene: bpy.types.Scene, choose: Callable[[bpy.types.Context], EngineChoice]) -> bpy.types.Object:
    """Add an empty preview, and ask for its head. choose: see `refresh`."""
    item = bpy.data.objects.new(NAME, bpy.data.meshes.new(NAME))
    item[PREVIEW_PROPERTY] = True
    item.hide_render = True
    item.location = scene.cursor.location
    scene.collection.objects.link(item)
    refresh(scene, choose)
    return item


def remove(scene: bpy.types.Scene) -> None:
    """Remove the preview, if any."""
    head_questions.forget()
    item = find(scene)
    if item is not None:
        mesh = item.data
        bpy.data.objects.remove(item)
        if mesh.users == 0:
            bpy.data.meshes.remove(mesh)


def refresh(scene: bpy.types.Scene, choose: Callable[[bpy.types.Context], EngineChoice]) -> None:
    """Show what the settings say once they rest. Does nothing without a preview.

    choose: says which engine to ask, and raises EngineError when none is chosen.
    """
    if find(scene) is None or session.busy():
        return
    state = session.preview
    state.due, state.scene_name, state.choose = time.monotonic() + STILL_SECONDS, scene.name, choose
    if bpy.app.background:
        _ask(scene)
    elif not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=STILL_SECONDS)


def _tick() -> float | None:
    left = session.preview.due - time.monotonic()
    if left > 0 or head_questions.pending():
        return max(left, 0.05)
    scene = _scene()
    if scene is not None and find(scene) is not None and not session.busy():
        _ask(scene)
    return None


def _scene() -> bpy.types.Scene | None:
    return bpy.data.scenes.get(session.preview.scene_name)


def _ask(scene: bpy.types.Scene) -> None:
    try:
        head_questions.ask(session.preview.choose(bpy.context), scene.facetalk.identity(), True, _show)
    except EngineError as error:
        session.preview.problem = str(error)


def _show(message: Message | None, why: str) -> None:
    """Give the preview the head that came."""
    session.preview.problem = why
    scene = _scene()
    item = find(scene) if scene is not None else None
    if message is None or item is None:
        return
    try:
        _replace_mesh(item, scene.facetalk_head, message)
    except UNUSABLE as error:
        session.preview.problem = f"The engine sent an unusable head ({error}); choose another model bundle."


def _replace_mesh(item: bpy.types.Object, head: bpy.types.PropertyGroup, message: Message) -> None:
    appearance.set_colors(item, tuple(head.skin_color), tuple(head.eye_color))
    vertices, polygons = message.arrays["vertices"], message.arrays["polygons"]
    regions = appearance.Regions.of_message(message.fields, message.arrays)
    corners_of(polygons, len(vertices))
    look = appearance.Look.of(regions, polygons, appearance.colors_of(item))
    mesh, fresh = item.data, bpy.data.meshes.new(NAME)
    fill_mesh(fresh, vertices, polygons)
    dress_mesh(fresh, look)
    item.data = fresh
    bpy.data.meshes.remove(mesh)
    fresh.name = NAME
