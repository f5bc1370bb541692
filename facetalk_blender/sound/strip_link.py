"""Links to sound strips: custom properties of a scene to which drivers copy when a strip is heard.

Paths address a strip by its name, and when a strip is renamed Blender corrects the paths of its scene alone. So the
drivers of the scene copy the strip's values to its link, and what is made for the strip is driven by the link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count

import bpy

from .. import compat

STRIP_PROPERTY = "facetalk_strip"  # on a result, a take, an action: name of the sound strip that it speaks
SCENE_PROPERTY = "facetalk_scene"  # on a take and an action: the scene of that strip
LINK_PREFIX = "facetalk_link_"  # of the custom properties of a scene that are links to strips


def connect(scene: bpy.types.Scene, strip_name: str) -> str:
    """The link to a sound strip: a custom property of the scene with the strip's values. Made when there is none."""
    key = next((key for key in links(scene) if linked_name(scene, key) == strip_name), None)
    if key is None:
        key = next(key for number in count(1) if (key := f"{LINK_PREFIX}{number}") not in scene)
        paths = compat.strip_timing_paths()
        scene[key] = [0.0] * len(paths)
        scene.id_properties_ui(key).update(description="When a sound strip is heard; drives its talking head")
        for index, fact in enumerate(paths.values()):
            driver = scene.driver_add(f'["{key}"]', index).driver
            add_variable(driver, "value", scene, f"{_strip_path(strip_name)}.{fact}")
            driver.expression = "value"
    return key


def links(scene: bpy.types.Scene) -> list[str]:
    """The links to strips that a scene has."""
    return [key for key in scene.keys() if key.startswith(LINK_PREFIX)]


def linked_name(scene: bpy.types.Scene, key: str) -> str:
    """Name of the strip of a link, whether the strip is there or not; empty when there is no such link."""
    target = next(_link_targets(scene, key), None)
    found = re.fullmatch(r'sequence_editor\.strips_all\["(.*)"\]\.\w+', target.data_path) if target else None
    return bpy.utils.unescape_identifier(found[1]) if found else ""


def relink(scene: bpy.types.Scene, key: str, strip_name: str) -> None:
    """Let a link, and what is driven by it, follow another strip."""
    for target in _link_targets(scene, key):
        target.data_path = f"{_strip_path(strip_name)}.{target.data_path.rpartition('.')[2]}"


def disconnect(scene: bpy.types.Scene, key: str) -> None:
    """Remove a link."""
    scene.driver_remove(f'["{key}"]')
    del scene[key]


def _strip_path(strip_name: str) -> str:
    return f'sequence_editor.strips_all["{bpy.utils.escape_identifier(strip_name)}"]'


def _link_targets(scene: bpy.types.Scene, key: str) -> Iterator[bpy.types.DriverTarget]:
    drivers = scene.animation_data.drivers if scene.animation_data else ()
    return (curve.driver.variables[0].targets[0] for curve in drivers if curve.data_path == f'["{key}"]')


def add_variable(driver: bpy.types.Driver, name: str, owner: bpy.types.ID, path: str) -> None:
    """Give a driver the value at a path of a datablock under a name."""
    variable = driver.variables.new()
    variable.name = name
    target = variable.targets[0]
    target.id_type = owner.id_type
    target.id = owner
    target.data_path = path
