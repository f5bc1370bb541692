"""Draw a person, and save the persons of the table as assets."""

from __future__ import annotations

import random
from pathlib import Path

import bpy
from bpy_extras.io_utils import ExportHelper

from ..facetalk_blender.generation.session import session
from ..facetalk_blender.person.library_task import LibraryTask
from ..facetalk_blender.person.persons import LARGEST_SEED, drawn_person, persons
from ..facetalk_blender.settings import person
from ..facetalk_blender.settings.drawing import redraw_sidebars
from ..facetalk_blender.settings.preferences import engine_choice
from .running import can_run, run_task

POLL_SECONDS = 0.2
LIBRARY_NAME = "FaceTalk Persons.blend"


class FACETALK_OT_random_person(bpy.types.Operator):
    """Draw head, skin, eyes, hair and beard that fit each other. Hair and colours change on this head at once"""

    bl_idname = "facetalk.random_person"
    bl_label = "Random Person"
    bl_options = {"REGISTER", "UNDO"}

    seed: bpy.props.IntProperty(name="Seed", description="Number of the person", min=0, max=LARGEST_SEED)

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        return can_run(cls, session.busy_reason())

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Draw a seed."""
        self.seed = random.randint(1, LARGEST_SEED)
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take the person of the seed."""
        context.scene.facetalk_person.person = person.OWN
        person.apply(context.scene, drawn_person(self.seed))
        return {"FINISHED"}


def _library_reason() -> str:
    """Why no library can be written now; empty when one can."""
    task = session.person_library
    return f"{task.text}; wait for it or cancel it." if task is not None and task.running else session.busy_reason()


def _follow() -> float | None:
    """Timer: redraw the sidebars while the library is written, and list it at its end."""
    task = session.person_library
    redraw_sidebars()
    return POLL_SECONDS if task is not None and task.running else None


class FACETALK_OT_save_persons(ExportHelper, bpy.types.Operator):
    """Save the persons as assets: heads with shape keys, hair, skin, eyes and shirt that need no extension"""

    bl_idname = "facetalk.save_persons"
    bl_label = "Save Persons as Assets"
    bl_options = {"REGISTER"}
    filename_ext = ".blend"

    filter_glob: bpy.props.StringProperty(default="*.blend", options={"HIDDEN"})
    names: bpy.props.StringProperty(
        name="Persons", description="Some of the persons, with commas between their names. Empty: all of them"
    )

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        return can_run(cls, _library_reason())

    @classmethod
    def unregister(cls) -> None:
        """The extension is switched off, and the writing ends with it."""
        if bpy.app.timers.is_registered(_follow):
            bpy.app.timers.unregister(_follow)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Choose the file; the first asset library of the preferences is proposed."""
        libraries = context.preferences.filepaths.asset_libraries
        folder = bpy.path.abspath(libraries[0].path) if libraries else ""
        self.filepath = str(Path(folder, LIBRARY_NAME))
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start it; in background mode, wait for it."""
        output = Path(bpy.path.abspath(self.filepath)).absolute()
        if bpy.data.filepath and output == Path(bpy.data.filepath):
            self.report({"ERROR"}, "This file itself is open; choose another name.")
            return {"CANCELLED"}
        names = tuple(name.strip().title() for name in self.names.split(",") if name.strip())
        if unknown := [name for name in names if name not in persons()]:
            self.report({"ERROR"}, f"There is no {' and no '.join(unknown)}; the persons are {', '.join(persons())}.")
            return {"CANCELLED"}
        choice = engine_choice(context)
        task = LibraryTask(output, names, choice.python, choice.device)
        session.set_person_library(task)
        return run_task(self, task, _follow)


class FACETALK_OT_cancel_saving_persons(bpy.types.Operator):
    """Stop; nothing is left behind"""

    bl_idname = "facetalk.cancel_saving_persons"
    bl_label = "Cancel"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Cancel the writing under way."""
        if session.person_library is not None:
            session.person_library.cancel()
        return {"FINISHED"}


CLASSES = (FACETALK_OT_random_person, FACETALK_OT_save_persons, FACETALK_OT_cancel_saving_persons)
