"""Sentences in a layout: Blender's labels do not wrap."""

from __future__ import annotations

import textwrap

import bpy

PIXELS_PER_LETTER = 6.5
PIXELS_BESIDE_TEXT = 70.0  # the sidebar's tabs, the icon and margins


def draw_text(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str) -> None:
    """A box with the text, its lines wrapped to the region's width; the icon stands before the first."""
    scale = context.preferences.system.ui_scale or 1.0  # 0 before the first window is drawn
    columns = int((context.region.width / scale - PIXELS_BESIDE_TEXT) / PIXELS_PER_LETTER)
    box = layout.box().column(align=True)
    lines = [line for part in text.splitlines() for line in textwrap.wrap(part, max(columns, 14))]
    for number, line in enumerate(lines):
        box.label(text=line, icon=icon if number == 0 else "BLANK1")
