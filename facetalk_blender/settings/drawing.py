"""What layouts of panels and preferences share: wrapped sentences, and how a background task goes."""

from __future__ import annotations

import textwrap

import bpy

from ..engine_access.background_task import BackgroundTask

PIXELS_PER_LETTER = 6.5
PIXELS_BESIDE_TEXT = 70.0  # the sidebar's tabs, the icon and margins


def draw_text(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str) -> None:
    """A box with the text, wrapped to the region's width as labels are not; the icon stands before the first."""
    scale = context.preferences.system.ui_scale or 1.0  # 0 before the first window is drawn
    columns = int((context.region.width / scale - PIXELS_BESIDE_TEXT) / PIXELS_PER_LETTER)
    box = layout.box().column(align=True)
    lines = [line for part in text.splitlines() for line in textwrap.wrap(part, max(columns, 14))]
    for number, line in enumerate(lines):
        box.label(text=line, icon=icon if number == 0 else "BLANK1")


def draw_task(
    layout: bpy.types.UILayout, context: bpy.types.Context, task: BackgroundTask, cancel: str, cancelled: str
) -> bool:
    """Draw a task that runs, failed or was cancelled; False for one that has ended well, of which nothing is drawn.

    cancel: the operator that cancels it; cancelled: what to say once it was.
    """
    if task.running:
        layout.progress(factor=task.fraction, type="BAR", text=task.text)
        layout.operator(cancel, icon="CANCEL")
    elif task.error:
        draw_text(layout, context, task.error, "ERROR")
    elif task.cancelled:
        draw_text(layout, context, cancelled, "INFO")
    else:
        return False
    return True


def redraw_preferences() -> None:
    """Show in the preferences how tasks go."""
    for area in _areas({"PREFERENCES"}):
        area.tag_redraw()


def redraw_sidebars() -> None:
    """Draw the sidebars that show progress again."""
    for area in _areas({"VIEW_3D", "SEQUENCE_EDITOR"}):
        for region in area.regions:
            if region.type == "UI":
                region.tag_redraw()


def _areas(kinds: set[str]) -> list[bpy.types.Area]:
    windows = bpy.context.window_manager.windows
    return [area for window in windows for area in window.screen.areas if area.type in kinds]
