"""Whether a mesh really moves with its expression curves, and if not, what holds it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import bpy
import numpy as np

from ...blender_data.datablocks import resolve
from .. import curve_action
from ..rest_track import value_path
from .targets import LEAST_DISTANCE, has_shape

LEAST_CHANGE = 0.01  # of a key's value: less is not seen
NAMES_SHOWN = 3


@dataclass(frozen=True)
class _Pose:
    """Values of shape keys by name, and the vertices (V, 3) that the viewport shows, or None when nothing is shown."""

    values: dict[str, float]
    vertices: np.ndarray | None


def problems(scene: bpy.types.Scene, item: bpy.types.Object, action: bpy.types.Action) -> list[str]:
    """Why an object does not move as the action says, one sentence for each reason; empty when it does."""
    pieces = check(scene.session_uid, item.session_uid, action.session_uid)
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value


def check(scene_uid: int, item_uid: int, action_uid: int) -> Generator[None, None, list[str]]:
    """The same in pieces, of which evaluating the scene at one frame is the longest. Takes session_uids.

    Looks at the two frames between which the action's largest curve changes most; the current frame stays in the end.
    Raises DataBlockLost when one of the three is gone.
    """

    def found() -> tuple[bpy.types.Scene, bpy.types.Object, bpy.types.Action]:
        collections = bpy.data.scenes, bpy.data.objects, bpy.data.actions
        return tuple(map(resolve, collections, (scene_uid, item_uid, action_uid)))

    scene, item, action = found()
    before = scene.frame_current, scene.frame_subframe
    frames, problem = _telling_frames(item, action)
    if problem:
        return [problem]
    poses = []
    for frame in frames:
        poses.append(_pose(scene, item, frame))
        at = scene.frame_current
        yield
        scene, item, action = found()
        if scene.frame_current != at:
            before = scene.frame_current, scene.frame_subframe  # somebody else has changed it meanwhile
    scene.frame_set(before[0], subframe=before[1])
    yield
    return _reasons(*found()[1:], frames, poses)


def _telling_frames(item: bpy.types.Object, action: bpy.types.Action) -> tuple[tuple[float, ...], str]:
    """The frames between which the action's largest curve changes most, or why there are none.

    Keys without a shape tell nothing, as long as there are others.
    """
    ranges = {name: _extremes(curve) for name, curve in _curves(item, action).items()}
    blocks = item.data.shape_keys.key_blocks
    ranges = {name: found for name, found in ranges.items() if has_shape(blocks[name])} or ranges
    if not ranges:
        return (), f"{item.name} has none of the shape keys of its expression curves; generate them again."
    low, high = max(ranges.values(), key=lambda pair: pair[1][1] - pair[0][1])
    if high[1] - low[1] < LEAST_CHANGE:
        return (), f"{item.name} holds still because the take does; try another seed or more strength."
    return (low[0], high[0]), ""


def _curves(item: bpy.types.Object, action: bpy.types.Action) -> dict[str, bpy.types.FCurve]:
    """The action's curve of every shape key that it moves."""
    keys = item.data.shape_keys
    slot = next(slot for used, slot in curve_action.uses(keys) if used == action)
    names = {value_path(block.name): block.name for block in keys.key_blocks}
    curves = curve_action.curves_of(action, slot)
    return {names[curve.data_path]: curve for curve in curves if curve.data_path in names}


def _reasons(
    item: bpy.types.Object, action: bpy.types.Action, frames: tuple[float, ...], poses: list[_Pose]
) -> list[str]:
    if any(pose.vertices is None for pose in poses):
        # Blender does not evaluate it, so its keys tell nothing.
        return [f"{item.name} is hidden, so it was not checked whether it moves; show it to see its curves."]
    keys, curves = item.data.shape_keys, _curves(item, action)
    wrong = []
    for name, curve in curves.items():
        block = keys.key_blocks[name]
        for frame, pose in zip(frames, poses, strict=True):
            expected = np.clip(curve.evaluate(frame), block.slider_min, block.slider_max)
            if abs(pose.values[name] - expected) > LEAST_CHANGE:
                wrong.append(name)
                break
    ranges = {name: _extremes(curve) for name, curve in curves.items()}
    active = [name for name, (least, most) in ranges.items() if most[1] - least[1] > LEAST_CHANGE]
    found = _held(item, keys, action, wrong) + _without_effect(item, keys, active)
    shown = [pose.vertices for pose in poses]
    if not _differ(*shown) and not found:
        found = [f"{item.name} does not move though its keys do; look for a modifier or a lock that undoes them."]
    return found


def _extremes(curve: bpy.types.FCurve) -> tuple[tuple[float, float], tuple[float, float]]:
    """The curve's lowest and highest key: (frame, value) each."""
    points = np.empty((len(curve.keyframe_points), 2), np.float32)
    curve.keyframe_points.foreach_get("co", points.ravel())
    return tuple(points[points[:, 1].argmin()]), tuple(points[points[:, 1].argmax()])


def _pose(scene: bpy.types.Scene, item: bpy.types.Object, frame: float) -> _Pose:
    scene.frame_set(round(frame))
    values = {block.name: block.value for block in item.data.shape_keys.key_blocks}
    if not _is_shown(scene, item):
        return _Pose(values, None)
    mesh = item.evaluated_get(scene.view_layers[0].depsgraph).data
    vertices = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", vertices.ravel())
    return _Pose(values, vertices)


def _is_shown(scene: bpy.types.Scene, item: bpy.types.Object) -> bool:
    layer = scene.view_layers[0]
    return item.name in layer.objects and item.visible_get(view_layer=layer)


def _differ(first: np.ndarray, second: np.ndarray) -> bool:
    return len(first) != len(second) or bool(np.abs(first - second).max(initial=0.0) > LEAST_DISTANCE)


def _held(item: bpy.types.Object, keys: bpy.types.Key, action: bpy.types.Action, wrong: list[str]) -> list[str]:
    """Reasons for keys whose values do not follow the action."""
    if not wrong:
        return []
    data = keys.animation_data
    paths = {value_path(name): name for name in wrong}
    driven = [paths[driver.data_path] for driver in data.drivers if driver.data_path in paths and not driver.mute]
    found = []
    if driven:
        found.append(
            f"Drivers hold {_list(driven)} of {item.name}; choose the property that drives them under "
            "Bones and Properties, or empty the rows of these keys."
        )
    rest = [name for name in wrong if name not in driven]
    if rest and data.action is not None and data.action != action:
        keyed = {curve.data_path for curve in curve_action.curves_of(data.action, data.action_slot)}
        held = [name for name in rest if value_path(name) in keyed]
        if held:
            other = data.action.name
            found.append(f"The action {other} holds {_list(held)} of {item.name}; unlink it or push it down.")
        rest = [name for name in rest if name not in held]
    if rest:
        found.append(_track_reason(item, data, action, rest))
    return found


def _track_reason(item: bpy.types.Object, data: bpy.types.AnimData, action: bpy.types.Action, names: list[str]) -> str:
    tracks = list(data.nla_tracks)
    own = next((track for track in tracks if any(strip.action == action for strip in track.strips)), None)
    if own is not None and (own.mute or any(strip.mute for strip in own.strips) or not data.use_nla):
        return f"The track {own.name} of {item.name} is muted; unmute it in the Nonlinear Animation editor."
    if own is not None and any(track.is_solo and track != own for track in tracks):
        return f"Another track of {item.name} is set to solo; end that in the Nonlinear Animation editor."
    if own is not None and any(not track.mute for track in tracks[tracks.index(own) + 1 :]):
        return f"A track above {own.name} moves {_list(names)} of {item.name}; mute it or move it down."
    if any(curve.mute for slot in action.slots for curve in curve_action.curves_of(action, slot)):
        return f"Curves of {item.name} are muted; unmute them in the Graph Editor."
    return f"Something holds {_list(names)} of {item.name}; check the action in the Graph Editor."


def _without_effect(item: bpy.types.Object, keys: bpy.types.Key, active: list[str]) -> list[str]:
    """Reasons for keys whose values change without moving a vertex."""
    found = []
    if item.mode == "EDIT":
        found.append(f"{item.name} is in Edit Mode, which does not show its keys; leave Edit Mode.")
    if item.show_only_shape_key:
        found.append(f"{item.name} shows one shape key only; turn off the pin in its Shape Keys panel.")
    if not keys.use_relative:
        found.append(f"The shape keys of {item.name} are absolute; turn on Relative in its Shape Keys panel.")
    muted = [name for name in active if keys.key_blocks[name].mute]
    if muted:
        found.append(f"Muted shape keys of {item.name}: {_list(muted)}; turn them on in its Shape Keys panel.")
    if not any(has_shape(keys.key_blocks[name]) for name in active):
        found.append(f"Shape keys of {item.name} without a shape: {_list(active)}; sculpt them or choose others.")
    return found


def _list(names: list[str]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN])
    return shown if len(names) <= NAMES_SHOWN else f"{shown} and {len(names) - NAMES_SHOWN} more"
