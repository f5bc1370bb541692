"""Presets of the settings of Expression Curves: what is kept of a character, and how it comes back in another file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import bpy

from ..outputs.curves import rig_properties
from ..outputs.curves.bones import PARTS, armatures_of
from ..outputs.curves.presets import Preset
from ..outputs.curves.targets import rigs_of
from ..retargeting.key_link import KeyLink
from .curves import MANUAL, FaceTalkCurves


def preset_folder() -> Path:
    """Where presets lie: beside Blender's own."""
    return Path(bpy.utils.user_resource("SCRIPTS", path="presets/facetalk_expression_curves"))


def preset_of(curves: FaceTalkCurves) -> Preset:
    """What the keys, bones and properties follow, and those that an artist left alone."""
    links = [KeyLink(row.name, row.channel, row.gain) for row in curves.links if row.channel or row.method == MANUAL]
    properties = [row.choice() for row in curves.controls if row.item is not None and row.path]
    properties += [replace(row.choice(), channel="") for row in curves.left_alone if row.item is not None]
    bones = [row.choice() for row in curves.bone_rows if row.armature is not None]
    return Preset(tuple(links), tuple(bones), tuple(properties), curves.bones)


def apply(curves: FaceTalkCurves, preset: Preset) -> str:
    """Take over a preset, as if all of it were set by hand; bones and properties go to the targets' rigs.

    Which of it these rigs lack, in a sentence; empty when nothing.
    """
    if preset.bones is not None:
        curves.bones = preset.use_bones  # which looks for names again, so it comes first
    curves.set_links(list(preset.links))
    items = [item for item in curves.target_items() if item is not None]
    missing = []
    if preset.bones is not None:
        missing += _apply_bones(curves, preset, armatures_of(items))
    if preset.properties is not None:
        missing += _apply_properties(curves, preset, rigs_of(items))
    if not missing:
        return ""
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    found = "Add the character's meshes as targets and load the preset again" if not items else "They are left out"
    return f"The targets have no {', '.join(missing[:3])}{more}. {found}."


def _apply_bones(curves: FaceTalkCurves, preset: Preset, armatures: list[bpy.types.Object]) -> list[str]:
    """Fill the rows of bones; names of bones that none of the armatures has."""
    found = {(row.armature, row.part): (row.choice(), row.method) for row in curves.bone_rows if row.armature}
    names = [(choice.armature, choice.bone) for choice in preset.bones]
    owners, missing = _owners(armatures, names, lambda item, bone: bone in item.data.bones), []
    for choice in preset.bones:
        armature = owners[choice.armature]
        if armature is not None and (not choice.bone or choice.bone in armature.data.bones):
            found[armature, choice.part] = choice, MANUAL
        elif choice.bone:
            missing.append(f"bone {choice.bone}")
    curves.bone_rows.clear()
    for armature in armatures:
        for part in PARTS:
            if (armature, part) in found:
                curves.add_bone(armature, *found[armature, part])
    return missing


def _apply_properties(curves: FaceTalkCurves, preset: Preset, rigs: list[bpy.types.Object]) -> list[str]:
    """Fill the rows of properties; data paths of those that none of the rigs has."""
    curves.controls.clear()
    curves.left_alone.clear()
    curves.active_control = 0
    names = [(choice.item, choice.path) for choice in preset.properties]
    owners, missing = _owners(rigs, names, rig_properties.has_property), []
    for choice in preset.properties:
        item = owners[choice.item]
        if item is None or not rig_properties.has_property(item, choice.path):
            missing += [choice.path] if choice.channel else []
        elif choice.channel:
            curves.add_control(item, choice.path, choice.channel, choice.gain)
        else:
            curves.leave_alone(item, choice.path)
    return missing


def _owners(
    items: Sequence[bpy.types.Object],
    names: Sequence[tuple[str, str]],
    has: Callable[[bpy.types.Object, str], bool],
) -> dict[str, bpy.types.Object | None]:
    """The object for each name of one that a preset knows: the one that has most of what it had, else none.

    In another file it may be called Rig.001. names: of objects, each with something that it had.
    """
    owners = {}
    for name in {name for name, _ in names}:
        count, _, item = max(
            (
                (sum(has(item, part) for other, part in names if other == name), item.name == name, item)
                for item in items
            ),
            key=lambda found: found[:2],
            default=(0, False, None),
        )
        owners[name] = item if count else None
    return owners
