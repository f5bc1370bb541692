"""Meshes of the artist that can have expression curves: what holds them back, their keys, and what these follow."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from ...retargeting.matching import Match, match_meshes
from .bones import armatures_of

LEAST_DISTANCE = 1e-6  # of a vertex, in the mesh's units


def target_problem(item: bpy.types.Object | None) -> str:
    """Why a mesh cannot have expression curves, in one sentence that names the fix; empty when it can."""
    if item is None:
        return "A target mesh is missing; choose another or remove its row."
    if item.type == "MESH" and item.data.shape_keys is None and _has_controls(item):
        linked = next((armature for armature in armatures_of([item]) if not armature.is_editable), None)
        return _linked_advice(linked) if linked is not None else ""
    if item.type != "MESH" or item.data.shape_keys is None or len(item.data.shape_keys.key_blocks) < 2:
        return f"{item.name} is not a mesh with shape keys; choose another target or add shape keys."
    keys = item.data.shape_keys
    if item.data.library is not None or keys.library is not None:
        return _linked_advice(item)
    if not keys.use_relative:
        return f"The shape keys of {item.name} are absolute; turn on Relative in its Shape Keys panel."
    if keys.animation_data is not None and keys.animation_data.use_tweak_mode:
        return f"A strip of {item.name} is being tweaked; leave tweak mode in the Nonlinear Animation editor."
    return ""


def _has_controls(item: bpy.types.Object) -> bool:
    """Whether bones or properties of a rig may open the mouth of a mesh without shape keys."""
    return any(armature.pose.bones for armature in armatures_of([item]))


def _linked_advice(item: bpy.types.Object) -> str:
    if item.library is not None:
        return f"{item.name} is linked; use Object > Library Override > Make, then choose the override."
    return f"The mesh of {item.name} is linked; press Override Mesh below the targets to animate it here."


def rigs_of(items: Sequence[bpy.types.Object | None]) -> list[bpy.types.Object]:
    """Meshes and the armatures that move them: what may have controls for the face."""
    present = [item for item in items if item is not None]
    return [*armatures_of(present), *present]


def can_override(item: bpy.types.Object | None) -> bool:
    """Whether the mesh of an object is linked while the object is not, so that an override of the mesh is enough."""
    return item is not None and item.library is None and item.type == "MESH" and item.data.library is not None


def key_names(item: bpy.types.Object) -> list[str]:
    """The shape keys of a mesh that move it: all but the one that it rests in."""
    keys = item.data.shape_keys
    return [block.name for block in keys.key_blocks if block != keys.reference_key] if keys is not None else []


def has_shape(block: bpy.types.ShapeKey) -> bool:
    """Whether a key moves any vertex."""
    count = 3 * len(block.points)
    own, relative = np.empty(count, np.float32), np.empty(count, np.float32)
    block.points.foreach_get("co", own)
    block.relative_key.points.foreach_get("co", relative)
    return bool(np.abs(own - relative).max(initial=0.0) > LEAST_DISTANCE)


def matches(items: Sequence[bpy.types.Object]) -> list[dict[str, Match]]:
    """What the keys of each mesh follow by their names.

    A key without a shape counts only on a mesh on which no other is known: it must not keep one from moving that can.
    """
    shaped = [[name for name in key_names(item) if has_shape(item.data.shape_keys.key_blocks[name])] for item in items]
    known = match_meshes(shaped)
    rows = zip(items, shaped, known, strict=True)
    return match_meshes([names if found else key_names(item) for item, names, found in rows])
