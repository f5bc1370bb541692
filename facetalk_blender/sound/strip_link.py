"""Links to sound strips: custom properties of a scene to which its drivers copy when a strip is heard.

Paths address a strip by its name, and when a strip is renamed Blender corrects the paths of its scene alone. So the
drivers of the scene copy the strip's values to its link, and what is made for the strip is driven by the link of the
scene in which it is seen: a copy of a scene has the same link, which its own drivers fill.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import bpy

from .. import compat
from .audibility import hidden_silence, metas_around

STRIP_PROPERTY = "facetalk_strip"  # on a result, a take, an action: name of the sound strip that it speaks
SCENE_PROPERTY = "facetalk_scene"  # on a take and an action: the scene of that strip
LINK_PROPERTY = "facetalk_link"  # on a result, a take, an action: the link to that strip in its scene
LINK_PREFIX = "facetalk_link_"  # of the custom properties of a scene that are links to strips
# What a link tells: frame of the content's start, nothing (a trim in earlier versions), first frame heard, the frame
# after the last, seconds of delay, and whether nobody hears the strip.
VALUES = ("start", "", "left", "right", "delay", "mute")


Rule = tuple[str, tuple[str, ...]]  # of a value: a key of RULES, and paths seen from the scene
# What is made of the numbers at the paths: as a driver's expression of so many variables, and at once.
RULES: dict[str, tuple[Callable[[int], str], Callable[[list[float]], float]]] = {
    "difference": (lambda count: "v0 - v1", lambda found: found[0] - found[1]),
    "least": (lambda count: _of_all("min", count), min),
    "largest": (lambda count: _of_all("max", count), max),
    "one": (lambda count: "1", lambda found: 1.0),
}


def _of_all(function: str, count: int) -> str:
    names = ", ".join(f"v{index}" for index in range(count))
    return f"{function}({names})" if count > 1 else names


def connect(scene: bpy.types.Scene, strip_name: str) -> str:
    """The link to a sound strip: a custom property of the scene with the strip's values. Made when there is none."""
    key = next((key for key in links(scene) if linked_name(scene, key) == strip_name), None)
    if key is None:
        # Its name is found in no scene of any file but the copies of this one.
        key = f"{LINK_PREFIX}{uuid.uuid4().hex[:12]}"
        scene[key] = [0.0] * len(VALUES)
        scene.id_properties_ui(key).update(description="When a sound strip is heard; drives its talking head")
        relink(scene, key, strip_name)
    return key


def links(scene: bpy.types.Scene) -> list[str]:
    """The links to strips that a scene has."""
    return [key for key in scene.keys() if key.startswith(LINK_PREFIX)]


def linked_name(scene: bpy.types.Scene, key: str) -> str:
    """Name of the strip of a link, whether the strip is there or not; empty when there is no such link."""
    _, paths = _written(scene, key).get(0, ("", ("",)))
    found = re.fullmatch(r'sequence_editor\.strips_all\["(.*)"\]\.\w+', paths[0])
    return bpy.utils.unescape_identifier(found[1]) if found else ""


def relink(scene: bpy.types.Scene, key: str, strip_name: str) -> None:
    """Let a link, and what is driven by it, follow another strip."""
    scene.driver_remove(f'["{key}"]')
    for index, (rule, paths) in _rules(scene, strip_name).items():
        driver = scene.driver_add(f'["{key}"]', index).driver
        for number, path in enumerate(paths):
            variable = driver.variables.new()
            variable.name = f"v{number}"
            target = variable.targets[0]
            target.id_type, target.id, target.data_path = scene.id_type, scene, path
        driver.expression = RULES[rule][0](len(paths))


def disconnect(scene: bpy.types.Scene, key: str) -> None:
    """Remove a link."""
    scene.driver_remove(f'["{key}"]')
    del scene[key]


def update(scene: bpy.types.Scene) -> None:
    """Bring the drivers of a scene's links up to date with what no driver can follow, see `audibility.hidden_silence`,
    and with the meta strips around the strips.
    """
    for key in links(scene):
        name = linked_name(scene, key)
        if name and find_strip(scene, name) is not None:
            rules = _rules(scene, name).items()
            needed = {index: (RULES[rule][0](len(paths)), paths) for index, (rule, paths) in rules}
            if needed != _written(scene, key):
                relink(scene, key, name)
                scene[key][1] = 0.0  # of a link of an earlier version


def values(scene: bpy.types.Scene, strip_name: str) -> dict[str, float]:
    """What a link to the strip tells, by VALUES; nothing when the strip is gone."""
    if find_strip(scene, strip_name) is None:
        return {}
    rules = _rules(scene, strip_name)
    return {
        VALUES[index]: RULES[rule][1]([float(scene.path_resolve(path)) for path in paths])
        for index, (rule, paths) in rules.items()
    }


def find_strip(scene: bpy.types.Scene, name: str) -> bpy.types.Strip | None:
    """The scene's strip of that name, or None."""
    editor = scene.sequence_editor
    return next((strip for strip in editor.strips_all if strip.name == name), None) if editor else None


def _rules(scene: bpy.types.Scene, strip_name: str) -> dict[int, Rule]:
    """What a link to a strip needs now, by the index of the value."""
    strip, facts = find_strip(scene, strip_name), compat.strip_timing_paths()
    names = [strip_name, *(meta.name for meta in metas_around(strip))] if strip else [strip_name]
    parts = [f'sequence_editor.strips_all["{bpy.utils.escape_identifier(name)}"]' for name in names]
    silent = strip is not None and hidden_silence(strip)
    return {
        0: ("difference", (f"{parts[0]}.{facts['start']}", f"{parts[0]}.{facts['trim']}")),
        2: ("largest", tuple(f"{part}.{facts['left']}" for part in parts)),
        3: ("least", tuple(f"{part}.{facts['right']}" for part in parts)),
        4: ("largest", (f"{parts[0]}.{facts['delay']}",)),
        5: ("one", ()) if silent else ("largest", tuple(f"{part}.{facts['mute']}" for part in parts)),
    }


def _written(scene: bpy.types.Scene, key: str) -> dict[int, tuple[str, tuple[str, ...]]]:
    """Expressions and paths of a link's drivers, by the index of their value."""
    drivers = scene.animation_data.drivers if scene.animation_data else ()
    return {
        curve.array_index: (
            curve.driver.expression,
            tuple(variable.targets[0].data_path for variable in curve.driver.variables),
        )
        for curve in drivers
        if curve.data_path == f'["{key}"]'
    }
