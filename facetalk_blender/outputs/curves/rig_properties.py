"""Properties of control rigs that follow a channel because an artist or their name says so."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import bpy

from ....engine.shared.errors import EngineError
from ...retargeting.coverage import LIPS
from ...retargeting.matching import match_names
from ...retargeting.names import VISEMES
from ...retargeting.recognition import FUZZY
from ..rest_track import Place, exists, parted_path, rest_value
from .driver_source import place_of

DATA = "data."  # in front of paths of an armature's data, as Blender writes them from the object
LARGEST_FACTOR = 1000.0
LARGEST_REACH = 1e4  # what Blender gives as the limit of a property without one is larger


@dataclass(frozen=True)
class PropertyChoice:
    """A property of an object by its data path, seen from the object, and what it follows.

    gain: of the way from its present value to its largest (or to its least, if negative); of a property without limits,
    in its own unit.
    """

    item: str
    path: str
    channel: str
    gain: float = 1.0


def owner_and_place(choice: PropertyChoice) -> tuple[bpy.types.ID, Place]:
    """Whose property it is, and where. Raises EngineError when it cannot be moved."""
    problem = property_problem(bpy.data.objects.get(choice.item), choice.path)
    if problem:
        raise EngineError(problem)
    return _owner_and_place(bpy.data.objects[choice.item], choice.path)


def _owner_and_place(item: bpy.types.Object, path: str) -> tuple[bpy.types.ID, Place]:
    of_data = path.startswith(DATA)
    return item.data if of_data else item, place_of(path.removeprefix(DATA))


def property_problem(item: bpy.types.Object | None, path: str) -> str:
    """Why a property cannot follow a channel, in one sentence that names the fix; empty when it can."""
    if item is None:
        return "The object of a control is missing; choose another or remove its row."
    if not path:
        return f"Choose a property of {item.name}, or paste its data path (right-click it, Copy Data Path)."
    if path.startswith(DATA) and not isinstance(item.data, bpy.types.Armature):
        return f"Only properties of an object, a bone or an armature can be moved, not {path} of {item.name}."
    owner, place = _owner_and_place(item, path)
    if not exists(owner, place):
        return f"{item.name} has no number at {path}; choose another property."
    if not owner.is_editable:
        return f"{item.name} is linked; make a library override of it to let its properties move."
    driven = owner.animation_data.drivers if owner.animation_data is not None else ()
    if any((curve.data_path, curve.array_index) == place and not curve.mute for curve in driven):
        return f"A driver holds {path} of {item.name}; choose the property that drives it."
    return ""


def has_property(item: bpy.types.Object, path: str) -> bool:
    """Whether an object, its bones or its armature have a number at a data path."""
    if not path or (path.startswith(DATA) and not isinstance(item.data, bpy.types.Armature)):
        return False
    return exists(*_owner_and_place(item, path))


def reach_of(owner: bpy.types.ID, place: Place, gain: float) -> float:
    """How far a property goes from where it is to its largest value, or for a negative gain to its least; 1 without."""
    limits = _limits(owner, place)
    if limits is None:
        return 1.0
    rest = rest_value(owner, place)
    reach = limits[1] - rest if gain >= 0 else rest - limits[0]
    return reach if 0 < reach < LARGEST_REACH else 1.0


def full_value(owner: bpy.types.ID, place: Place, gain: float) -> float:
    """What a property is at a weight of 1."""
    return rest_value(owner, place) + gain * reach_of(owner, place, gain)


def _limits(owner: bpy.types.ID, place: Place) -> tuple[float, float] | None:
    """Least and largest value of a custom property's slider."""
    if not place[0].endswith("]"):
        return None
    holder, name = parted_path(owner, place[0])
    try:
        shown = holder.id_properties_ui(name).as_dict()
    except (TypeError, KeyError):
        return None
    low, high = shown.get("soft_min"), shown.get("soft_max")
    return (float(low), float(high)) if isinstance(low, (int, float)) and isinstance(high, (int, float)) else None


def custom_properties(item: bpy.types.Object) -> list[tuple[str, str]]:
    """Data paths, seen from an object, and names of the numbers that a rigger added to it, its bones and its data."""
    found = list(_numbers(item, ""))
    if item.type == "ARMATURE":
        for pose in item.pose.bones:
            found += _numbers(pose, f'pose.bones["{bpy.utils.escape_identifier(pose.name)}"]')
        found += _numbers(item.data, DATA)
    return found


def _numbers(holder: bpy.types.bpy_struct, before: str) -> Iterator[tuple[str, str]]:
    for name, value in holder.items():
        if isinstance(value, (int, float)) and not name.startswith(("facetalk", "_")):
            yield f'{before}["{bpy.utils.escape_identifier(name)}"]', name


def found_choices(items: Iterable[bpy.types.Object], taken: Collection[str] = ()) -> list[PropertyChoice]:
    """Properties of armatures and objects whose name says what they do, and that drive something.

    taken: channels that shape keys follow; what those do is left to them.
    """
    found: list[PropertyChoice] = []
    for item in items:
        names = {name: path for path, name in custom_properties(item) if not property_problem(item, path)}
        used = _driving(item)
        for name, match in match_names([list(names)]).items():
            free = match.method != FUZZY and not _is_done(match.channel, taken)
            if free and _owner_and_place(item, names[name]) in used:
                found.append(PropertyChoice(item.name, names[name], match.channel))
    return found


def _is_done(channel: str, taken: Collection[str]) -> bool:
    """Whether other channels move what this one would."""
    stems = {name.removesuffix("Left").removesuffix("Right") for name in taken}
    lips = LIPS.intersection(taken) if channel in VISEMES else VISEMES if channel in LIPS else ()
    return channel.removesuffix("Left").removesuffix("Right") in stems or bool(set(lips).intersection(taken))


def _driving(item: bpy.types.Object) -> set[tuple[bpy.types.ID, Place]]:
    """Owners and places of what drives an object, its bones or its data."""
    holders = [item] if item.data is None else [item, item.data]
    found = set()
    for holder in holders:
        for curve in holder.animation_data.drivers if holder.animation_data is not None else ():
            for variable in curve.driver.variables:
                found |= {
                    (target.id, place_of(target.data_path))
                    for target in variable.targets
                    if variable.type == "SINGLE_PROP" and target.id is not None
                }
    return found
