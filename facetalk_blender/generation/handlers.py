"""What Blender's own events do to the session. Blender keeps functions through the loading of a file, no methods."""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from ..outputs import result
from ..outputs.removal import remove_unfinished
from .session import session


@persistent
def release_engine(*_arguments) -> None:
    """Before a render: hand the engine's memory, a GPU's too, back."""
    if not session.busy():
        session.stop_engine()


@persistent
def end_job(*_arguments) -> None:
    """Another file is about to be opened, so the job under way has lost its scene."""
    session.end_job()


@persistent
def start_job_again(*_arguments) -> None:
    """An undo or redo may have taken frames of the head that is being made, or brought a half made one back."""
    if session.busy():
        session.job.start_again()
    elif remove_unfinished():
        _show_chosen_takes()


@persistent
def before_saving(*_arguments) -> None:
    """The file is whole whenever it is saved."""
    if session.busy():
        session.job.saving(begins=True)


@persistent
def after_saving(*_arguments) -> None:
    """The file was saved, or could not be."""
    if session.busy():
        session.job.saving(begins=False)


@persistent
def remove_unfinished_heads(*_arguments) -> None:
    """The file was saved while a head was being made; its take can make it again."""
    remove_unfinished()


def _show_chosen_takes() -> None:
    """What a half made head had hidden."""
    for scene in bpy.data.scenes:
        text = scene.facetalk.chosen_take()
        if text is not None:
            result.show_take(scene, text)
