"""Keep a style or a performance under a name, as any preset of Blender's."""

from __future__ import annotations

import bpy
from bl_operators.presets import AddPresetBase

from ..engine.shared.style import LARGEST
from ..facetalk_blender.settings.performance import PERFORMANCE_PRESETS, PRESET_NAMES
from ..facetalk_blender.settings.style import STYLE_PRESETS


class FACETALK_OT_add_style_preset(AddPresetBase, bpy.types.Operator):
    """Keep this style as a preset, or remove the chosen one of your own"""

    bl_idname = "facetalk.add_style_preset"
    bl_label = "Add Style Preset"
    preset_menu = "FACETALK_MT_style_presets"
    preset_subdir = STYLE_PRESETS
    preset_defines = ("style = bpy.context.scene.facetalk.style",)
    preset_values = tuple(f"style.{name}" for name in LARGEST)


class FACETALK_OT_add_performance_preset(AddPresetBase, bpy.types.Operator):
    """Keep these emotions, energy and blink rate as a preset, or remove the chosen one of your own"""

    bl_idname = "facetalk.add_performance_preset"
    bl_label = "Add Performance Preset"
    preset_menu = "FACETALK_MT_performance_presets"
    preset_subdir = PERFORMANCE_PRESETS
    preset_defines = ("performance = bpy.context.scene.facetalk.performance",)
    preset_values = tuple(f"performance.{name}" for name in PRESET_NAMES)


CLASSES = (FACETALK_OT_add_style_preset, FACETALK_OT_add_performance_preset)
