"""What a take moves beside shape keys: bones of jaw, eyes and head, properties that drive keys, and chosen ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import bpy
import numpy as np

from ...blender_data.datablocks import resolve
from ...retargeting.coverage import abilities
from ...retargeting.key_link import KeyLink
from ..rest_track import Place, rest_value
from .bones import (
    HEAD,
    JAW,
    LEFT_EYE,
    NECK,
    RIGHT_EYE,
    WEIGHTS,
    Aim,
    BoneChoice,
    Turn,
    armatures_of,
    found_choices,
    held,
    moved_bone,
    turns,
)
from .driver_source import Source
from .rig_properties import PropertyChoice, owner_and_place, reach_of

# What the bones of a part are for; they do only what no shape key does.
ABILITIES = {JAW: "opens", LEFT_EYE: "looks around", RIGHT_EYE: "looks around", HEAD: "turns", NECK: "turns"}


@dataclass(frozen=True)
class PropertyLink:
    """A place of an owner that follows a channel, times a gain; from its rest value on if `added`, else from 0."""

    place: Place
    channel: str
    gain: float
    added: bool = False


@dataclass
class ControlPlan:
    """What moves on one owner. meshes: names of the targets whose keys its properties drive.

    session_uid: of an object that shows it; owner_uid: of the owner itself, in a collection of bpy.data.
    """

    name: str
    id_type: str
    collection: str
    owner_uid: int
    session_uid: int
    properties: list[PropertyLink] = field(default_factory=list)
    turns: list[Turn | Aim] = field(default_factory=list)
    meshes: set[str] = field(default_factory=set)

    @property
    def links(self) -> tuple[KeyLink, ...]:
        """Its channels, as those of shape keys."""
        moved = [KeyLink(link.place[0], link.channel, link.gain) for link in self.properties]
        return (*moved, *(KeyLink(turn.bone, name) for turn in self.turns for name in WEIGHTS[turn.part]))

    def owner(self) -> bpy.types.ID:
        """The owner. Raises DataBlockLost when it is gone."""
        return resolve(getattr(bpy.data, self.collection), self.owner_uid)

    def curves(self, rows: Callable[[Iterable[str]], dict[str, np.ndarray]]) -> list[tuple[Place, np.ndarray, float]]:
        """Places with values (F,) and rest. rows: gives the values (F,) of channels, of those that there are."""
        owner, found = self.owner(), []
        values = rows(link.channel for link in self.links)
        for link in self.properties:
            if link.channel in values:
                rest = rest_value(owner, link.place)
                found.append((link.place, values[link.channel] * link.gain + link.added * rest, rest))
        for turn in self.turns:
            if values.keys() >= set(WEIGHTS[turn.part]):
                made = turn.curves(owner, values)
                found += [(place, row, rest_value(owner, place)) for place, row in made.items()]
        return found


def _plan_for(owner: bpy.types.ID, item: bpy.types.Object, made: dict[bpy.types.ID, ControlPlan]) -> ControlPlan:
    if owner not in made:
        kinds = {bpy.types.Object: "objects", bpy.types.Armature: "armatures", bpy.types.Key: "shape_keys"}
        collection = next(name for kind, name in kinds.items() if isinstance(owner, kind))
        shown = owner if collection == "objects" else item
        made[owner] = ControlPlan(owner.name, owner.id_type, collection, owner.session_uid, shown.session_uid)
    return made[owner]


def add_sources(
    item: bpy.types.Object, driven: Sequence[tuple[KeyLink, Source]], made: dict[bpy.types.ID, ControlPlan]
) -> None:
    """Let the sources of a mesh's driven keys follow what the keys would; one that several keys have moves once."""
    for link, source in driven:
        plan = _plan_for(source.owner, item, made)
        plan.meshes.add(item.name)
        if not any(known.place == source.place for known in plan.properties):
            plan.properties.append(PropertyLink(source.place, link.channel, link.gain / source.factor))


def add_properties(choices: Iterable[PropertyChoice], made: dict[bpy.types.ID, ControlPlan]) -> None:
    """Let properties of rigs follow channels as an artist chose. Raises EngineError when one cannot."""
    for choice in choices:
        item, (owner, place) = bpy.data.objects[choice.item], owner_and_place(choice)
        plan = _plan_for(owner, item, made)
        plan.properties = [known for known in plan.properties if known.place != place]
        gain = choice.gain * reach_of(owner, place, choice.gain)
        plan.properties.append(PropertyLink(place, choice.channel, gain, added=True))


def add_bones(
    items: Sequence[bpy.types.Object],
    channels: set[str],
    made: dict[bpy.types.ID, ControlPlan],
    chosen: Sequence[BoneChoice] | None = None,
) -> list[str]:
    """Let jaw and eye bones do what no shape key does. Sentences on bones that cannot.

    chosen: by the artist; None takes those that are found.
    """
    can, problems = abilities(channels), []
    for armature in armatures_of(items):
        choices = found_choices(armature, items) if chosen is None else chosen
        free = [choice for choice in choices if choice.armature == armature.name and ABILITIES[choice.part] not in can]
        for turn in turns(armature, free):
            problem = _bone_problem(armature, turn.bone)
            if problem:
                problems.append(problem)
            else:
                _plan_for(armature, armature, made).turns.append(turn)
    return problems


def _bone_problem(armature: bpy.types.Object, bone: str) -> str:
    """Why a bone cannot turn with a take, in one sentence that names the fix; empty when it can."""
    if not armature.is_editable:
        return f"The armature {armature.name} is linked; make a library override of it to let its {bone} move."
    holder = held(armature, bone)
    if holder:
        return f"The constraint {holder} turns the bone {bone} of {armature.name}; mute it to let curves do so."
    return ""


def bone_channels(chosen: Iterable[BoneChoice], channels: set[str]) -> set[str]:
    """What chosen bones would follow beside channels of keys and properties."""
    can, found = abilities(channels), set()
    for choice in chosen:
        armature = bpy.data.objects[choice.armature]
        free = ABILITIES[choice.part] not in can and choice.bone in armature.pose.bones
        if free and not _bone_problem(armature, moved_bone(armature, choice)):
            found.update(WEIGHTS[choice.part])
    return found
