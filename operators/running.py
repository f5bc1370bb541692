"""Whether an operator can run, and how it runs: at once, as a task in the background, or as a job in many ticks."""

from __future__ import annotations

import time
from collections.abc import Callable

import bpy

from ..engine.shared.errors import EngineError
from ..facetalk_blender.engine_access.background_task import BackgroundTask
from ..facetalk_blender.generation.job import TICK_SECONDS, Job, State
from ..facetalk_blender.generation.session import session
from ..facetalk_blender.settings.drawing import redraw_sidebars

TIMER_SECONDS = 0.01  # a tick works for half of that, so that Blender keeps the other half
REDRAW_SECONDS = 0.2
SHARE_OF_TIME, MOST_TICK_SECONDS = 0.25, 0.03  # of the time that Blender takes between ticks, and at most


def can_run(operator: type[bpy.types.Operator], reason: str) -> bool:
    """What a poll answers: True when there is no reason against it, else the reason is the button's tooltip."""
    if reason:
        operator.poll_message_set(reason)
    return not reason


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


class JobOperator:
    """Runs a job of the session, from a timer while Blender stays usable; a mixin for operators.

    A class makes the first job (`start`), and may look at every tick (`watch`), go on to another job (`go_on`) and say
    more of a job that is done (`report_done`).
    """

    bl_options = {"UNDO"}

    _timer: bpy.types.Timer | None = None
    _next_redraw = 0.0
    _tick_ended = 0.0

    def start(self, context: bpy.types.Context) -> None:
        """Make the first job the session's. Raises EngineError when it cannot begin."""
        raise NotImplementedError

    def watch(self, context: bpy.types.Context, job: Job) -> None:
        """Look at a job after a tick."""

    def go_on(self, ended: Job) -> bool:
        """Make the next job the session's, if there is one."""
        return False

    def report_done(self, job: Job) -> None:
        """Tell that a job is done."""
        self.report({"INFO"}, " ".join(job.notes))

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Start, and go on from a timer while Blender stays usable."""
        if not self._start(context):
            return {"CANCELLED"}
        manager = context.window_manager
        self._timer = manager.event_timer_add(TIMER_SECONDS, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Work for a few milliseconds at every tick of the timer."""
        if event.type == "TIMER":
            job = session.job
            running = job is not None and job.tick(self._work_seconds())
            self._tick_ended = time.perf_counter()
            if job is not None:
                self.watch(context, job)
            self._show_progress(context, job)
            if not running and (job is None or not self.go_on(job)):
                self._remove_timer(context)
                if job is None or job.state is State.CANCELLED:
                    self.report_cancelled(context)
                return self._report(job)
        return {"PASS_THROUGH"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Run the jobs and wait for them: for scripts and background mode."""
        if not self._start(context):
            return {"CANCELLED"}
        session.job.run()
        while self.go_on(session.job):
            session.job.run()
        return self._report(session.job)

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator, e.g. because its window closes."""
        self._remove_timer(context)
        session.end_job()

    def refuse(self, error: Exception) -> None:
        """Tell why the next job cannot begin."""
        self.report({"ERROR"}, str(error))
        session.refuse(str(error))

    def _start(self, context: bpy.types.Context) -> bool:
        try:
            self.start(context)
        except EngineError as error:
            self.refuse(error)
            return False
        return True

    def report_cancelled(self, context: bpy.types.Context) -> None:
        """Whatever was shown for the job goes back to how it was."""
        return

    def _report(self, job: Job | None) -> set[str]:
        if job is None or job.state is State.CANCELLED:
            return {"CANCELLED"}
        if job.state is State.FAILED:
            self.report({"ERROR"}, job.error)
            return {"FINISHED"} if job.result_name else {"CANCELLED"}
        self.report_done(job)
        return {"FINISHED"}

    def _work_seconds(self) -> float:
        """How long to work now: longer where Blender itself takes long between two ticks, e.g. to draw."""
        between = time.perf_counter() - self._tick_ended
        return min(max(TICK_SECONDS, SHARE_OF_TIME * between), MOST_TICK_SECONDS)

    def _show_progress(self, context: bpy.types.Context, job: Job | None) -> None:
        """In the sidebars and in the status bar, some times a second."""
        if job is None or (job.running and time.perf_counter() < self._next_redraw):
            return
        self._next_redraw = time.perf_counter() + REDRAW_SECONDS
        context.workspace.status_text_set(f"FaceTalk: {job.progress_text}" if job.running else None)
        redraw_sidebars()

    def _remove_timer(self, context: bpy.types.Context) -> None:
        context.workspace.status_text_set(None)
        redraw_sidebars()
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
