"""Meshes of the artist that can have expression curves: what holds them back, their keys, and what these follow."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from ...retargeting.matching import Match, match_meshes

LEAST_DISTANCE = 1e-6  # of a vertex, in the mesh's units


def target_problem(item: bpy.types.Object | None) -> str:
    """Why a mesh cannot have expression curves, in one sentence that names the fix; empty when it can."""
    if item is None:
        return "A target mesh is missing; choose another or remove its row."
    if item.type != "MESH" or item.data.shape_keys is None or len(item.data.shape_keys.key_blocks) < 2:
        return f"{item.name} is not a mesh with shape keys; choose another target or add shape keys."
    keys = item.data.shape_keys
    if item.data.library is not None or keys.library is not None:
        return f"The mesh of {item.name} is linked; use Object > Library Override > Make, and choose the override."
    if not keys.use_relative:
        return f"The shape keys of {item.name} are absolute; turn on Relative in its Shape Keys panel."
    if keys.animation_data is not None and keys.animation_data.use_tweak_mode:
        return f"A strip of {item.name} is being tweaked; leave tweak mode in the Nonlinear Animation editor."
    return ""


def key_names(item: bpy.types.Object) -> list[str]:
    """The shape keys of a mesh that move it: all but the one that it rests in."""
    keys = item.data.shape_keys
    return [block.name for block in keys.key_blocks if block != keys.reference_key]


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
