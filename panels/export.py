"""The menu of everything that a result can be exported to."""

from __future__ import annotations

import bpy

from ..facetalk_blender.exchange.formats import FORMATS


class FACETALK_MT_export(bpy.types.Menu):
    """Write what speaks the chosen sound strip to a file for other programs."""

    bl_label = "Export"

    def draw(self, _context: bpy.types.Context) -> None:
        """List the kinds of files; one that cannot be written says why in its tooltip."""
        for kind, chosen in FORMATS.items():
            self.layout.operator(f"facetalk.export_{kind}", text=f"{chosen.label} ({chosen.suffix})")


class FACETALK_PT_export(bpy.types.Panel):
    """Export of the result."""

    bl_label = "Export"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceTalk"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 10

    def draw(self, _context: bpy.types.Context) -> None:
        """Show the menu."""
        self.layout.menu("FACETALK_MT_export", text="Export Result", icon="EXPORT")


CLASSES = (FACETALK_MT_export, FACETALK_PT_export)
