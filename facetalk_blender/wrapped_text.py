"""Sentences in a layout: Blender's labels do not wrap."""

from __future__ import annotations

import textwrap

import bpy

TEXT_COLUMNS_PER_PIXEL = 1 / 7.5


def draw_text(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str) -> None:
    """A box with the text, its lines wrapped to the region's width; the icon stands before the first."""
    scale = context.preferences.system.ui_scale or 1.0  # 0 before the first window is drawn
    width = int(context.region.width / scale * TEXT_COLUMNS_PER_PIXEL)
    box = layout.box().column(align=True)
    lines = [line for part in text.splitlines() for line in textwrap.wrap(part, max(width - 6, 16))]
    for number, line in enumerate(lines):
        box.label(text=line, icon=icon if number == 0 else "BLANK1")
