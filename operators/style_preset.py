"""Keep a style under a name, as any preset of Blender's."""

from __future__ import annotations

import bpy
from bl_operators.presets import AddPresetBase

from ..engine.shared.style import LARGEST
from ..facetalk_blender.settings.style import STYLE_PRESETS


class FACETALK_OT_add_style_preset(AddPresetBase, bpy.types.Operator):
    """Keep this style as a preset, or remove the chosen one of your own"""

    bl_idname = "facetalk.add_style_preset"
    bl_label = "Add Style Preset"
    preset_menu = "FACETALK_MT_style_presets"
    preset_subdir = STYLE_PRESETS
    preset_defines = ("style = bpy.context.scene.facetalk.style",)
    preset_values = tuple(f"style.{name}" for name in LARGEST)


CLASSES = (FACETALK_OT_add_style_preset,)
