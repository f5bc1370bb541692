"""How a background task goes, in the preferences."""

from __future__ import annotations

import bpy

from ..engine_access.background_task import BackgroundTask
from .drawing import draw_text


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
