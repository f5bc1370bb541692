"""Preferences: which Python runs the engine, on which device, with which model."""

from __future__ import annotations

import bpy

EXTENSION = __package__.rpartition(".")[0]


class FaceTalkPreferences(bpy.types.AddonPreferences):
    """Engine settings of this computer."""

    bl_idname = EXTENSION

    engine_python: bpy.props.StringProperty(
        name="Engine Python",
        description="Interpreter that runs the engine and can import torch. Empty: Blender's own",
        subtype="FILE_PATH",
    )
    device: bpy.props.EnumProperty(
        name="Device",
        description="What the engine computes on",
        items=(
            ("auto", "Automatic", "A CUDA GPU when there is one, else the CPU"),
            ("cpu", "CPU", "The processor"),
            ("cuda", "CUDA GPU", "An NVIDIA GPU"),
        ),
    )
    bundle: bpy.props.StringProperty(
        name="Model Bundle",
        description="Folder of a model bundle. Empty: the built-in starter model",
        subtype="DIR_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Show the settings."""
        column = self.layout.column()
        column.use_property_split = True
        column.prop(self, "engine_python")
        column.prop(self, "device")
        column.prop(self, "bundle")


def preferences(context: bpy.types.Context) -> FaceTalkPreferences:
    """The extension's preferences."""
    return context.preferences.addons[EXTENSION].preferences


CLASSES = (FaceTalkPreferences,)
