"""Where the eyes shall look: the direction from a head to the camera or an object, frame by frame.

Target and head may be moved by keys, parents, constraints or drivers. All of it is evaluated in a scene of its own that
holds nothing but empties which copy their transforms: the artist's frame stays where it is, and no mesh is evaluated.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import atan2, degrees, hypot

import bpy
from mathutils import Matrix, Vector

from ...engine.shared.controls import GAZE_LEFT, GAZE_UP, LIMITS
from ..blender_data.datablocks import resolve
from ..sound.strip_link import STRIP_PROPERTY
from ..takes import take

EYES = Vector((0.0, -0.07, 0.035))  # metres between the eyes, on a head that faces -y
PER_SECOND = 12.0  # directions that are read; the eyes follow a target no faster
PIECE_SECONDS = 0.003
STILL_DEGREES = 0.05  # a direction that changes by less is a number
Direction = dict[str, float]


@dataclass(frozen=True)
class GazeTarget:
    """What shall be looked at, by session ids of objects.

    targets: each from a scene frame on, the first from the beginning on. head: what looks; None looks from the origin.
    eyes: where they are in the head.
    """

    targets: tuple[tuple[float, int], ...]
    head: int | None
    eyes: tuple[float, float, float] = tuple(EYES)

    def at(self, frame: float) -> int:
        """The target at a scene frame."""
        return [uid for first, uid in self.targets if first <= frame or first == self.targets[0][0]][-1]


def of_camera(scene: bpy.types.Scene) -> list[tuple[float, bpy.types.Object]]:
    """The scene's cameras, each from the frame on from which a marker binds it; empty when there is none."""
    bound = sorted((float(m.frame), m.camera) for m in scene.timeline_markers if m.camera is not None)
    return bound or ([(0.0, scene.camera)] if scene.camera is not None else [])


def chosen(scene: bpy.types.Scene, targets: list[tuple[float, bpy.types.Object]]) -> GazeTarget:
    """A choice that needs none of Blender's data."""
    head, eyes = _head(scene)
    found = tuple((first, target.session_uid) for first, target in targets)
    return GazeTarget(found, None if head is None else head.session_uid, tuple(eyes))


def direction(head: Matrix, point: Vector, eyes: Vector = EYES) -> Direction:
    """Degrees to the head's own left and up of a point in the world, as controls."""
    way = head.inverted_safe() @ point - eyes
    found = {GAZE_LEFT: degrees(atan2(way.x, -way.y)), GAZE_UP: degrees(atan2(way.z, hypot(way.x, way.y)))}
    return {name: min(max(value, LIMITS[name][0]), LIMITS[name][1]) for name, value in found.items()}


def following(gaze: GazeTarget, first: int, end: int, rate: float, found: dict[str, list]) -> Iterator[bool]:
    """Read the directions from a scene frame to another into found, {control: [(frame, degrees), ...]}.

    Yields after every few milliseconds, between which nothing of it is in the file. Raises DataBlockLost when a target
    or the head was deleted.
    """
    frames = [*range(first, end, max(round(rate / PER_SECOND), 1)), end]
    found.update({GAZE_LEFT: [], GAZE_UP: []})
    while frames:
        with _Stage(gaze) as stage:
            deadline = None  # the first frame builds the scene's graph, which costs more than a hundred others
            while frames and (deadline is None or time.perf_counter() < deadline):
                frame = frames.pop(0)
                for name, value in stage.direction(frame).items():
                    found[name].append((float(frame), value))
                deadline = deadline or time.perf_counter() + PIECE_SECONDS
        yield False


def as_controls(found: dict[str, list]) -> tuple[Direction, dict[str, list]]:
    """Directions as numbers where they do not change, and over time where they do."""
    values = {name: [value for _, value in curve] for name, curve in found.items()}
    still = all(max(course) - min(course) < STILL_DEGREES for course in values.values())
    if not still:
        return {}, found
    return {name: course[0] for name, course in values.items() if abs(course[0]) > STILL_DEGREES}, {}


class _Stage:
    """A scene with an empty for each target and the head, for as long as a `with` lasts."""

    def __init__(self, gaze: GazeTarget) -> None:
        self.gaze = gaze

    def __enter__(self) -> _Stage:
        uids = {uid for _, uid in self.gaze.targets} | ({self.gaze.head} - {None})
        objects = {uid: resolve(bpy.data.objects, uid) for uid in uids}
        self.still = {uid: item.matrix_world.copy() for uid, item in objects.items() if not _moves(item)}
        self.scene = bpy.data.scenes.new("FaceTalk Gaze")
        self.empties = {uid: self._empty(item) for uid, item in objects.items() if uid not in self.still}
        return self

    def __exit__(self, *_error: object) -> None:
        empties = list(self.empties.values())
        bpy.data.scenes.remove(self.scene)
        bpy.data.batch_remove(empties)

    def _empty(self, item: bpy.types.Object) -> bpy.types.Object:
        empty = bpy.data.objects.new("FaceTalk Gaze", None)
        self.scene.collection.objects.link(empty)
        empty.constraints.new("COPY_TRANSFORMS").target = item
        return empty

    def direction(self, frame: float) -> Direction:
        """That of a scene frame."""
        if self.empties:
            self.scene.frame_set(int(frame))
        head = self.gaze.head
        matrix = Matrix() if head is None else self._matrix(head)
        return direction(matrix, self._matrix(self.gaze.at(frame)).translation, Vector(self.gaze.eyes))

    def _matrix(self, uid: int) -> Matrix:
        """Of an object in the world."""
        if uid in self.still:
            return self.still[uid]
        return self.empties[uid].evaluated_get(self.scene.view_layers[0].depsgraph).matrix_world


def _moves(item: bpy.types.Object) -> bool:
    """Whether anything but the artist's hand may move an object."""
    return item.parent is not None or bool(item.constraints) or item.animation_data is not None


def _head(scene: bpy.types.Scene) -> tuple[bpy.types.Object | None, Vector]:
    """The head that looks, and where its eyes are in it; None when there is none yet."""
    settings = scene.facetalk
    if settings.output == "EXPRESSION_CURVES":
        for target in settings.curves.targets:
            if target.item is not None:
                corners = [Vector(corner) for corner in target.item.bound_box]
                return target.item, sum(corners, Vector()) / len(corners)
    for made in scene.objects:
        text = take.text_of(made)
        if text is not None and text.get(STRIP_PROPERTY) == settings.strip:
            return made, EYES
    return None, EYES
