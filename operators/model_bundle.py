"""Add, choose and remove model bundles."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy

from ..engine.shared.errors import EngineError
from ..engine.shared.files import reserved_name
from ..facetalk_blender.engine_access.bundle_import import BundleImport
from ..facetalk_blender.extension import user_folder
from ..facetalk_blender.generation.session import session
from ..facetalk_blender.settings import model_bundles
from ..facetalk_blender.settings.drawing import redraw_preferences
from ..facetalk_blender.settings.preferences import engine_choice, preferences
from .running import can_run, run_task

POLL_SECONDS = 0.1
UNUSABLE_IN_NAMES = '<>:"/\\|?*'


def _adding_reason() -> str:
    """Why no bundle can be added now; empty when one can."""
    adding, task = session.bundle_import, session.engine_task
    if adding is not None and adding.running:
        return "A model bundle is being added; wait for it or cancel it."
    return f"{task.text}; wait for it or cancel it." if task is not None and task.running else ""


def _finish(preferences_: bpy.types.AddonPreferences, finished: BundleImport) -> None:
    """List the new bundle and use it when it can make something."""
    entry = model_bundles.record(preferences_.bundles, finished)
    if not finished.information["missing"]["surfaces"]:
        preferences_.bundle = entry.folder
    bpy.context.preferences.is_dirty = True


def _follow() -> float | None:
    """Timer: redraw the preferences while an import runs, and list the bundle at its end."""
    adding = session.bundle_import
    redraw_preferences()
    if adding is None:
        return None
    if adding.running:
        return POLL_SECONDS
    if adding.folder and not adding.error:
        _finish(preferences(bpy.context), adding)
    return None


class FACETALK_OT_add_bundle(bpy.types.Operator):
    """Add a model bundle, or make one of an NPHM, MonoNPHM or wav2vec 2.0 model that you have. Nothing is downloaded"""

    bl_idname = "facetalk.add_bundle"
    bl_label = "Add Model Bundle"

    filepath: bpy.props.StringProperty(
        name="Model", description="Folder that the model's authors publish, or a checkpoint file", subtype="FILE_PATH"
    )
    filter_glob: bpy.props.StringProperty(default="*.tar;*.pt;*.pth;*.bin;*.safetensors", options={"HIDDEN"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    bundle_name: bpy.props.StringProperty(name="Name", description="What to call the bundle. Empty: the model's folder")
    anchors: bpy.props.StringProperty(
        name="Mean Anchors",
        description="anchors_39.npy or anchors_65.npy of the official code. Empty: looked for in the model's folder",
    )

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        return can_run(cls, _adding_reason())

    @classmethod
    def unregister(cls) -> None:
        """The extension is switched off, and the import ends with it: nothing is left to follow."""
        if bpy.app.timers.is_registered(_follow):
            bpy.app.timers.unregister(_follow)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the folder or file."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start it; in background mode, wait for it."""
        source = Path(bpy.path.abspath(self.filepath))
        name = self.bundle_name or (source.stem if source.is_file() else source.name)
        name = "".join("_" if letter in UNUSABLE_IN_NAMES else letter for letter in name).strip(". ") or "model"
        name = f"{name}_model" if reserved_name(name) else name
        anchors = bpy.path.abspath(self.anchors) if self.anchors else ""
        try:
            runtime = session.runtime(engine_choice(context).python)
        except EngineError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        output = model_bundles.free_folder(user_folder("bundles"), name)
        adding = BundleImport(runtime, session.engine_root, source, output, anchors)
        session.set_bundle_import(adding)
        return run_task(self, adding, _follow)


class FACETALK_OT_cancel_adding_bundle(bpy.types.Operator):
    """Stop; what was begun is removed"""

    bl_idname = "facetalk.cancel_adding_bundle"
    bl_label = "Cancel"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Cancel the import under way."""
        if session.bundle_import is not None:
            session.bundle_import.cancel()
        return {"FINISHED"}


class FACETALK_OT_choose_bundle(bpy.types.Operator):
    """Use this model bundle from now on"""

    bl_idname = "facetalk.choose_bundle"
    bl_label = "Use Model Bundle"

    folder: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Choose it; no folder is the built-in bundle."""
        preferences(context).bundle = self.folder
        context.preferences.is_dirty = True
        return {"FINISHED"}


class FACETALK_OT_remove_bundle(bpy.types.Operator):
    """Take this model bundle off the list. A bundle made by Add is deleted; other folders are left alone"""

    bl_idname = "facetalk.remove_bundle"
    bl_label = "Remove Model Bundle"

    folder: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove it; where it was in use, the built-in bundle takes over."""
        chosen = preferences(context)
        index = next((number for number, entry in enumerate(chosen.bundles) if entry.folder == self.folder), None)
        if index is None:
            self.report({"ERROR"}, "This model bundle is not on the list.")
            return {"CANCELLED"}
        if Path(self.folder).parent == user_folder("bundles"):
            try:
                shutil.rmtree(self.folder)
            except FileNotFoundError:
                pass
            except OSError as error:
                self.report({"ERROR"}, f"Cannot delete {error.filename}; close programs that use it and try again.")
                return {"CANCELLED"}
        chosen.bundles.remove(index)
        if chosen.bundle == self.folder:
            chosen.bundle = ""
        context.preferences.is_dirty = True
        return {"FINISHED"}


CLASSES = (
    FACETALK_OT_add_bundle,
    FACETALK_OT_cancel_adding_bundle,
    FACETALK_OT_choose_bundle,
    FACETALK_OT_remove_bundle,
)
