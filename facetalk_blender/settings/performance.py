"""What the next performance is asked for besides the voice: emotions, energy, gaze and blinks, over time or not."""

from __future__ import annotations

from collections.abc import Collection

import bpy
import numpy as np

from ...engine.shared.controls import BLINK_RATE, EMOTIONS, ENERGY, GAZE_HOLD, LIMITS
from ..generation import gaze_target
from ..generation.gaze_target import GazeTarget
from ..outputs import curve_action

ASKED = (*EMOTIONS, ENERGY, BLINK_RATE, GAZE_HOLD)
PERFORMANCE_PRESETS = "facetalk/performance"  # in the folder of styles' presets, and in the user's own
PRESET_NAMES = (*EMOTIONS, ENERGY, BLINK_RATE)
TARGETS = (
    ("FREE", "Free", "The eyes look where they like, as people do who talk"),
    ("CAMERA", "Camera", "They look into the scene's camera"),
    ("OBJECT", "Object", "They look at an object"),
)
PATH = "facetalk.performance."  # from the scene to a property

Curve = list[tuple[float, float]]


def _amount(name: str, description: str, default: float = 0.0) -> bpy.props.FloatProperty:
    low, high = LIMITS[name]
    return bpy.props.FloatProperty(
        name=name.replace("_", " ").title(), description=description, min=low, max=high, default=default, step=5
    )


class FaceTalkPerformance(bpy.types.PropertyGroup):
    """How the next take feels; read when it is sampled, frame by frame where it is keyed."""

    joy: _amount("joy", "Raised cheeks and a smile")
    anger: _amount("anger", "Lowered brows, tense lids and lips")
    sadness: _amount("sadness", "Inner brows raised, corners of the mouth down, little energy")
    fear: _amount("fear", "Raised and drawn brows, wide eyes, stretched lips")
    disgust: _amount("disgust", "Wrinkled nose, raised upper lip")
    surprise: _amount("surprise", "Raised brows, wide eyes, dropped jaw")
    contempt: _amount("contempt", "One corner of the mouth tightened")
    energy: _amount("energy", "Effort of voice and face: from listless to shouting")

    blink_rate: _amount("blink_rate", "How often the lids close: -1 never, 0 as the voice asks, 1 twice as often")
    gaze_target: bpy.props.EnumProperty(
        name="Look At", description="Where the eyes rest; the head helps with what lies far aside", items=TARGETS
    )
    gaze_object: bpy.props.PointerProperty(
        name="Object", description="What the eyes look at, and follow when it moves", type=bpy.types.Object
    )
    gaze_hold: _amount("gaze_hold", "How much the gaze is held on its target; 0 is free", 1.0)

    heard: bpy.props.StringProperty(
        name="Heard", description="What From Voice found in the sound of the chosen strip", options={"HIDDEN"}
    )

    def take_over(self, found: dict[str, float], phrases: list[tuple[float, float, dict[str, float]]]) -> None:
        """Set emotions and energy to what was found in a voice; the others go back to neutral.

        phrases: first and last scene frame of each, and what was found in it. Of several the numbers are keyed, and
        keys that lay between the first and the last are replaced; keys elsewhere stay.
        """
        keyed = self._own_curves()
        for name in (*EMOTIONS, ENERGY):
            setattr(self, name, found.get(name, 0.0))
            moves = len(phrases) > 1 and (name == ENERGY or any(values.get(name) for _, _, values in phrases))
            if phrases and (moves or name in keyed):
                _replace_keys(keyed.get(name) or self._new_curve(name), name, phrases)

    def _own_curves(self) -> dict[str, bpy.types.FCurve]:
        """Curves of these numbers in the scene's action, by name."""
        data = self.id_data.animation_data
        if data is None or data.action is None or data.action_slot is None:
            return {}
        curves = curve_action.curves_of(data.action, data.action_slot)
        return {curve.data_path.removeprefix(PATH): curve for curve in curves if curve.data_path.startswith(PATH)}

    def _new_curve(self, name: str) -> bpy.types.FCurve:
        scene = self.id_data
        data = scene.animation_data_create()
        if data.action is None:
            data.action = bpy.data.actions.new(f"{scene.name} Performance")
        return data.action.fcurve_ensure_for_datablock(scene, PATH + name)

    def targets(self) -> list[tuple[float, bpy.types.Object]]:
        """What the eyes shall look at, each from a scene frame on; empty when they are free or it is not there."""
        if self.gaze_target == "CAMERA":
            return gaze_target.of_camera(self.id_data)
        return [(0.0, self.gaze_object)] if self.gaze_target == "OBJECT" and self.gaze_object is not None else []

    def gaze(self, known: Collection[str]) -> GazeTarget | None:
        """The choice of what they look at; None when they are free or the model cannot be asked."""
        targets = self.targets()
        return gaze_target.chosen(self.id_data, targets) if targets and GAZE_HOLD in known else None

    def target_problem(self) -> str:
        """Why the eyes stay free though a target was chosen, in one sentence that names the fix; else empty."""
        if self.gaze_target == "FREE" or self.targets():
            return ""
        missing = "The scene has no camera; add one" if self.gaze_target == "CAMERA" else "Choose the object"
        return f"{missing}, or the eyes stay free."

    def controls(self, known: Collection[str]) -> dict[str, float]:
        """Numbers that are not neutral, of the controls that the model knows; without those that are keyed."""
        keyed = self.curves(known)
        values = {name: round(getattr(self, name), 4) for name in self._asked(known) if name not in keyed}
        return {name: value for name, value in values.items() if value}

    def curves(self, known: Collection[str]) -> dict[str, Curve]:
        """Scene frames and values of those that are keyed, a pair for every frame from the first key to the last."""
        found: dict[str, Curve] = {}
        asked = self._asked(known)
        for name, curve in self._own_curves().items():
            if name in asked and not curve.is_empty:
                start, end = (int(np.floor(edge)) for edge in curve.range())
                values = ((float(frame), curve.evaluate(frame)) for frame in range(start, end + 2))
                found[name] = [(frame, float(np.clip(value, *LIMITS[name]))) for frame, value in values]
        return found

    def _asked(self, known: Collection[str]) -> list[str]:
        """Those of ASKED that mean something now."""
        unused = () if self.targets() else (GAZE_HOLD,)
        return [name for name in ASKED if name in known and name not in unused]


def _replace_keys(curve: bpy.types.FCurve, name: str, phrases: list[tuple[float, float, dict[str, float]]]) -> None:
    """Hold a number over each phrase and let it go over to the next in between."""
    at: dict[int, float] = {}
    for start, end, values in phrases:
        first, last = round(start) + 1, round(end) - 1
        at[first] = at[max(first, last)] = values.get(name, 0.0)
    points = curve.keyframe_points
    inside = round(phrases[0][0]), round(phrases[-1][1])
    kept = [tuple(point.co) for point in points if not inside[0] <= point.co.x <= inside[1]]
    points.clear()
    keys = sorted([*kept, *((float(frame), value) for frame, value in at.items())])
    points.add(len(keys))
    points.foreach_set("co", np.array(keys, np.float32).ravel())
    linear = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value
    points.foreach_set("interpolation", [linear] * len(keys))
    curve.update()


CLASSES = (FaceTalkPerformance,)
