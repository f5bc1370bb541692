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
from ..outputs import result
from ..outputs.template_head import is_template, reshape
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
    """Show what the settings say once they rest. Does nothing where nothing shows them.

    In a window heads of fixed topology follow too; a script asks for what it wants by Make Output.
    choose: says which engine to ask, and raises EngineError when none is chosen.
    """
    if session.busy() or not _followed(scene):
        return
    state = session.preview
    state.due, state.scene_name, state.choose = time.monotonic() + STILL_SECONDS, scene.name, choose
    if bpy.app.background:
        _ask(scene)
    elif not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=STILL_SECONDS)


def _followed(scene: bpy.types.Scene) -> bool:
    return find(scene) is not None or (not bpy.app.background and bool(live_heads(scene)))


def live_heads(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Heads of the chosen take on which the sliders act at once: those of fixed topology."""
    text = scene.facetalk.chosen_take()
    heads = [] if text is None else result.results_of_take(scene, text)
    return [item for item in heads if is_template(item)]


def _tick() -> float | None:
    left = session.preview.due - time.monotonic()
    if left > 0 or head_questions.pending():
        return max(left, 0.05)
    scene = _scene()
    if scene is not None and not session.busy() and _followed(scene):
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
    if message is None or scene is None:
        return
    try:
        show_identity(scene, message)
    except UNUSABLE as error:
        session.preview.problem = f"The engine sent an unusable head ({error}); choose another model bundle."


def show_identity(scene: bpy.types.Scene, message: Message) -> None:
    """Show a "head" of the engine. Raises what an unusable one raises."""
    item = find(scene)
    if item is not None:
        _replace_mesh(item, scene.facetalk_head, message)
    for head in live_heads(scene):
        reshape(head, message.arrays["vertices"])


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
