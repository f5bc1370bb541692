"""Expression Curves: relative shape keys that follow the take's ARKit weights, by an action of their own.

On a head of ours, whose 57 shape keys have ARKit's names and the tongue's, or on meshes of the artist, several at once
(face, teeth, tongue, lashes). Of those nothing is changed but their animation data, see `curve_action.attach`.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace

import bpy
import numpy as np

from ....engine.shared.arkit import FIT_COMMAND
from ....engine.shared.errors import EngineError
from ....engine.shared.protocol import Message
from ....engine.shared.weights import WEIGHT_NAMES
from ...blender_data.datablocks import DataBlockLost, resolve
from ...retargeting.channels import channel_values, values_at
from ...retargeting.coverage import abilities, warnings
from ...retargeting.key_link import KeyLink
from ...retargeting.matching import Match
from ...sound.strip import Clip
from ...takes.head_rotation import pose_of
from ...takes.take import STYLE_PROPERTY, TAKE_PROPERTY, Take
from .. import curve_action, rest_track
from ..rest_track import Place, value_path
from ..template_head import TemplateWriter
from . import movement_check
from .bones import POSE, POSE_UNIT, BoneChoice, armatures_of
from .controls import ControlPlan, add_bones, add_properties, add_sources
from .driver_source import driver_of, reads, source_of
from .rig_properties import PropertyChoice, found_choices, owner_and_place
from .targets import key_names, matches, rigs_of, target_problem

KEYFRAME_BYTES = 96


@dataclass(frozen=True)
class CurveSettings:
    """What Expression Curves are asked for.

    targets: names of mesh objects; none makes a head of ours.
    links: which channel each shape key follows; a key without a channel is left alone, and meshes of which no key is
    listed are matched by their names.
    tolerance: largest error of reduced curves, in weights; None makes a key at every frame.
    bones: whether jaw and eye bones do what no shape key does.
    bone_choices: which ones, and how; None takes those that are found.
    properties: what else follows a channel; None takes the properties of rigs whose names say so.
    """

    targets: tuple[str, ...] = ()
    links: tuple[KeyLink, ...] = ()
    tolerance: float | None = 0.005
    bones: bool = True
    bone_choices: tuple[BoneChoice, ...] | None = None
    properties: tuple[PropertyChoice, ...] | None = None


@dataclass(frozen=True)
class Plan:
    """One mesh: its name, its links, the least and largest value of each linked key, its values outside the clip, and
    its object's session_uid.
    """

    name: str
    links: tuple[KeyLink, ...]
    limits: dict[str, tuple[float, float]]
    rest: dict[str, float]
    session_uid: int = 0
    id_type = "KEY"

    def owner(self) -> bpy.types.Key:
        """Its shape keys. Raises DataBlockLost when they are gone."""
        return resolve(bpy.data.objects, self.session_uid).data.shape_keys

    def curves(self, rows: Callable[[Iterable[str]], dict[str, np.ndarray]]) -> list[tuple[Place, np.ndarray, float]]:
        """Places with values (F,) and rest. rows: gives the values (F,) of channels, of those that there are."""
        values = rows(link.channel for link in self.links)
        return [
            (
                (value_path(link.key), 0),
                np.clip(values[link.channel] * link.gain, *self.limits[link.key]),
                self.rest[link.key],
            )
            for link in self.links
            if link.channel in values
        ]


def plans(settings: CurveSettings) -> list[Plan | ControlPlan]:
    """What to do with each target. Raises EngineError when there is nothing to do or a target cannot be used."""
    items = [bpy.data.objects.get(name) for name in settings.targets]
    for item in items:
        problem = target_problem(item)
        if problem:
            raise EngineError(problem)
    items = list({item.data: item for item in items}.values())  # objects of one mesh move together
    by_name = matches(items)
    everywhere = {key: match for found in by_name for key, match in found.items()}
    made = [_plan(item, settings.links, found, everywhere) for item, found in zip(items, by_name, strict=True)]
    controls: dict[bpy.types.ID, ControlPlan] = {}
    chosen = _properties(settings, items, made)
    moved = {owner_and_place(choice) for choice in chosen}
    made = [_without_driven(plan, item, moved, controls) for plan, item in zip(made, items, strict=True)]
    for item in items:
        controls.pop(item.data.shape_keys, None)  # its keys follow the take themselves
    add_properties(chosen, controls)
    if settings.bones:
        channels = {link.channel for plan in (*made, *controls.values()) for link in plan.links}
        add_bones(items, channels, controls, settings.bone_choices)
    found = [plan for plan in (*made, *controls.values()) if plan.links]
    if not found:
        names = ", ".join(settings.targets)
        raise EngineError(
            f"No shape key of {names} follows an expression; assign keys, a jaw bone or a property in the panel."
        )
    return found


def _properties(
    settings: CurveSettings, items: Sequence[bpy.types.Object], made: Sequence[Plan]
) -> list[PropertyChoice]:
    """The chosen properties, or those that are found on the targets and their rigs."""
    if settings.properties is None:
        pairs = zip(items, made, strict=True)
        links = [(item.data.shape_keys, link) for item, plan in pairs for link in plan.links]
        return found_choices(
            rigs_of(items), {link.channel for keys, link in links if driver_of(keys, link.key) is None}
        )
    return [choice for choice in settings.properties if choice.channel]


def _without_driven(
    plan: Plan,
    item: bpy.types.Object,
    moved: set[tuple[bpy.types.ID, Place]],
    controls: dict[bpy.types.ID, ControlPlan],
) -> Plan:
    """The plan without keys that properties move: chosen ones, or the plain source of a key's driver."""
    keys = item.data.shape_keys
    free = [link for link in plan.links if not moved.intersection(reads(keys, link.key))]
    sources = {link: source_of(keys, link.key) for link in free}
    driven = [(link, source) for link, source in sources.items() if source is not None]
    add_sources(item, driven, controls)
    return replace(plan, links=tuple(link for link, source in sources.items() if source is None))


def _plan(
    item: bpy.types.Object, listed: Sequence[KeyLink], found: dict[str, Match], everywhere: dict[str, Match]
) -> Plan:
    """The plan of a mesh. found: what its keys follow by their names; everywhere: those of all the targets."""
    names = key_names(item)
    if not names:
        return Plan(item.name, (), {}, {}, item.session_uid)
    links = tuple(link for link in listed if link.key in names)
    if not links:
        links = tuple(KeyLink(name, found[name].channel, found[name].gain) for name in names if name in found)
    links = tuple(link for link in links if link.channel and not _moves_twice(link, found, everywhere))
    blocks = item.data.shape_keys.key_blocks
    limits = {link.key: (blocks[link.key].slider_min, blocks[link.key].slider_max) for link in links}
    return Plan(item.name, links, limits, rest_track.rest_values(item.data.shape_keys), item.session_uid)


def _moves_twice(link: KeyLink, found: dict[str, Match], everywhere: dict[str, Match]) -> bool:
    """Whether the table has a key for the sake of another mesh, while on this one others do its work."""
    match = everywhere.get(link.key)
    return match is not None and match.channel == link.channel and link.key not in found


def not_moved(settings: CurveSettings, plans: Sequence[Plan | ControlPlan]) -> list[str]:
    """Sentences on targets that hold still, on bones that cannot turn, and on a face that will not be seen to speak."""
    items = {name: item for name in settings.targets if (item := bpy.data.objects.get(name))}
    names = {name for plan in plans for name in (plan.meshes if isinstance(plan, ControlPlan) else {plan.name})}
    rigs = {plan.session_uid for plan in plans if isinstance(plan, ControlPlan)}
    names |= {name for name, item in items.items() if rigs & {rig.session_uid for rig in armatures_of([item])}}
    meshes = {items[name].data for name in names if name in items}
    found = [
        f"No shape key of {name} follows an expression, so it holds still; assign some in the table."
        for name, item in items.items()
        if item.data not in meshes and key_names(item)
    ]
    channels = {link.channel for plan in plans for link in plan.links}
    found += add_bones(list(items.values()), channels, {}, settings.bone_choices) if settings.bones else []
    return found if "opens" in abilities(channels) else found + warnings(channels)


def head_plan(name: str, settings: CurveSettings) -> Plan:
    """The plan of a head of ours."""
    gains = {link.key: link.gain if link.channel else 0.0 for link in settings.links}
    links = tuple(KeyLink(name, name, gains.get(name, 1.0)) for name in WEIGHT_NAMES)
    return Plan(name, links, dict.fromkeys(WEIGHT_NAMES, (0.0, 1.0)), dict.fromkeys(WEIGHT_NAMES, 0.0))


def channel_rows(take: Take, clip: Clip, channels: Collection[str]) -> dict[str, np.ndarray]:
    """Values (F,) of the channels that the take has, at the scene frames at which the clip is heard."""
    times = np.array([clip.time_of(frame) for frame in range(clip.frame_start, clip.frame_end)])
    rows, values = {}, channel_values(take.weights, take.weight_names, channels)
    if values:
        table = values_at(np.stack(list(values.values()), axis=1), take.rate, times)  # (F, C)
        rows = {channel: np.clip(table[:, index], 0.0, 1.0) for index, channel in enumerate(values)}
    pose = pose_of(take)
    if pose is not None and set(channels) & set(POSE):
        rows |= zip(POSE, values_at(pose[:, :3] / POSE_UNIT, take.rate, times).T, strict=True)
    return rows


class _ActionBuilder:
    """Makes the action of some plans, a curve at a time. Nothing uses it until it is attached."""

    def __init__(
        self,
        scene: bpy.types.Scene,
        clip: Clip,
        text: bpy.types.Text,
        take: Take,
        tolerance: float | None,
        plans: Sequence[Plan | ControlPlan],
    ):
        if take.weights is None:
            raise EngineError(
                f"This take has no ARKit weights. Give its model bundle some ('{FIT_COMMAND}') and generate it again, "
                "or choose Frame Meshes."
            )
        action = curve_action.new_action(scene, clip, text)
        self._action = action.session_uid
        self._slots = [action.slots.new(id_type=plan.id_type, name=plan.name).handle for plan in plans]
        links = zip(
            self._slots,
            (
                [(link.key, link.channel, link.gain) for link in plan.links] if isinstance(plan, Plan) else []
                for plan in plans
            ),
            strict=True,
        )
        action[curve_action.LINKS_PROPERTY] = json.dumps(dict(links))
        action[STYLE_PROPERTY] = json.dumps(asdict(take.style))
        self._tolerance = tolerance
        self._rest_frames = curve_action.rest_frames(clip.frames_per_second)
        self._first_frame = clip.frame_start - self._rest_frames
        self._plans = deque(enumerate(plans))
        self._curves: deque[tuple[int, Place, Future]] = deque()
        # Of minutes of speech, both the values and the keys of one curve take longer than a tick.
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="facetalk-curves")
        channels = {link.channel for plan in plans for link in plan.links}
        self._rows = self._worker.submit(channel_rows, take, clip, channels)

    def step(self, seconds: float) -> bool:
        """Go on for at most about `seconds` (one curve, or the list of one mesh's, is the smallest piece)."""
        deadline = time.perf_counter() + seconds
        action = self.action()
        while (self._plans or self._curves) and time.perf_counter() < deadline:
            awaited = self._curves[0][2] if self._curves else self._rows
            wait([awaited], max(deadline - time.perf_counter(), 0.0))
            if not awaited.done():
                return False
            if self._curves:
                index, place, keys = self._curves.popleft()
                curves = curve_action.new_curves(action, self.slot(index))
                curve_action.write_curve(curves, place, keys.result(), self._first_frame)
            else:
                self._submit(*self._plans.popleft())
        if self._plans or self._curves:
            return False
        self._worker.shutdown(wait=False)
        return True

    def _submit(self, index: int, plan: Plan | ControlPlan) -> None:
        """Have the keys of a plan's curves found."""
        values = self._rows.result()
        for place, row, rest in plan.curves(lambda names: {name: values[name] for name in names if name in values}):
            row = curve_action.with_rest(row, rest, self._rest_frames)
            keys = self._worker.submit(curve_action.fitted, row, self._tolerance)
            self._curves.append((index, place, keys))

    def keyframes(self) -> int:
        action = self.action()
        return sum(
            len(curve.keyframe_points) for slot in action.slots for curve in curve_action.curves_of(action, slot)
        )

    def action(self) -> bpy.types.Action:
        return resolve(bpy.data.actions, self._action)

    def slot(self, index: int) -> bpy.types.ActionSlot:
        return next(slot for slot in self.action().slots if slot.handle == self._slots[index])

    def discard(self) -> None:
        self._worker.shutdown(wait=False, cancel_futures=True)
        try:
            bpy.data.actions.remove(self.action())
        except DataBlockLost:
            pass


class CurvesOnHead(TemplateWriter):
    """Writes a head of ours with its curves."""

    request_kind = "arkit_shapes"

    def __init__(self, scene: bpy.types.Scene, clip: Clip, text: bpy.types.Text, take: Take, settings: CurveSettings):
        super().__init__(scene, clip, text)
        self.frame_count = clip.frame_end - clip.frame_start
        self._shapes = 0
        plan = head_plan(self.result().name, settings)
        self._builder = _ActionBuilder(scene, clip, text, take, settings.tolerance, [plan])

    def prepare(self, seconds: float) -> bool:
        """Make curves for at most about `seconds`; True once all are made."""
        return self._builder.step(seconds)

    def add_key(self, owner: bpy.types.Object, index: int) -> bpy.types.ShapeKey:
        """Add the key of an ARKit shape."""
        block = owner.shape_key_add(name=WEIGHT_NAMES[index], from_mix=False)
        block.value = 0.0
        self._shapes += 1
        if self._shapes == len(WEIGHT_NAMES):
            self._written = self.frame_count
        return block

    def finish(self) -> Iterator[None]:
        """Attach the curves, remove earlier results of the same take, and check that the head moves."""
        yield from super().finish()
        yield
        owner, action = self.result(), self._builder.action()
        curve_action.attach(owner.data.shape_keys, action, self._builder.slot(0))
        uids = self._scene, owner.session_uid, action.session_uid
        yield
        self.notes = yield from movement_check.check(*uids)

    def discard(self) -> None:
        """Remove everything that was written; results that it had hidden are as the artist left them."""
        self._builder.discard()
        super().discard()


class CurvesOnTargets:
    """Writes curves onto meshes of the artist. Data-blocks are looked up at every call, never held."""

    # Nothing is wanted of the engine but that it is there.
    request_kind = "info"
    makes_head = False
    ready = True

    def __init__(
        self,
        scene: bpy.types.Scene,
        clip: Clip,
        text: bpy.types.Text,
        take: Take,
        settings: CurveSettings,
        plans: list[Plan | ControlPlan],
    ):
        self._scene, self._clip, self._plans = scene.session_uid, clip, plans
        self._builder = _ActionBuilder(scene, clip, text, take, settings.tolerance, plans)
        self.frame_count = clip.frame_end - clip.frame_start
        self.written = 0
        self.notes = not_moved(settings, plans)

    def prepare(self, seconds: float) -> bool:
        """Make curves for at most about `seconds`; True once all are made."""
        if self._builder.step(seconds):
            self.written = self.frame_count
        return self.written > 0

    def write(self, message: Message) -> None:
        """Nothing comes from the engine."""

    def work(self, deadline: float) -> bool:
        """Nothing is left to do."""
        return True

    def size(self) -> int:
        """About how many bytes of memory the curves take."""
        return KEYFRAME_BYTES * self._builder.keyframes()

    def result(self) -> bpy.types.Object:
        """The first target. Raises DataBlockLost when it is gone."""
        return resolve(bpy.data.objects, self._plans[0].session_uid)

    def finish(self) -> Iterator[None]:
        """Attach the curves, park those of the strip's other takes, and check that every target moves."""
        scene = resolve(bpy.data.scenes, self._scene)
        owners = [plan.owner() for plan in self._plans]
        action = self._builder.action()
        text = action[TAKE_PROPERTY]
        for earlier in curve_action.actions_of_take(scene, text):
            curve_action.remove_action(earlier)
        curve_action.show_take(scene, text)
        action[curve_action.ON_TARGETS_PROPERTY] = True
        action.name = curve_action.name_for(text)
        attached = []
        for index, (plan, owner) in enumerate(zip(self._plans, owners, strict=True)):
            slot = self._builder.slot(index)
            if curve_action.curves_of(action, slot):
                curve_action.attach(owner, action, slot)
                if isinstance(plan, Plan):
                    attached.append((self._scene, plan.session_uid, action.session_uid))
            else:
                self.notes.append(f"The take has nothing for {plan.name}; check its channels in the table.")
        yield
        for uids in attached:
            self.notes += yield from movement_check.check(*uids)

    def discard(self) -> None:
        """Remove what was made; the targets have not been touched yet."""
        self._builder.discard()


def writer(
    scene: bpy.types.Scene,
    clip: Clip,
    text: bpy.types.Text,
    take: Take,
    settings: CurveSettings,
    plans: list[Plan | ControlPlan],
) -> CurvesOnHead | CurvesOnTargets:
    """What writes curves: onto the meshes of the plans, or, without plans, a head of ours."""
    if plans:
        return CurvesOnTargets(scene, clip, text, take, settings, plans)
    return CurvesOnHead(scene, clip, text, take, settings)


def remove_from_targets(scene: bpy.types.Scene, strip_name: str) -> int:
    """Remove the curves of a strip's takes from the artist's meshes, which go back to where they were; how many."""
    actions = [item for item in curve_action.actions_of(scene, strip_name) if curve_action.ON_TARGETS_PROPERTY in item]
    for action in actions:
        curve_action.remove_action(action)
    return len(actions)
