"""A full copy of a scene gets takes, players and actions of its own.

Playback is right without this, see `playback`. But Blender copies neither texts nor node groups and cache files, nor
actions where the preferences say so: what is then done to one scene would be seen in the other.
"""

from __future__ import annotations

from collections.abc import Iterator

import bpy
from bpy.app.handlers import persistent

from ..outputs import curve_action
from ..outputs.frames import frames_in_cache, frames_in_file
from ..sound.strip_link import LINK_PROPERTY, SCENE_PROPERTY, links
from ..takes.take import TAKE_PROPERTY


@persistent
def part_copies(*_arguments) -> None:
    """Handler: part scenes that were copied from the scenes that they are copies of."""
    scenes = [scene for scene in bpy.data.scenes if scene.library is None]
    keys = [key for scene in scenes for key in links(scene)]
    if len(keys) > len(set(keys)):
        for scene in scenes:
            _Parting(scene).run()


class _Parting:
    """Gives one scene what it still shares with the one that it is a copy of."""

    def __init__(self, scene: bpy.types.Scene):
        self._scene = scene
        self._takes: dict[bpy.types.Text, bpy.types.Text] = {}
        self._actions: dict[bpy.types.Action, bpy.types.Action] = {}

    def run(self) -> None:
        own = [item for item in self._scene.objects if item.library is None and item.override_library is None]
        for item in own:
            text = item.get(TAKE_PROPERTY)
            if isinstance(text, bpy.types.Text) and self._is_foreign(text, item):
                item[TAKE_PROPERTY] = self._own_take(text)
                frames_in_file.part_player(item)
                frames_in_cache.part_player(item)
            for owner in _owners(item):
                for action in {action for action, _ in curve_action.uses(owner)}:
                    self._part_action(action, owner, item)
        settings = self._scene.facetalk
        if settings.take in self._takes:
            settings.take = self._takes[settings.take]

    def _is_foreign(self, holder: bpy.types.ID, item: bpy.types.Object) -> bool:
        """Whether a take or an action belongs to another scene, and the object is a copy of one there."""
        home = holder.get(SCENE_PROPERTY)
        if home == self._scene or holder.get(LINK_PROPERTY) not in self._scene:
            return False
        return home is None or home.objects.get(item.name) != item

    def _own_take(self, text: bpy.types.Text) -> bpy.types.Text:
        if text not in self._takes:
            copy = self._takes[text] = text.copy() if text.get(SCENE_PROPERTY) is not None else text
            copy[SCENE_PROPERTY] = self._scene
        return self._takes[text]

    def _part_action(self, action: bpy.types.Action, owner: bpy.types.ID, item: bpy.types.Object) -> None:
        if self._is_foreign(action, item):
            if action not in self._actions:
                shared = any(moved not in self._owned() for moved, _ in curve_action.moved(action))
                self._actions[action] = action.copy() if shared else action
            copy = self._actions[action]
            copy[SCENE_PROPERTY] = self._scene
            curve_action.exchange(owner, action, copy)
            action = copy
        text = action.get(TAKE_PROPERTY)
        if isinstance(text, bpy.types.Text) and self._is_foreign(text, item):
            action[TAKE_PROPERTY] = self._own_take(text)

    def _owned(self) -> set[bpy.types.ID]:
        return {owner for item in self._scene.objects for owner in _owners(item)}


def _owners(item: bpy.types.Object) -> Iterator[bpy.types.ID]:
    """What actions of this extension move of an object."""
    yield item
    if item.type == "ARMATURE":
        yield item.data
    if item.type == "MESH" and item.data.shape_keys is not None:
        yield item.data.shape_keys
