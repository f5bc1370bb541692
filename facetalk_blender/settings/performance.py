"""What the next performance is asked for besides the voice: emotions, energy, gaze and blinks, over time or not."""

from __future__ import annotations

from collections.abc import Collection

import bpy
import numpy as np

from ...engine.shared.controls import BLINK_RATE, EMOTIONS, ENERGY, GAZE_HOLD, LIMITS
from ..outputs import curve_action
from . import gaze_target

ASKED = (*EMOTIONS, ENERGY, BLINK_RATE, GAZE_HOLD)
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
        name="Object", description="What the eyes look at; keys of its location count", type=bpy.types.Object
    )
    gaze_hold: _amount("gaze_hold", "How much the gaze is held on its target; 0 is free", 1.0)

    heard: bpy.props.StringProperty(
        name="Heard", description="What From Voice found in the sound of the chosen strip", options={"HIDDEN"}
    )

    def take_over(self, found: dict[str, float]) -> None:
        """Set emotions and energy to what was found in a voice; the others go back to neutral."""
        for name in (*EMOTIONS, ENERGY):
            setattr(self, name, found.get(name, 0.0))

    def target(self) -> bpy.types.Object | None:
        """What the eyes shall look at; None when they are free or it is not there."""
        return {"CAMERA": self.id_data.camera, "OBJECT": self.gaze_object}.get(self.gaze_target)

    def target_problem(self) -> str:
        """Why the eyes stay free though a target was chosen, in one sentence that names the fix; else empty."""
        if self.gaze_target == "FREE" or self.target() is not None:
            return ""
        missing = "The scene has no camera; add one" if self.gaze_target == "CAMERA" else "Choose the object"
        return f"{missing}, or the eyes stay free."

    def controls(self, known: Collection[str]) -> dict[str, float]:
        """Numbers that are not neutral, of the controls that the model knows; without those that are keyed."""
        keyed = self.curves(known)
        values = {name: round(getattr(self, name), 4) for name in self._asked(known) if name not in keyed}
        values |= self._directions(known)[0]
        return {name: value for name, value in values.items() if value}

    def curves(self, known: Collection[str]) -> dict[str, Curve]:
        """Scene frames and values of those that are keyed, a pair for every frame from the first key to the last."""
        data = self.id_data.animation_data
        found = dict(self._directions(known)[1])
        if data is None or data.action is None or data.action_slot is None:
            return found
        for curve in curve_action.curves_of(data.action, data.action_slot):
            name = curve.data_path.removeprefix(PATH)
            if name in self._asked(known) and PATH in curve.data_path and not curve.is_empty:
                start, end = (int(np.floor(edge)) for edge in curve.range())
                values = ((float(frame), curve.evaluate(frame)) for frame in range(start, end + 2))
                found[name] = [(frame, float(np.clip(value, *LIMITS[name]))) for frame, value in values]
        return found

    def _asked(self, known: Collection[str]) -> list[str]:
        """Those of ASKED that mean something now."""
        unused = () if self.target() is not None else (GAZE_HOLD,)
        return [name for name in ASKED if name in known and name not in unused]

    def _directions(self, known: Collection[str]) -> tuple[gaze_target.Direction, dict[str, Curve]]:
        target = self.target()
        if target is None or GAZE_HOLD not in known:
            return {}, {}
        return gaze_target.directions(self.id_data, target)


CLASSES = (FaceTalkPerformance,)
