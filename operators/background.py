"""Starting background tasks from operators."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from ..facetalk_blender.engine_access.background_task import BackgroundTask


def run_task(operator: bpy.types.Operator, task: BackgroundTask, follow: Callable[[], float | None]) -> set[str]:
    """Start a task, which the timer function `follow` accompanies to its end. In background mode, wait for it."""
    task.start()
    if not bpy.app.background:
        bpy.app.timers.register(follow)
        return {"FINISHED"}
    task.wait()
    follow()
    if task.error:
        operator.report({"ERROR"}, task.error)
        return {"CANCELLED"}
    return {"FINISHED"}


def redraw_preferences() -> None:
    """Show in the preferences how tasks go."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()
