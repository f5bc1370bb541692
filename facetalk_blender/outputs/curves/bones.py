"""Jaw, eye, head and neck bones of a character, and how they turn with a take.

A jaw turns about the axis to the left of the character, by which a chin in front goes down and one below goes back; an
eye turns about the same axis and about the upright one, head and neck about the one to the back too. The axes are those
of the armature in its rest pose, whatever way the bones point.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import radians

import bpy
import numpy as np
from mathutils import Euler, Matrix, Quaternion, Vector

from ...retargeting.names import SIDES, words_of
from ..rest_track import Place, rest_value
from .jaw_opening import angle_of_opening

JAW, LEFT_EYE, RIGHT_EYE = "jaw", "left eye", "right eye"
HEAD, NECK = "head", "neck"  # which an artist chooses: a body often has motion of its own
PARTS = (JAW, LEFT_EYE, RIGHT_EYE, HEAD, NECK)
JAW_ANGLE = radians(22.0)  # of jawOpen at 1, where no mesh tells a better one
EYE_ANGLE = radians(28.0)  # of a look at 1
HEAD_ANGLE, NECK_ANGLE = radians(30.0), radians(15.0)  # of a pose at 1: 45 degrees, shared by both
LARGEST_ANGLE = radians(90.0)
AUTOMATIC = "AUTO"  # the axis of pitch, as the character's left says
AXES = {f"{sign}{axis}": (sign, "XYZ".index(axis)) for axis in "XYZ" for sign in "+-"}
# ARKit weights with which a part turns, and the head pose in units of 45 degrees.
POSE = ("head pitch", "head yaw", "head roll")
POSE_UNIT = 45.0
WEIGHTS = {
    JAW: ("jawOpen", "mouthClose"),
    LEFT_EYE: ("eyeLookUpLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft"),
    RIGHT_EYE: ("eyeLookUpRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight"),
    HEAD: POSE,
    NECK: POSE,
}
# Words of bone names that say nothing of the part: rigs, humanoids, exporters, control layers.
FILLING = frozenset(
    "c x j b m adj bone joint jnt face facial head base cc master root def mch org ctrl ctl fk rig bip bip01 mixamorig "
    "valve biped human".split()
)
JAW_WORDS = frozenset({("jaw",), ("jawbone",), ("lower", "jaw"), ("lowerjaw",), ("mandible",), ("jaw", "lower")})
EYE_WORDS = frozenset({("eye",), ("eyeball",), ("eye", "ball")})
HOLDING = frozenset(
    "COPY_ROTATION COPY_TRANSFORMS DAMPED_TRACK TRACK_TO LOCKED_TRACK TRANSFORM ACTION ARMATURE CHILD_OF".split()
)


AIMING = frozenset({"DAMPED_TRACK", "TRACK_TO", "LOCKED_TRACK"})


@dataclass(frozen=True)
class BoneChoice:
    """Which bone of an armature object is a part, as an artist chose.

    axis: AUTOMATIC, or of AXES the bone's own axis about which a positive angle opens the jaw or looks down.
    angle: in radians, of a weight of 1. An empty bone: the part has none.
    """

    armature: str
    part: str
    bone: str
    axis: str
    angle: float


@dataclass(frozen=True)
class Turn:
    """How a bone turns: the axes of pitch and yaw in its own rest pose, and the angle in radians of a weight of 1."""

    bone: str
    part: str
    pitch: tuple[float, float, float]
    yaw: tuple[float, float, float]
    angle: float

    def curves(self, armature: bpy.types.Object, weights: dict[str, np.ndarray]) -> dict[Place, np.ndarray]:
        """Values (F,) of every component of the bone's rotation that changes, from weights (F,) of WEIGHTS."""
        pose = armature.pose.bones[self.bone]
        path = f'pose.bones["{bpy.utils.escape_identifier(self.bone)}"].{_rotation_name(pose)}'
        count = 3 if path.endswith("euler") else 4
        before = _as_quaternion(pose, [rest_value(armature, (path, index)) for index in range(count)])
        pitch, yaw, roll = angles(self.part, self.angle, weights)
        back = Vector(self.yaw).cross(Vector(self.pitch))
        table, last = np.empty((len(pitch), count)), before
        for row, (down, left, tilt) in enumerate(zip(pitch, yaw, roll, strict=True)):
            about_back = Quaternion(back, tilt) @ before
            turned = Quaternion(self.yaw, left) @ Quaternion(self.pitch, down) @ about_back
            turned.make_compatible(last)
            table[row], last = _components(pose, turned, before), turned
        moving = [index for index in range(count) if np.ptp(table[:, index]) > 1e-6]
        return {(path, index): table[:, index] for index in moving}


@dataclass(frozen=True)
class Aim:
    """How the bone moves that an eye looks at: where an eye turned by an angle would look, as far away.

    left, up: the character's, in the rest pose of the bone, as long as it is away from the eye. angle: in radians, of a
    weight of 1.
    """

    bone: str
    part: str
    left: tuple[float, float, float]
    up: tuple[float, float, float]
    angle: float

    def curves(self, armature: bpy.types.Object, weights: dict[str, np.ndarray]) -> dict[Place, np.ndarray]:
        """Values (F,) of every component of the bone's location, from weights (F,) of WEIGHTS."""
        path = f'pose.bones["{bpy.utils.escape_identifier(self.bone)}"].location'
        pitch, yaw, _ = angles(self.part, self.angle, weights)
        moved = np.outer(np.tan(yaw), self.left) - np.outer(np.tan(pitch), self.up)  # (F, 3)
        moving = [index for index in range(3) if np.ptp(moved[:, index]) > 1e-7]
        return {(path, index): rest_value(armature, (path, index)) + moved[:, index] for index in moving}


def angles(part: str, angle: float, weights: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pitch, yaw and roll (F,) in radians of a part; down and to the character's left are positive."""
    values = [weights[name] for name in WEIGHTS[part]]
    still = np.zeros_like(values[0])
    if part == JAW:
        return angle * np.clip(values[0] - values[1], 0.0, 1.0), still, still
    if part in (HEAD, NECK):
        pitch, yaw, roll = values
        return angle * pitch, angle * yaw, angle * roll
    up, down, inwards, outwards = values
    left = outwards - inwards if part == LEFT_EYE else inwards - outwards
    return angle * (down - up), angle * left, still


def _rotation_name(pose: bpy.types.PoseBone) -> str:
    return {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}.get(
        pose.rotation_mode, "rotation_euler"
    )


def _as_quaternion(pose: bpy.types.PoseBone, values: list[float]) -> Quaternion:
    if pose.rotation_mode == "QUATERNION":
        return Quaternion(values).normalized()
    if pose.rotation_mode == "AXIS_ANGLE":
        return Quaternion(values[1:], values[0]) if any(values[1:]) else Quaternion()
    return Euler(values, pose.rotation_mode).to_quaternion()


def _components(pose: bpy.types.PoseBone, turned: Quaternion, before: Quaternion) -> tuple[float, ...]:
    if pose.rotation_mode == "QUATERNION":
        return tuple(turned)
    if pose.rotation_mode == "AXIS_ANGLE":
        axis, angle = turned.to_axis_angle()
        return (angle, *axis)
    return tuple(turned.to_euler(pose.rotation_mode, before.to_euler(pose.rotation_mode)))


def armatures_of(items: Iterable[bpy.types.Object]) -> list[bpy.types.Object]:
    """The armatures that move meshes."""
    found = []
    for item in items:
        found += [modifier.object for modifier in item.modifiers if modifier.type == "ARMATURE" and modifier.object]
        found += [item.parent] if item.parent is not None and item.parent.type == "ARMATURE" else []
    return list(dict.fromkeys(found))


def turns(armature: bpy.types.Object, choices: Iterable[BoneChoice]) -> list[Turn | Aim]:
    """How chosen bones turn, or what they look at moves, of those that the armature has."""
    left, up = _axes(armature)
    made: dict[str, Turn | Aim] = {}  # both eyes may look at one bone, which moves once
    for choice in choices:
        bone = armature.data.bones.get(choice.bone)
        target = _looked_at(armature, choice) if bone is not None else None
        if target is not None:
            away = (target.head_local - bone.head_local).length
            inverse = target.matrix_local.to_3x3().inverted() * away
            aim = Aim(target.name, choice.part, tuple(inverse @ left), tuple(inverse @ up), choice.angle)
            made.setdefault(target.name, aim)
        elif bone is not None:
            inverse = bone.matrix_local.to_3x3().inverted()
            pitch = inverse @ left
            if choice.axis != AUTOMATIC:
                sign, index = AXES[choice.axis]
                pitch = Vector([float(sign + "1") if other == index else 0.0 for other in range(3)])
            yaw = inverse @ up
            yaw = yaw - yaw.dot(pitch) * pitch
            made[bone.name] = Turn(bone.name, choice.part, tuple(pitch), tuple(yaw.normalized()), choice.angle)
    return list(made.values())


def moved_bone(armature: bpy.types.Object, choice: BoneChoice) -> str:
    """The bone that a choice moves: its own, or what that looks at."""
    target = _looked_at(armature, choice)
    return target.name if target is not None else choice.bone


def _looked_at(armature: bpy.types.Object, choice: BoneChoice) -> bpy.types.Bone | None:
    """The bone at which a constraint of an eye, or of a bone that hangs on it, points it."""
    if choice.part not in (LEFT_EYE, RIGHT_EYE) or choice.axis != AUTOMATIC:
        return None
    bone = armature.data.bones[choice.bone]
    for name in (bone.name, *(child.name for child in bone.children_recursive)):
        for item in armature.pose.bones[name].constraints:
            if item.type in AIMING and not item.mute and item.influence > 0 and item.target == armature:
                target = armature.data.bones.get(item.subtarget)
                if target is not None and target != bone:
                    return target
    return None


def default_angle(part: str) -> float:
    """Of a part whose mesh tells nothing."""
    return {JAW: JAW_ANGLE, HEAD: HEAD_ANGLE, NECK: NECK_ANGLE}.get(part, EYE_ANGLE)


def full_turn(armature: bpy.types.Object, choice: BoneChoice) -> list[tuple[Place, float]]:
    """The values of a bone that is turned by a weight of 1: an open jaw, an eye that looks down, a head to the left."""
    name = "jawOpen" if choice.part == JAW else WEIGHTS[choice.part][1]
    weights = {other: np.array([0.0, float(other == name)]) for other in WEIGHTS[choice.part]}
    made = turns(armature, [choice])
    return [(place, float(row[1])) for turn in made for place, row in turn.curves(armature, weights).items()]


def found_choices(armature: bpy.types.Object, meshes: Iterable[bpy.types.Object] = ()) -> list[BoneChoice]:
    """The jaw and the eyes as they are found. meshes: those that the jaw deforms, which tell how far it opens."""
    found = find_bones(armature)
    angles = {part: default_angle(part) for part in PARTS} | {JAW: opening_angle(armature, found, meshes) or JAW_ANGLE}
    return [BoneChoice(armature.name, part, found[part], AUTOMATIC, angles[part]) for part in PARTS if part in found]


def held(armature: bpy.types.Object, bone: str) -> str:
    """The constraint that turns a bone whatever its rotation is; empty if there is none."""
    constraints = armature.pose.bones[bone].constraints
    return next(
        (item.name for item in constraints if item.type in HOLDING and not item.mute and item.influence > 0), ""
    )


def find_bones(armature: bpy.types.Object) -> dict[str, str]:
    """Names of the bones by part: as a VRM says, else by their names, free ones and controls before others."""
    ranked = sorted(armature.data.bones, key=lambda bone: _rank(armature, bone))
    found = {part: bone.name for bone in reversed(ranked) if (part := _part(bone.name))}
    named = {part: name for part, name in _vrm_bones(armature).items() if name in armature.data.bones}
    return found | named


def opening_angle(
    armature: bpy.types.Object, found: dict[str, str], meshes: Iterable[bpy.types.Object]
) -> float | None:
    """The angle in radians by which the jaw opens these lips as a head of ours opens its own; None when unknown.

    found: names of the bones by part.
    """
    eyes = [armature.data.bones[found[part]].head_local for part in (LEFT_EYE, RIGHT_EYE) if part in found]
    if not eyes or JAW not in found:
        return None
    left, up = _axes(armature)
    jaw = armature.data.bones[found[JAW]]
    basis = np.array([left, up.cross(left) * -1.0, up])  # rows: to the left, forwards, up
    points, shares = _jaw_points(armature, jaw.name, meshes)
    pivot, level = np.array(jaw.head_local), float(np.mean([basis[2] @ np.array(eye) for eye in eyes]))
    return angle_of_opening((points - pivot) @ basis.T, shares, level - float(basis[2] @ pivot))


def _jaw_points(
    armature: bpy.types.Object, jaw: str, meshes: Iterable[bpy.types.Object]
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) in the armature that turn with the jaw or a bone below it, and by which share (V,)."""
    names = {jaw, *(bone.name for bone in armature.data.bones[jaw].children_recursive)}
    names |= {bone.name for bone in armature.data.bones if _part(bone.name) == JAW}  # a control has bones that deform
    points, shares = [np.zeros((0, 3))], [np.zeros(0)]
    for item in meshes:
        turned = {group.index for group in item.vertex_groups if group.name in names}
        if not turned:
            continue
        matrix = np.array(armature.matrix_world.inverted_safe() @ item.matrix_world)
        places = np.empty((len(item.data.vertices), 3))
        item.data.vertices.foreach_get("co", places.ravel())
        points.append(places @ matrix[:3, :3].T + matrix[:3, 3])
        shares.append(np.array([_share(vertex, turned) for vertex in item.data.vertices]))
    return np.concatenate(points), np.concatenate(shares)


def _share(vertex: bpy.types.MeshVertex, turned: set[int]) -> float:
    whole = sum(group.weight for group in vertex.groups)
    return sum(group.weight for group in vertex.groups if group.group in turned) / whole if whole else 0.0


def _part(name: str) -> str | None:
    texts = [word.text for word in words_of(name)]
    texts = ["eye" if text in ("leye", "reye") else text for text in _with_front_side(texts)]
    sides = {SIDES[text] for text in texts if text in SIDES}
    words = tuple(text for text in texts if text not in FILLING and text not in SIDES and not text.isdigit())
    if words in JAW_WORDS and not sides:
        return JAW
    return {"left": LEFT_EYE, "right": RIGHT_EYE}[sides.pop()] if words in EYE_WORDS and len(sides) == 1 else None


def _with_front_side(texts: list[str]) -> list[str]:
    """With the side apart of words like lEye, which is written leye."""
    found = []
    for text in texts:
        found += [text[0], text[1:]] if text[1:] in ("eye", "eyeball") and text[0] in "lr" else [text]
    return found


def _rank(armature: bpy.types.Object, bone: bpy.types.Bone) -> tuple[bool, bool, bool, int]:
    words = {word.text for word in words_of(bone.name)}
    layers = bool(words & {"mch", "org"})
    return bool(held(armature, bone.name)), layers or "def" in words, "master" not in words, len(bone.name)


def _vrm_bones(armature: bpy.types.Object) -> dict[str, str]:
    """What the VRM add-on knows of the humanoid."""
    extension = getattr(armature.data, "vrm_addon_extension", None)
    if extension is None:
        return {}
    found = {}
    bones = getattr(getattr(getattr(extension, "vrm1", None), "humanoid", None), "human_bones", None)
    for part, name in ((JAW, "jaw"), (LEFT_EYE, "left_eye"), (RIGHT_EYE, "right_eye")):
        found[part] = getattr(getattr(getattr(bones, name, None), "node", None), "bone_name", "")
    earlier = getattr(getattr(getattr(extension, "vrm0", None), "humanoid", None), "human_bones", None) or ()
    parts = {"jaw": JAW, "leftEye": LEFT_EYE, "rightEye": RIGHT_EYE}
    for bone in earlier:
        if getattr(bone, "bone", "") in parts and not found.get(parts[bone.bone]):
            found[parts[bone.bone]] = getattr(bone.node, "bone_name", "")
    return {part: name for part, name in found.items() if name}


def _axes(armature: bpy.types.Object) -> tuple[Vector, Vector]:
    """To the character's left and up, in the armature: left from its pairs of bones, up in the world."""
    heads: dict[tuple[str, ...], dict[str, Vector]] = {}
    for bone in armature.data.bones:
        texts = _with_front_side([word.text for word in words_of(bone.name)])
        sides = {SIDES[text] for text in texts if text in SIDES}
        if len(sides) == 1:
            stem = tuple(text for text in texts if text not in SIDES)
            heads.setdefault(stem, {})[sides.pop()] = bone.head_local
    pairs = (pair for pair in heads.values() if len(pair) == 2)
    left = sum((pair["left"] - pair["right"] for pair in pairs), Vector((0.0, 0.0, 0.0)))
    matrix: Matrix = armature.matrix_world.to_3x3()
    turned = matrix.inverted_safe()
    left = left.normalized() if left.length > 1e-6 else (turned @ Vector((1.0, 0.0, 0.0))).normalized()
    up = turned @ Vector((0.0, 0.0, 1.0))
    up = (up - up.dot(left) * left).normalized()
    return left, up
