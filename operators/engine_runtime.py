"""Install, check and remove the engine runtime; hand its memory back."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy

from ..engine.shared.errors import EngineError
from ..facetalk_blender.engine_access.background_task import BackgroundTask
from ..facetalk_blender.engine_access.installation import RuntimeInstallation
from ..facetalk_blender.engine_access.runtime import EngineCheck
from ..facetalk_blender.engine_access.wheel_lock import WheelLock, this_platform, this_python
from ..facetalk_blender.extension import user_folder
from ..facetalk_blender.generation.session import session
from ..facetalk_blender.settings.drawing import redraw_preferences
from ..facetalk_blender.settings.preferences import engine_choice
from .running import can_run, run_task

POLL_SECONDS = 0.2
BUILD_ITEMS = {
    "cuda": ("cuda", "NVIDIA GPU", "Runs on an NVIDIA GPU, and on the CPU without one; several GB"),
    "cpu": ("cpu", "CPU", "The smaller build, for the CPU alone"),
}


def _builds() -> tuple[str, ...]:
    return WheelLock().builds(this_platform(), this_python())


def _build_items(_self, _context: bpy.types.Context) -> list[tuple[str, str, str]]:
    return [BUILD_ITEMS[build] for build in BUILD_ITEMS if build in _builds()]


def _runtime_folder() -> Path:
    return user_folder("runtime") / this_python()


def _busy_reason() -> str:
    task = session.engine_task
    if task is not None and task.running:
        return f"{task.text}; wait for it or cancel it."
    return session.busy_reason()


def _installing_reason() -> str:
    """Why no runtime can be installed now; empty when one can."""
    if not _builds():
        return (
            f"There are no engine packages for {this_platform()} with Python {this_python()}; "
            "name a Python that has torch."
        )
    return _busy_reason()


def _online_reason() -> str:
    if bpy.app.online_access:
        return ""
    return "Blender stays offline; allow online access in Preferences > System, or install from a folder."


def _run_task(operator: bpy.types.Operator, task: BackgroundTask) -> set[str]:
    session.set_engine_task(task)
    return run_task(operator, task, _follow)


def _follow() -> float | None:
    """Timer: redraw the preferences while a task runs."""
    task = session.engine_task
    running = task is not None and task.running
    redraw_preferences()
    return POLL_SECONDS if running else None


def _install(operator: bpy.types.Operator, build: str, source: Path | None) -> set[str]:
    try:
        wheels = WheelLock().wheels(this_platform(), this_python(), build)
    except EngineError as error:
        operator.report({"ERROR"}, str(error))
        return {"CANCELLED"}
    session.stop_engine()
    return _run_task(operator, RuntimeInstallation(_runtime_folder(), wheels, source, session.engine_root))


class FACETALK_OT_install_engine_runtime(bpy.types.Operator):
    """Download the engine's packages into an environment of their own, apart from Blender and other add-ons"""

    bl_idname = "facetalk.install_engine_runtime"
    bl_label = "Install Engine Runtime"

    build: bpy.props.EnumProperty(name="Build", description="What the engine will compute on", items=_build_items)

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        return can_run(cls, _installing_reason() or _online_reason())

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask before anything is downloaded."""
        return context.window_manager.invoke_props_dialog(self, width=420, confirm_text="Download and Install")

    def draw(self, _context: bpy.types.Context) -> None:
        """Say what will happen."""
        column = self.layout.column()
        count = len(WheelLock().wheels(this_platform(), this_python(), self.build))
        column.label(text=f"{count} packages are downloaded from the Python package index,")
        column.label(text="each is checked against its pinned hash. They are installed in")
        column.label(text=str(_runtime_folder()))
        column.row().prop(self, "build", expand=True)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Start it."""
        return _install(self, self.build, None)


class FACETALK_OT_install_engine_runtime_from_folder(bpy.types.Operator):
    """Install the engine's packages from a folder of wheels, without a network"""

    bl_idname = "facetalk.install_engine_runtime_from_folder"
    bl_label = "Install from Folder"

    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"HIDDEN"})

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        return can_run(cls, _installing_reason())

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the folder."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Install the build whose torch lies in the folder."""
        folder = Path(bpy.path.abspath(self.directory))
        lock = WheelLock()
        builds = _builds()
        for build in builds:
            torch = lock.wheels(this_platform(), this_python(), build)[0]
            if Path(folder, torch.file_name).is_file():
                return _install(self, build, folder)
        return _install(self, builds[0], folder)


class FACETALK_OT_remove_engine_runtime(bpy.types.Operator):
    """Delete the installed engine runtime and what was downloaded for it"""

    bl_idname = "facetalk.remove_engine_runtime"
    bl_label = "Remove Engine Runtime"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether there is one to remove."""
        reason = _busy_reason() or ("" if _runtime_folder().is_dir() else "No engine runtime is installed.")
        return can_run(cls, reason)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Delete it."""
        session.stop_engine()
        session.set_engine_task(None)
        try:
            shutil.rmtree(_runtime_folder())
        except OSError as error:
            self.report({"ERROR"}, f"Cannot delete {error.filename}; close programs that use it and try again.")
            return {"CANCELLED"}
        return {"FINISHED"}


class FACETALK_OT_check_engine(bpy.types.Operator):
    """Show which Python runs the engine, what it has, and what to do when something is wrong"""

    bl_idname = "facetalk.check_engine"
    bl_label = "Check Engine"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        return can_run(cls, _busy_reason())

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start it."""
        choice = engine_choice(context)
        try:
            runtime = session.runtime(choice.python)
        except EngineError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return _run_task(self, EngineCheck(runtime, session.engine_root, choice.bundle, choice.device))


class FACETALK_OT_cancel_engine_task(bpy.types.Operator):
    """Stop. What was downloaded is kept, so that installing again goes on from there"""

    bl_idname = "facetalk.cancel_engine_task"
    bl_label = "Cancel"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Cancel the task under way."""
        if session.engine_task is not None:
            session.engine_task.cancel()
        return {"FINISHED"}


class FACETALK_OT_copy_engine_report(bpy.types.Operator):
    """Copy the report to the clipboard, to paste it into a question or a bug report"""

    bl_idname = "facetalk.copy_engine_report"
    bl_label = "Copy Report"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether there is a report."""
        return can_run(cls, "" if session.engine_report() else "Check the engine first.")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Copy it, with Blender's own version."""
        lines = [f"Blender {bpy.app.version_string}, {this_platform()}", *session.engine_report()]
        context.window_manager.clipboard = "\n".join(lines)
        return {"FINISHED"}


class FACETALK_OT_release_memory(bpy.types.Operator):
    """End the engine process, so that its memory and the GPU's are free; the next generation starts it again"""

    bl_idname = "facetalk.release_memory"
    bl_label = "Release Memory"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether the engine holds memory that can be released now."""
        reason = _busy_reason() or ("" if session.engine_alive() else "The engine is not running and uses no memory.")
        return can_run(cls, reason)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """End the engine."""
        session.stop_engine()
        return {"FINISHED"}


CLASSES = (
    FACETALK_OT_install_engine_runtime,
    FACETALK_OT_install_engine_runtime_from_folder,
    FACETALK_OT_remove_engine_runtime,
    FACETALK_OT_check_engine,
    FACETALK_OT_cancel_engine_task,
    FACETALK_OT_copy_engine_report,
    FACETALK_OT_release_memory,
)
