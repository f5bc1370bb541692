"""Settings of Expression Curves in a scene: target meshes, and the table of which shape key follows which channel."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...engine.shared.arkit import ARKIT_NAMES
from ..outputs.curves.controls import bone_channels
from ..outputs.curves.expression_curves import CurveSettings
from ..outputs.curves.targets import key_names, matches, target_problem
from ..retargeting.matching import match_names
from ..retargeting.names import CHANNELS
from ..retargeting.presets import LARGEST_GAIN, KeyLink
from ..retargeting.recognition import FUZZY

MANUAL = "Manual"


def _channel_names(_self, _context: bpy.types.Context, _text: str) -> tuple[str, ...]:
    return CHANNELS


def _match_again(self, _context: bpy.types.Context) -> None:
    curves = self.id_data.facetalk.curves
    if not curves.problem():
        curves.match()


def _set_by_hand(self, _context: bpy.types.Context) -> None:
    self.method, self.likeness = MANUAL, 1.0


class FaceTalkTarget(bpy.types.PropertyGroup):
    """A mesh that gets expression curves."""

    item: bpy.props.PointerProperty(
        name="Mesh",
        description="Mesh with shape keys, or with a jaw bone",
        type=bpy.types.Object,
        poll=lambda _self, item: item.type == "MESH" and not target_problem(item),
        update=_match_again,
    )
    # What the mesh showed before one of its keys was tried: the active key, and whether it alone was shown.
    key_before: bpy.props.IntProperty()
    pinned_before: bpy.props.BoolProperty()


class FaceTalkLink(bpy.types.PropertyGroup):
    """A shape key by its name, and what it follows."""

    channel: bpy.props.StringProperty(
        name="Follows",
        description="ARKit weight, weight of both sides, or viseme that the shape key follows. Empty: it is left alone",
        search=_channel_names,
        update=_set_by_hand,
    )
    gain: bpy.props.FloatProperty(
        name="Gain", description="Factor on the channel", default=1.0, min=0.0, soft_max=2.0, max=LARGEST_GAIN
    )
    method: bpy.props.StringProperty(name="Found by", description="How the channel was found")
    likeness: bpy.props.FloatProperty(name="Likeness", description="How alike the names are", default=1.0)


class FaceTalkCurves(bpy.types.PropertyGroup):
    """How Expression Curves are made."""

    targets: bpy.props.CollectionProperty(type=FaceTalkTarget)
    active_target: bpy.props.IntProperty(name="Target")
    links: bpy.props.CollectionProperty(type=FaceTalkLink)
    active_link: bpy.props.IntProperty(name="Shape Key", description="Shape key and the channel that it follows")
    show_all: bpy.props.BoolProperty(
        name="Show All", description="Also list the shape keys that follow nothing", default=False
    )
    bones: bpy.props.BoolProperty(
        name="Jaw and Eye Bones",
        description="Let bones of the targets' armature open the mouth and move the eyes where no shape key does",
        default=True,
        update=_match_again,
    )
    bone_channels: bpy.props.StringProperty(description="What bones follow, found when names are matched")
    tried: bpy.props.StringProperty(
        name="Tried Key", description="Shape key that is shown at its full value; empty: none"
    )
    keys: bpy.props.EnumProperty(
        name="Keys",
        description="How many keyframes the curves have",
        items=(
            ("REDUCED", "Reduced", "Few smooth keys, within the tolerance: easy to edit"),
            ("DENSE", "Every Frame", "A key at every frame of the scene: exact"),
        ),
    )
    tolerance: bpy.props.FloatProperty(
        name="Tolerance",
        description="Largest difference between reduced curves and the take, at any frame of the scene",
        default=0.005,
        min=0.0001,
        max=0.2,
        precision=4,
    )

    def target_items(self) -> list[bpy.types.Object | None]:
        """The target meshes; None for a row whose mesh was deleted."""
        return [row.item for row in self.targets]

    def problem(self) -> str:
        """Why curves cannot be made for the targets; empty when they can."""
        return next((problem for item in self.target_items() if (problem := target_problem(item))), "")

    def links_given(self) -> list[KeyLink]:
        """The table."""
        return [KeyLink(row.name, row.channel, row.gain) for row in self.links]

    def set_links(self, links: list[KeyLink]) -> None:
        """Fill the table with links, all as if set by hand."""
        self.links.clear()
        for link in links:
            self._add(link.key, link.channel, MANUAL, link.gain)

    def match(self) -> tuple[int, int, int]:
        """Fill the table from the names of the targets' shape keys, or of a new head's; rows set by hand stay.

        How many keys have a channel, how many of them by a guess, and how many have none.
        """
        items = self.target_items()
        meshes = [key_names(item) for item in items] or [list(ARKIT_NAMES)]
        by_hand = {row.name: (row.channel, row.gain) for row in self.links if row.method == MANUAL}
        gains = {row.name: row.gain for row in self.links if row.method}
        known = matches(items) if items else [match_names(meshes)]
        by_name = {key: match for found in reversed(known) for key, match in found.items()}
        self.links.clear()
        for name in dict.fromkeys(name for names in meshes for name in names):
            found = by_name.get(name)
            if name in by_hand:
                self._add(name, by_hand[name][0], MANUAL, by_hand[name][1])
            elif found:
                self._add(name, found.channel, found.method, gains.get(name, found.gain), found.likeness)
            else:
                self._add(name, "", "", gains.get(name, 1.0))
        assigned = [row for row in self.links if row.channel]
        found = bone_channels(items, {row.channel for row in assigned}) if self.bones else set()
        self.bone_channels = " ".join(sorted(found))
        return len(assigned), sum(row.method == FUZZY for row in assigned), len(self.links) - len(assigned)

    def _add(self, key: str, channel: str, method: str, gain: float, likeness: float = 1.0) -> None:
        row = self.links.add()
        row.name, row.channel, row.gain = key, channel, gain
        row.method, row.likeness = method, likeness

    def channels(self) -> set[str]:
        """All that the table's keys and the bones follow."""
        return {row.channel for row in self.links if row.channel} | set(self.bone_channels.split())

    def try_key(self, key: str) -> None:
        """Show one key at its full value on all targets, and nothing else; an empty name shows again what was before.

        Uses Blender's pin, so values, drivers and curves stay as they are.
        """
        for row in self.targets:
            keys = row.item.data.shape_keys if row.item else None
            if keys is None:
                continue
            if not self.tried:
                row.key_before, row.pinned_before = row.item.active_shape_key_index, row.item.show_only_shape_key
            index = keys.key_blocks.find(key)
            if index >= 0:
                row.item.active_shape_key_index, row.item.show_only_shape_key = index, True
            elif self.tried:
                row.item.active_shape_key_index, row.item.show_only_shape_key = row.key_before, row.pinned_before
        self.tried = key

    def curve_settings(self) -> CurveSettings:
        """What a generation needs to know."""
        return CurveSettings(
            targets=tuple(item.name if item else "" for item in self.target_items()),
            links=tuple(self.links_given()),
            bones=self.bones,
            tolerance=None if self.keys == "DENSE" else self.tolerance,
        )


def preset_folder() -> Path:
    """Where presets of the table lie: beside Blender's own."""
    return Path(bpy.utils.user_resource("SCRIPTS", path="presets/facetalk_expression_curves"))


CLASSES = (FaceTalkTarget, FaceTalkLink, FaceTalkCurves)
