"""Takes and what was made of them go on belonging to their strip when it is renamed or replaced.

The strip's own values reach its results without this, see `strip_link`; here the names follow.
"""

from __future__ import annotations

from itertools import chain

import bpy
from bpy.app.handlers import persistent

from ..sound import playback, strip_link
from ..sound import strip as sound_strip
from ..sound.digest import DIGESTS
from . import take
from .status import TOLERANCE


@persistent
def follow_strips(*_arguments) -> None:
    """Handler: bring links of all scenes, and the names that takes and results say, up to date with the strips."""
    for scene in bpy.data.scenes:
        if scene.library is None and strip_link.links(scene):
            _follow(scene)


def _follow(scene: bpy.types.Scene) -> None:
    for text in take.takes_of(scene):
        if text.library is None and strip_link.LINK_PROPERTY in text:
            _find_replacement(scene, text)
    strip_link.update(scene)
    playback.keep_for_other_scenes(scene)
    names = {
        item[strip_link.STRIP_PROPERTY]: strip_link.linked_name(scene, item[strip_link.LINK_PROPERTY])
        for item in _followers(scene)
        if strip_link.LINK_PROPERTY in item
    }
    changed = {old: new for old, new in names.items() if new not in ("", old)}
    if changed:
        _rename(scene, changed)


def _followers(scene: bpy.types.Scene) -> list[bpy.types.ID]:
    """What speaks a strip of the scene: takes, actions and results."""
    owned = (item for item in chain(bpy.data.texts, bpy.data.actions) if item.get(strip_link.SCENE_PROPERTY) == scene)
    followers = chain(owned, scene.objects)
    return [item for item in followers if item.library is None and strip_link.STRIP_PROPERTY in item]


def remove_unused_links() -> None:
    """Remove links to strips that no take, result or action speaks."""
    for scene in bpy.data.scenes:
        keys = strip_link.links(scene) if scene.library is None else []
        spoken = {item[strip_link.STRIP_PROPERTY] for item in _followers(scene)} if keys else set()
        for key in keys:
            if strip_link.linked_name(scene, key) not in spoken:
                strip_link.disconnect(scene, key)


def _find_replacement(scene: bpy.types.Scene, text: bpy.types.Text) -> None:
    """When the strip of a take is gone, link the take to the one other strip that plays the same sound.

    Of several the one that plays the same part of it. Until the digests of their sounds are known, nothing is done.
    """
    key = text[strip_link.LINK_PROPERTY]
    name = strip_link.linked_name(scene, key)
    if not name or sound_strip.find_strip(scene, name) is not None:
        return
    spoken = {strip_link.linked_name(scene, other) for other in strip_link.links(scene)}
    free = [strip for strip in sound_strip.sound_strips(scene) if strip.sound and strip.name not in spoken]
    same = [strip for strip in free if DIGESTS.of(strip) == text[take.SOUND_PROPERTY]]
    if len(same) > 1:
        same = [strip for strip in same if _plays(strip, text[take.PART_PROPERTY])]
    if len(same) == 1:
        strip_link.relink(scene, key, same[0].name)


def _plays(strip: bpy.types.SoundStrip, part: tuple[float, float]) -> bool:
    return all(abs(a - b) <= TOLERANCE for a, b in zip(sound_strip.heard_part(strip), part, strict=True))


def _rename(scene: bpy.types.Scene, names: dict[str, str]) -> None:
    """Have everything that speaks a strip of the scene say the strip's new name."""
    for item in _followers(scene):
        item[strip_link.STRIP_PROPERTY] = names.get(item[strip_link.STRIP_PROPERTY], item[strip_link.STRIP_PROPERTY])
    settings = scene.facetalk
    settings.strip = names.get(settings.strip, settings.strip)
