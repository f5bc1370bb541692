"""Takes and what was made of them go on belonging to their strip when it is renamed or replaced.

The strip's own values reach its results without this, see `strip_link`; here the names follow.
"""

from __future__ import annotations

from itertools import chain

import bpy
from bpy.app.handlers import persistent

from ..sound import strip as sound_strip
from ..sound import strip_link
from ..sound.digest import DIGESTS
from . import take
from .status import TOLERANCE


@persistent
def follow_names(*_arguments) -> None:
    """Handler: where a strip has another name than its takes say, bring the names up to date."""
    for scene in {text[strip_link.SCENE_PROPERTY] for text in bpy.data.texts if _follows(text)}:
        texts = [text for text in take.takes_of(scene) if _follows(text)]
        for text in texts:
            _find_replacement(scene, text)
        names = {
            text[strip_link.STRIP_PROPERTY]: strip_link.linked_name(scene, text[take.LINK_PROPERTY]) for text in texts
        }
        changed = {old: new for old, new in names.items() if new not in ("", old)}
        if changed:
            _rename(scene, changed)


def remove_unused_links() -> None:
    """Remove links to strips that no take, result or action speaks."""
    followers = chain(bpy.data.objects, bpy.data.texts, bpy.data.actions)
    spoken = {item.get(strip_link.STRIP_PROPERTY) for item in followers}
    for scene in bpy.data.scenes:
        for key in strip_link.links(scene) if scene.library is None else ():
            if strip_link.linked_name(scene, key) not in spoken:
                strip_link.disconnect(scene, key)


def _follows(text: bpy.types.Text) -> bool:
    return text.library is None and take.LINK_PROPERTY in text and text.get(strip_link.SCENE_PROPERTY) is not None


def _find_replacement(scene: bpy.types.Scene, text: bpy.types.Text) -> None:
    """When the strip of a take is gone, link the take to the one other strip that plays the same sound.

    Of several the one that plays the same part of it. Until the digests of their sounds are known, nothing is done.
    """
    key = text[take.LINK_PROPERTY]
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
    owned = (item for item in chain(bpy.data.texts, bpy.data.actions) if item.get(strip_link.SCENE_PROPERTY) == scene)
    for item in chain(owned, scene.objects):
        if item.library is None and item.get(strip_link.STRIP_PROPERTY) in names:
            item[strip_link.STRIP_PROPERTY] = names[item[strip_link.STRIP_PROPERTY]]
    settings = scene.facetalk
    settings.strip = names.get(settings.strip, settings.strip)
