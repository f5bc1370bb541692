"""Everything that the extension registers, in order; undone in reverse."""

from __future__ import annotations

import bpy

from .. import operators, panels
from .generation import handlers as events
from .generation import scene_copies
from .generation.session import session
from .outputs import curve_following
from .settings import curves as expression_settings
from .settings import head as head_identity
from .settings import model_bundles, performance, readiness
from .settings import person as person_settings
from .settings import scene as properties
from .settings import style as style_settings
from .takes import renamed_strips
from .unattended import command

CLASSES = (
    *model_bundles.CLASSES,
    *expression_settings.CLASSES,
    *head_identity.CLASSES,
    *person_settings.CLASSES,
    *performance.CLASSES,
    *style_settings.CLASSES,
    *properties.CLASSES,
    *operators.CLASSES,
    *panels.CLASSES,
)
_command = None  # `blender --command facetalk`, as Blender keeps it


def _handlers() -> tuple:
    handlers = bpy.app.handlers
    return (
        (handlers.load_pre, events.end_job),
        (handlers.render_init, events.release_engine),
        (handlers.load_post, events.remove_unfinished_heads),
        (handlers.load_post, scene_copies.part_copies),
        (handlers.load_post, renamed_strips.follow_strips),
        (handlers.depsgraph_update_post, scene_copies.part_copies),
        (handlers.depsgraph_update_post, renamed_strips.follow_strips),  # before what looks strips up by name
        (handlers.depsgraph_update_post, curve_following.follow_strips),
        (handlers.save_pre, events.before_saving),
        (handlers.save_post, events.after_saving),
        (handlers.save_post_fail, events.after_saving),
        (handlers.undo_post, events.start_job_again),
        (handlers.redo_post, events.start_job_again),
    )


def register() -> None:
    """Add classes, the scene's settings, handlers and the command."""
    global _command
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.facetalk_head = bpy.props.PointerProperty(type=head_identity.FaceTalkHead)
    bpy.types.Scene.facetalk_person = bpy.props.PointerProperty(type=person_settings.FaceTalkPerson)
    bpy.types.Scene.facetalk = bpy.props.PointerProperty(type=properties.FaceTalkSettings)
    for handlers, function in _handlers():
        handlers.append(function)
    _command = bpy.utils.register_cli_command("facetalk", command.main)
    bpy.utils.register_preset_path(str(style_settings.PRESET_ROOT))
    person_settings.register()
    readiness.look_soon()


def unregister() -> None:
    """Take everything back and end the engine."""
    bpy.utils.unregister_cli_command(_command)
    readiness.stop_looking()
    bpy.utils.unregister_preset_path(str(style_settings.PRESET_ROOT))
    person_settings.unregister()
    session.clear()
    for handlers, function in reversed(_handlers()):
        handlers.remove(function)
    del bpy.types.Scene.facetalk
    del bpy.types.Scene.facetalk_person
    del bpy.types.Scene.facetalk_head
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
