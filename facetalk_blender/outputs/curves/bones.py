"""Jaw and eye bones of a character, and how they turn with a take.

A jaw turns about the axis to the left of the character, by which a chin in front goes down and one below goes back; an
eye turns about the same axis and about the upright one. Both axes are those of the armature in its rest pose, whatever
way the bones point.
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

JAW, LEFT_EYE, RIGHT_EYE = "jaw", "left eye", "right eye"
JAW_ANGLE = radians(22.0)  # of jawOpen at 1
EYE_ANGLE = radians(28.0)  # of a look at 1
# ARKit weights with which a part turns.
WEIGHTS = {
    JAW: ("jawOpen", "mouthClose"),
    LEFT_EYE: ("eyeLookUpLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft"),
    RIGHT_EYE: ("eyeLookUpRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight"),
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
        pitch, yaw = self._angles(weights)
        table, last = np.empty((len(pitch), count)), before
        for row, (up, left) in enumerate(zip(pitch, yaw, strict=True)):
            turned = Quaternion(self.yaw, left) @ Quaternion(self.pitch, up) @ before
            turned.make_compatible(last)
            table[row], last = _components(pose, turned, before), turned
        moving = [index for index in range(count) if np.ptp(table[:, index]) > 1e-6]
        return {(path, index): table[:, index] for index in moving}

    def _angles(self, weights: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Pitch and yaw (F,) in radians; down and to the character's left are positive."""
        values = [weights[name] for name in WEIGHTS[self.part]]
        if self.part == JAW:
            opening = np.clip(values[0] - values[1], 0.0, 1.0)
            return self.angle * opening, np.zeros_like(opening)
        up, down, inwards, outwards = values
        left = outwards - inwards if self.part == LEFT_EYE else inwards - outwards
        return self.angle * (down - up), self.angle * left


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


def turns(armature: bpy.types.Object, parts: Iterable[str]) -> list[Turn]:
    """How the bones of some parts turn, of those that the armature has."""
    found = find_bones(armature)
    left, up = _axes(armature)
    made = []
    for part in parts:
        if part in found:
            rest = armature.data.bones[found[part]].matrix_local.to_3x3().inverted()
            angle = JAW_ANGLE if part == JAW else EYE_ANGLE
            made.append(Turn(found[part], part, tuple(rest @ left), tuple(rest @ up), angle))
    return made


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
