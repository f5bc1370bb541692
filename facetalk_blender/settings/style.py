"""Settings of the style in which takes are shown."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...engine.shared.style import DESCRIPTIONS, LARGEST, Style

PRESET_ROOT = Path(__file__).resolve().parent  # in which the folder "presets" lies
STYLE_PRESETS = "facetalk/style"  # in it, and in the user's own presets


def _factor(name: str) -> bpy.props.FloatProperty:
    return bpy.props.FloatProperty(
        name=name.replace("_", " ").title(),
        description=DESCRIPTIONS[name],
        default=1.0,
        min=0.0,
        max=LARGEST[name],
        step=5,
    )


class FaceTalkStyle(bpy.types.PropertyGroup):
    """How takes of this scene are shown; read when an output is made, so nothing is sampled again."""

    articulation: _factor("articulation")
    jaw: _factor("jaw")
    smile: _factor("smile")
    brows: _factor("brows")
    blinks: _factor("blinks")
    gaze: _factor("gaze")
    head_motion: _factor("head_motion")
    smooth: bpy.props.FloatProperty(
        name="Smooth",
        description=DESCRIPTIONS["smooth"],
        default=0.0,
        min=0.0,
        max=LARGEST["smooth"],
        soft_max=0.1,
        step=1,
        precision=3,
        subtype="TIME_ABSOLUTE",
    )

    def style(self) -> Style:
        """The engine's style; values of nearly one are one, as Blender stores single precision."""
        return Style(**{name: round(getattr(self, name), 4) for name in LARGEST})


CLASSES = (FaceTalkStyle,)
