"""Settings of Expression Curves in a scene: target meshes, and the table of which shape key follows which channel."""

from __future__ import annotations

import json
from collections.abc import Iterable

import bpy

from ...engine.shared.arkit import ARKIT_NAMES
from ..outputs import rest_track
from ..outputs.curves import bones, rig_properties
from ..outputs.curves.bones import BoneChoice, armatures_of
from ..outputs.curves.controls import bone_channels
from ..outputs.curves.expression_curves import CurveSettings
from ..outputs.curves.rig_properties import PropertyChoice
from ..outputs.curves.targets import key_names, matches, rigs_of, target_problem
from ..retargeting.key_link import LARGEST_GAIN, KeyLink
from ..retargeting.matching import match_names
from ..retargeting.names import CHANNELS
from ..retargeting.recognition import FUZZY

MANUAL, FOUND = "Manual", "Found"


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


def _property_paths(self, _context: bpy.types.Context, _text: str) -> list[str]:
    return [path for path, _ in rig_properties.custom_properties(self.item)] if self.item is not None else []


class FaceTalkControl(bpy.types.PropertyGroup):
    """A property of a rig, and what it follows."""

    item: bpy.props.PointerProperty(
        name="Object", description="Armature or other object that has the property", type=bpy.types.Object
    )
    path: bpy.props.StringProperty(
        name="Property",
        description="Data path of the property, seen from the object. Right-click a property and Copy Data Path to "
        "paste the path of one that is not listed",
        search=_property_paths,
        search_options={"SUGGESTION"},
        update=_set_by_hand,
    )
    channel: bpy.props.StringProperty(
        name="Follows",
        description="ARKit weight, weight of both sides, or viseme that the property follows. Empty: it is left alone",
        search=_channel_names,
        update=_set_by_hand,
    )
    gain: bpy.props.FloatProperty(
        name="Gain",
        description="How far it goes at a weight of 1: 1 is to its largest value, -1 to its least. Of a property "
        "without limits, how far in its own unit",
        default=1.0,
        soft_min=-1.0,
        soft_max=1.0,
        min=-rig_properties.LARGEST_FACTOR,
        max=rig_properties.LARGEST_FACTOR,
        update=_set_by_hand,
    )
    method: bpy.props.StringProperty(name="Found by", description="How the channel was found")
    likeness: bpy.props.FloatProperty(name="Likeness", default=1.0)

    def choice(self) -> PropertyChoice:
        """The row."""
        return PropertyChoice(self.item.name if self.item is not None else "", self.path, self.channel, self.gain)

    def problem(self) -> str:
        """Why the property cannot follow; empty when it can, or when the row is not used."""
        return rig_properties.property_problem(self.item, self.path) if self.channel else ""


class FaceTalkBone(bpy.types.PropertyGroup):
    """A jaw, an eye, the head or the neck: the bone that turns it, and how far."""

    armature: bpy.props.PointerProperty(name="Armature", type=bpy.types.Object)
    part: bpy.props.StringProperty(name="Part", description="Jaw, left eye, right eye, head or neck")
    bone: bpy.props.StringProperty(
        name="Bone", description="Bone that turns. Empty: the part is left alone", update=_set_by_hand
    )
    axis: bpy.props.EnumProperty(
        name="Axis",
        description="The bone's own axis about which a positive angle opens the jaw, looks or nods down",
        items=(
            (bones.AUTOMATIC, "Automatic", "To the left of the character, however the bone points"),
            *((name, name, f"The bone's own axis {name}") for name in bones.AXES),
        ),
        update=_set_by_hand,
    )
    angle: bpy.props.FloatProperty(
        name="Angle",
        description="How far the bone turns at a weight of 1; head and neck, when the head turns by 45 degrees",
        subtype="ANGLE",
        default=bones.JAW_ANGLE,
        min=0.0,
        max=bones.LARGEST_ANGLE,
        update=_set_by_hand,
    )
    method: bpy.props.StringProperty(name="Found by", description="Whether the row was changed by hand")
    likeness: bpy.props.FloatProperty(name="Likeness", default=1.0)

    def choice(self) -> BoneChoice:
        """The row."""
        return BoneChoice(self.armature.name, self.part, self.bone, self.axis, self.angle)


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
    bone_rows: bpy.props.CollectionProperty(type=FaceTalkBone)
    controls: bpy.props.CollectionProperty(type=FaceTalkControl)
    active_control: bpy.props.IntProperty(name="Control", description="Property of a rig that follows a channel")
    # Properties that the artist took off the list: their object and path.
    left_alone: bpy.props.CollectionProperty(type=FaceTalkControl)
    # What a pose that is tried has changed: "bone" or "control" and the row, and the values before, as JSON.
    tried_row: bpy.props.StringProperty()
    tried_before: bpy.props.StringProperty()
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
        found = next((problem for item in self.target_items() if (problem := target_problem(item))), "")
        return found or (self.control_problem() if self.targets else "")

    def control_problem(self) -> str:
        """Why a chosen property of a rig cannot follow its channel; empty when all can."""
        return next((problem for row in self.controls if (problem := row.problem())), "")

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
        self._find_controls(items)
        self._find_bones(items)
        return len(assigned), sum(row.method == FUZZY for row in assigned), len(self.links) - len(assigned)

    def _add(self, key: str, channel: str, method: str, gain: float, likeness: float = 1.0) -> None:
        row = self.links.add()
        row.name, row.channel, row.gain = key, channel, gain
        row.method, row.likeness = method, likeness

    def _find_controls(self, items: list[bpy.types.Object | None]) -> None:
        """List the properties of rigs whose names say what they do; rows set by hand stay."""
        kept = [(row.item, row.path, row.channel, row.gain) for row in self.controls if row.method == MANUAL]
        taken = {row.channel for row in self.links if row.channel}
        settled = {(item, path) for item, path, _, _ in kept}
        settled |= {(row.item, row.path) for row in self.left_alone}
        self.controls.clear()
        for item, path, channel, gain in kept:
            self.add_control(item, path, channel, gain)
        for choice in rig_properties.found_choices(rigs_of(items), taken):
            item = bpy.data.objects[choice.item]
            if (item, choice.path) not in settled:
                self.add_control(item, choice.path, choice.channel, choice.gain, FOUND)

    def add_control(
        self, item: bpy.types.Object | None, path: str = "", channel: str = "", gain: float = 1.0, method: str = MANUAL
    ) -> None:
        """Add a row for a property of a rig."""
        row = self.controls.add()
        row.item, row.path, row.channel, row.gain = item, path, channel, gain
        row.method = method

    def leave_alone(self, item: bpy.types.Object | None, path: str) -> None:
        """Let Match pass over a property of a rig."""
        if item is not None and path and not any((row.item, row.path) == (item, path) for row in self.left_alone):
            row = self.left_alone.add()
            row.item, row.path = item, path

    def _find_bones(self, items: list[bpy.types.Object | None]) -> None:
        """List the parts of every armature as they are found, or as they were set by hand."""
        meshes = [item for item in items if item is not None]
        present = [row for row in self.bone_rows if row.armature is not None]  # it may have been deleted
        by_hand = {(row.armature, row.part): row.choice() for row in present if row.method == MANUAL}
        self.bone_rows.clear()
        for armature in armatures_of(meshes):
            found = {choice.part: choice for choice in bones.found_choices(armature, meshes)}
            for part in bones.PARTS:
                default = BoneChoice(armature.name, part, "", bones.AUTOMATIC, bones.default_angle(part))
                choice = by_hand.get((armature, part), found.get(part, default))
                self.add_bone(armature, choice, MANUAL if (armature, part) in by_hand else FOUND)

    def add_bone(self, armature: bpy.types.Object, choice: BoneChoice, method: str) -> None:
        """Add a row for a part of an armature."""
        row = self.bone_rows.add()
        row.armature, row.part, row.bone = armature, choice.part, choice.bone
        row.axis, row.angle = choice.axis, choice.angle
        row.method = method

    def bone_choices(self) -> tuple[BoneChoice, ...] | None:
        """The listed bones; None when none were looked for."""
        rows = [row.choice() for row in self.bone_rows if row.armature is not None]
        return tuple(row for row in rows if row.bone) if rows else None

    def channels(self) -> set[str]:
        """All that the table's keys, the properties and the bones follow."""
        found = {row.channel for row in (*self.links, *self.controls) if row.channel}
        return found | (bone_channels(self.bone_choices() or (), found) if self.bones else set())

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

    def try_row(self, name: str) -> None:
        """Show what a row of "bone N" or "control N" does at a weight of 1; an empty name shows what was before.

        Changes values of the rig until then.
        """
        if self.tried_before:
            before = json.loads(self.tried_before)
            _show(before["owner"], before["collection"], [(tuple(place), value) for place, value in before["values"]])
        self.tried_row = self.tried_before = ""
        if name:
            owner, collection, values = self._tried_values(*name.split())
            before = [(place, rest_track.value_of(owner, place)) for place, _ in values]
            self.tried_before = json.dumps({"owner": owner.name, "collection": collection, "values": before})
            self.tried_row = name
            _show(owner.name, collection, values)

    def _tried_values(self, kind: str, index: str) -> tuple[bpy.types.ID, str, list[tuple[rest_track.Place, float]]]:
        """Whose values a row changes, in which collection of bpy.data, and to what."""
        if kind == "bone":
            row = self.bone_rows[int(index)]
            return row.armature, "objects", bones.full_turn(row.armature, row.choice())
        choice = self.controls[int(index)].choice()
        owner, place = rig_properties.owner_and_place(choice)
        collection = "objects" if isinstance(owner, bpy.types.Object) else "armatures"
        return owner, collection, [(place, rig_properties.full_value(owner, place, choice.gain))]

    def curve_settings(self) -> CurveSettings:
        """What a generation needs to know."""
        return CurveSettings(
            targets=tuple(item.name if item else "" for item in self.target_items()),
            links=tuple(self.links_given()),
            bones=self.bones,
            bone_choices=self.bone_choices(),
            properties=tuple(row.choice() for row in self.controls),
            tolerance=None if self.keys == "DENSE" else self.tolerance,
        )


def _show(owner: str, collection: str, values: Iterable[tuple[rest_track.Place, float]]) -> None:
    """Give values to places of an owner that may be gone."""
    found = getattr(bpy.data, collection).get(owner)
    for place, value in values if found is not None else ():
        if rest_track.exists(found, place):
            rest_track.set_value(found, place, value)
    if found is not None:
        found.update_tag()


CLASSES = (FaceTalkTarget, FaceTalkLink, FaceTalkControl, FaceTalkBone, FaceTalkCurves)
