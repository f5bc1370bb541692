"""Export of a result through Blender's own exporters, and of its weights as CSV."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from ...engine.shared.errors import EngineError
from .. import compat
from ..outputs.rest_track import rest_values
from ..outputs.result import FRAMES_PROPERTY
from ..sound import strip as sound_strip
from . import usd_file
from .base_colors import is_head, plain_materials
from .formats import FORMATS, exporter
from .gltf_file import set_rest_weights
from .live_link import write_csv
from .pose_rig import pose_rigs
from .scene_weights import scene_weights
from .subjects import rigs_of, whole_character

BY_BONES = ("gltf", "fbx")  # formats that know no modifier of nodes


def problem(kind: str, items: list[bpy.types.Object], text: bpy.types.Text | None = None) -> str:
    """Why objects cannot be written in a format of FORMATS, in one sentence that names the fix; empty when they can.

    text: a take, of which weights can be written without objects.
    """
    chosen = FORMATS[kind]
    if not items and (text is None or chosen.operator):
        return "Nothing speaks the chosen sound strip yet; generate a head, or show one."
    if chosen.operator and exporter(chosen) is None:
        return chosen.missing
    if chosen.needs_relative and not _relative(items):
        return f"{chosen.label} knows relative shape keys only; make Expression Curves of this take, or use Alembic."
    picked = any(FRAMES_PROPERTY in item for item in items)
    if chosen.operator and picked and not compat.exports_picked_geometry_as_one_object():
        return "This Blender would write an object for every frame; move the frames to a cache folder first."
    return ""


def _relative(items: list[bpy.types.Object]) -> bool:
    return all(item.data.shape_keys is not None and item.data.shape_keys.use_relative for item in items)


def export(
    kind: str,
    path: Path,
    scene: bpy.types.Scene,
    strip_name: str,
    items: list[bpy.types.Object],
    text: bpy.types.Text | None = None,
    whole: bool = False,
) -> None:
    """Write objects that speak a strip to a file, over the scene's frame range. Raises EngineError when that fails.

    text: a take of the strip, whose weights are written when there are no objects.
    whole: write everything that belongs to the same character.
    """
    reason = problem(kind, items, text)
    if reason:
        raise EngineError(reason)
    _check_writable(path)
    if kind == "csv":
        found, rate = scene_weights(scene, strip_name, items, text), sound_strip.frames_per_second(scene)
        write_csv(path, found.weights, rate, scene.frame_start, found.rotations)
        return
    written = whole_character(scene, items) if whole else items
    posed = written if kind in BY_BONES else []
    with pose_rigs(scene, posed):
        _run_exporter(kind, path, scene, written, _options(kind, scene, items, written))
    if kind == "gltf":
        set_rest_weights(path, {item.data.name: rest_values(item.data.shape_keys) for item in items})
    if kind == "usd":
        usd_file.shrink(path)


def _run_exporter(kind: str, path: Path, scene: bpy.types.Scene, items: list[bpy.types.Object], options: dict) -> None:
    write = exporter(FORMATS[kind])
    try:
        with _selected(scene, items), plain_materials(kind, items):
            finished = write(filepath=str(path), **options) == {"FINISHED"}
    except RuntimeError as error:
        raise EngineError(f"{FORMATS[kind].label} was not written ({_reason(error)}); choose another place.") from error
    if not finished or not path.is_file():
        raise EngineError(f"{FORMATS[kind].label} was not written; choose another place.")


def _check_writable(path: Path) -> None:
    """Blender's exporters written in Python end in a traceback where a file cannot be made."""
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        if path.exists():
            path.open("r+b").close()
    except OSError as error:
        raise EngineError(f"Cannot write {path} ({error.strerror or error}); choose another place.") from error


def _reason(error: RuntimeError) -> str:
    """What an operator's error says in one line: of a traceback, what was raised."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("Location:")]
    return (lines[-1] if "Traceback" in lines[0] else lines[0]).removeprefix("Error: ")


def _options(kind: str, scene: bpy.types.Scene, items: list[bpy.types.Object], written: list[bpy.types.Object]) -> dict:
    if kind == "gltf":
        # The scene as it plays, so that tracks of the nonlinear animation are in it too, as one animation from 0 on.
        return {
            "export_format": "GLB", "use_selection": True, "export_animation_mode": "SCENE", "export_morph": True,
            "export_morph_animation": True, "export_frame_range": True, "export_force_sampling": True,
            "export_anim_scene_split_object": False, "export_anim_slide_to_zero": True,
            # Only heads of ours are known to want the colours of their vertices multiplied.
            "export_vertex_color": "MATERIAL" if any(map(_has_own_colors, written)) else "ACTIVE",
            "export_all_vertex_colors": False,
        }  # fmt: skip
    if kind == "fbx":
        return {
            "use_selection": True, "bake_anim": True, "bake_anim_use_all_actions": False,
            "bake_anim_use_nla_strips": False, "bake_anim_simplify_factor": 0.0, "use_mesh_modifiers": False,
        }  # fmt: skip
    if kind == "alembic":
        return {
            "selected": True, "start": scene.frame_start, "end": scene.frame_end, "as_background_job": False,
            "face_sets": True,
        }  # fmt: skip
    return {"selected_objects_only": True, "export_animation": True, "export_shapekeys": _relative(items)}


def _has_own_colors(item: bpy.types.Object) -> bool:
    return item.type == "MESH" and not is_head(item) and len(item.data.color_attributes) > 0


@contextmanager
def _selected(scene: bpy.types.Scene, items: list[bpy.types.Object]) -> Iterator[None]:
    """Only the objects and the armatures that deform them are selected; afterwards what was before."""
    layer = bpy.context.view_layer
    before, active = [item for item in layer.objects if item.select_get()], layer.objects.active
    frame = scene.frame_current, scene.frame_subframe
    wanted = {*items}.union(*map(rigs_of, items))
    for item in layer.objects:
        item.select_set(item in wanted)
    layer.objects.active = items[0]
    try:
        yield
    finally:
        for item in layer.objects:
            item.select_set(item in before)
        layer.objects.active = active
        scene.frame_set(frame[0], subframe=frame[1])
