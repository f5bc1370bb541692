"""What can be done with the frames of a finished head: keep them elsewhere, find them again, delete old ones."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..facetalk_blender.generation.estimate import size_text
from ..facetalk_blender.generation.frame_conversion import Conversion
from ..facetalk_blender.generation.session import session
from ..facetalk_blender.outputs.frames import cache_folder, frame_storage, frames_in_cache, unused_frames
from ..facetalk_blender.outputs.frames.frame_timing import Timing
from .running import JobOperator, can_run
from .takes import NO_TAKE

FOLDERS_SHOWN = 8
NO_FRAMES = "The chosen take has no Frame Meshes; choose that output and use Make Output."


def chosen_head(context: bpy.types.Context) -> bpy.types.Object | None:
    """The frame meshes of the take that is chosen in the list, if it has any."""
    return frame_storage.result_with_frames(context.scene.facetalk.chosen_take())


def _reason(context: bpy.types.Context) -> str:
    if context.scene.facetalk.chosen_take() is None:
        return NO_TAKE
    return "" if chosen_head(context) else NO_FRAMES


def _immovable_reason(head: bpy.types.Object) -> str:
    """Why frames cannot be kept elsewhere; empty when they can."""
    return frame_storage.cache_problem(head) if frame_storage.is_cached(head) else cache_folder.missing_support()


class FACETALK_OT_move_frames(JobOperator, bpy.types.Operator):
    """Move the frames of the take's head from the file to a cache folder beside it, or back. Cached files stay there"""

    bl_idname = "facetalk.move_frames"
    bl_label = "Move Frames"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it can run now, with or without an engine; the reason why not is the tooltip."""
        return can_run(cls, session.busy_reason() or _reason(context) or _immovable_reason(chosen_head(context)))

    def start(self, context: bpy.types.Context) -> None:
        """Begin."""
        session.set_job(Conversion(context.scene, chosen_head(context), frame_storage.FrameStorage()))


class FACETALK_OT_find_frames(bpy.types.Operator):
    """Choose the folder in which the frames of the take's head are now"""

    bl_idname = "facetalk.find_frames"
    bl_label = "Find Frames..."
    bl_options = {"REGISTER", "UNDO"}

    directory: bpy.props.StringProperty(name="Folder", subtype="DIR_PATH")
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        problem = session.busy_reason() or _reason(context)
        if not problem and not frame_storage.is_cached(chosen_head(context)):
            problem = "The frames of this head are in the file; nothing is missing."
        return can_run(cls, problem)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the folder."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Show the frames of that folder."""
        head, folder = chosen_head(context), Path(bpy.path.abspath(self.directory))
        count = Timing.of_owner(head).count
        missing = cache_folder.missing_frames(folder, count)
        if missing:
            self.report({"ERROR"}, f"{missing} of {count} frames are not in {folder}; choose another folder.")
            return {"CANCELLED"}
        frames_in_cache.show_folder(head, folder)
        return {"FINISHED"}


class FACETALK_OT_delete_unused_frames(bpy.types.Operator):
    """Delete folders of frames beside the .blend file that no take of it shows any more. Asks first"""

    bl_idname = "facetalk.delete_unused_frames"
    bl_label = "Delete Unused Frames"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        problem = session.busy_reason()
        if not bpy.data.filepath:
            problem = (
                problem or "Save the file first: only frames beside it can be distinguished from those of other files."
            )
        if not problem and not unused_frames.likely():
            problem = "There are no frames beside this file except those that it shows."
        return can_run(cls, problem)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Say what would go, and ask."""
        self._folders = unused_frames.unused_folders()
        if not self._folders:
            return self.execute(context)
        text = f"Delete {_size(self._folders)}"
        return context.window_manager.invoke_props_dialog(self, width=420, title=self.bl_label, confirm_text=text)

    def draw(self, _context: bpy.types.Context) -> None:
        """What would go."""
        column = self.layout.column(align=True)
        column.label(text=f"In {self._folders[0].path.parent}:", icon="FILE_FOLDER")
        for folder in self._folders[:FOLDERS_SHOWN]:
            column.label(text=f"{folder.path.name}: {folder.frames} frames, {_size([folder])}", icon="BLANK1")
        if len(self._folders) > FOLDERS_SHOWN:
            column.label(text=f"and {len(self._folders) - FOLDERS_SHOWN} more", icon="BLANK1")
        column.separator()
        column.label(text="Nothing in this file shows them, but an earlier save or a copy of it may.", icon="INFO")
        column.label(text="This cannot be undone; takes stay, and Make Output makes frames again.", icon="BLANK1")

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Delete what is unused now."""
        folders, left = unused_frames.unused_folders(), []
        for folder in folders:
            try:
                unused_frames.delete(folder)
            except OSError as error:
                left.append(f"{folder.path} ({error.strerror or error})")
        if left:
            self.report({"ERROR"}, f"Cannot delete {', '.join(left)}; close what uses it and try again.")
        elif not folders:
            self.report({"ERROR"}, "The unused folders hold no frames that FaceTalk wrote; delete them by hand.")
        else:
            self.report({"INFO"}, f"Deleted {len(folders)} folders of frames, {_size(folders)}")
        return {"FINISHED"} if folders and not left else {"CANCELLED"}


def _size(folders: list[unused_frames.UnusedFolder]) -> str:
    return size_text(sum(folder.size for folder in folders))


CLASSES = (FACETALK_OT_move_frames, FACETALK_OT_find_frames, FACETALK_OT_delete_unused_frames)
