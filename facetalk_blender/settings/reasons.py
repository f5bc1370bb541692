"""Why something cannot be done now: one sentence that names the fix, for tooltips, panels and runs without a window."""

from __future__ import annotations

import bpy

from ...engine.shared.errors import EngineError
from .. import compat
from ..generation.session import session
from ..outputs.frames.cache_folder import missing_support
from ..sound import strip as sound_strip
from .preferences import engine_choice


def unready_reason(context: bpy.types.Context) -> str:
    """Why nothing at all can be generated now; empty when the engine is ready."""
    problem = session.busy_reason()
    try:
        session.runtime(engine_choice(context).python)
    except EngineError as error:
        problem = problem or str(error)
    return problem


def disabled_reason(context: bpy.types.Context) -> str:
    """Why the chosen strip cannot be generated now; empty when it can."""
    facetalk = context.scene.facetalk
    problem = unready_reason(context) or _other_scene(context)
    problem = problem or sound_strip.whole_problem(context.scene, facetalk.strip)
    if facetalk.output == "FRAME_MESHES" and facetalk.frames_in == "CACHE":
        problem = problem or missing_support()
    return problem or (facetalk.curves.problem() if facetalk.output == "EXPRESSION_CURVES" else "")


def _other_scene(context: bpy.types.Context) -> str:
    """Why the window's scene is not the one to generate in: the sound lies in that of the sequencer. Empty else."""
    shown = compat.sequencer_scene(context)
    if shown == context.scene or sound_strip.sound_strips(context.scene) or not sound_strip.sound_strips(shown):
        return ""
    return f"The sound lies in the scene {shown.name}, which the sequencer shows; choose that scene in this window."


def selected_reason(context: bpy.types.Context) -> str:
    """Why the selected strips cannot be generated now; empty when they can."""
    scene = compat.sequencer_scene(context)
    names = sound_strip.selected_names(scene)
    problem = unready_reason(context)
    if scene != context.scene:
        problem = problem or (
            f"The sequencer shows the scene {scene.name}, this window {context.scene.name}; choose one for both."
        )
    problem = problem or ("" if names else "Select one or more sound strips.")
    if problem:
        return problem
    problems = (sound_strip.whole_problem(scene, name) for name in names)
    return next((problem for problem in problems if problem), "")
