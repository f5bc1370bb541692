"""What the next performance is asked for besides the voice: emotions and energy, each a number or keyed over time."""

from __future__ import annotations

from collections.abc import Collection

import bpy
import numpy as np

from ...engine.shared.controls import EMOTIONS, ENERGY, LIMITS
from ..outputs import curve_action

ASKED = (*EMOTIONS, ENERGY)
PATH = "facetalk.performance."  # from the scene to a property

Curve = list[tuple[float, float]]


def _amount(name: str, description: str) -> bpy.props.FloatProperty:
    low, high = LIMITS[name]
    return bpy.props.FloatProperty(name=name.title(), description=description, min=low, max=high, default=0.0, step=5)


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

    def controls(self, known: Collection[str]) -> dict[str, float]:
        """Numbers that are not neutral, of the controls that the model knows; without those that are keyed."""
        keyed = self.curves(known)
        values = {name: round(getattr(self, name), 4) for name in ASKED if name in known and name not in keyed}
        return {name: value for name, value in values.items() if value}

    def curves(self, known: Collection[str]) -> dict[str, Curve]:
        """Scene frames and values of those that are keyed, a pair for every frame from the first key to the last."""
        data = self.id_data.animation_data
        if data is None or data.action is None or data.action_slot is None:
            return {}
        found = {}
        for curve in curve_action.curves_of(data.action, data.action_slot):
            name = curve.data_path.removeprefix(PATH)
            if name in ASKED and name in known and PATH in curve.data_path and not curve.is_empty:
                start, end = (int(np.floor(edge)) for edge in curve.range())
                values = ((float(frame), curve.evaluate(frame)) for frame in range(start, end + 2))
                found[name] = [(frame, float(np.clip(value, *LIMITS[name]))) for frame, value in values]
        return found


CLASSES = (FaceTalkPerformance,)
