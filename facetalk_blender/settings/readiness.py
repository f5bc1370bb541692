"""Looks at the engine in the background before it is needed: whether it is ready, and how quick it is here.

Both once for a device and a model bundle: what was measured is remembered on this computer, and an engine that could be
measured is ready. Only where there is a window; a run without one waits for nothing.
"""

from __future__ import annotations

import bpy

from ...engine.shared.errors import EngineError
from ..engine_access.runtime import EngineCheck
from ..generation.conversation import Conversation
from ..generation.costs import OUTPUTS, Workload
from ..generation.pace import WARM_UP_SECONDS, PaceMeasurement
from ..generation.session import EngineChoice, session
from ..sound.sentence import SENTENCE
from .drawing import redraw_preferences, redraw_sidebars
from .preferences import engine_choice

LOOK_SECONDS = 2.0  # after Blender has started, or a choice was made: not while its window opens
FOLLOW_SECONDS = 0.5
IDLE_SECONDS = 10.0  # between looks at what is chosen, once there is nothing left to do


def look_soon(*_arguments) -> None:
    """Look at the engine when Blender has time for it."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_look):
        bpy.app.timers.register(_look, first_interval=LOOK_SECONDS, persistent=True)


def stop_looking() -> None:
    """The extension is disabled."""
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)


def engine_problem() -> str:
    """What the last look or check found wrong, with its fix; empty when nothing."""
    task = session.engine_task
    return "" if task is None or task.running else task.error or getattr(task, "problem", "")


def warm_up(context: bpy.types.Context) -> None:
    """Let the engine load its networks while the artist still chooses: Generate is about to be pressed."""
    try:
        choice = engine_choice(context)
        if bpy.app.background or session.engine_alive() or session.busy():
            return
        engine = Conversation(session.client(choice.python), choice.bundle, choice.device)
    except EngineError:
        return  # Generate says why
    engine.ask("sample", {"audio": str(SENTENCE), "duration": WARM_UP_SECONDS})


def _look() -> float:
    try:
        return look_at(engine_choice(bpy.context))
    except EngineError:
        return IDLE_SECONDS


def look_at(choice: EngineChoice) -> float:
    """Go on with looking at an engine; seconds until it goes on again. Raises EngineError when there is none."""
    if session.costs.remembered(engine_part(choice, OUTPUTS[0])) is not None:
        return IDLE_SECONDS
    if session.busy() or (session.engine_task is not None and session.engine_task.running):
        return LOOK_SECONDS
    if session.looked_at != choice:
        session.looked_at = choice
        session.set_pace(None)
        runtime = session.runtime(choice.python)
        session.set_engine_task(EngineCheck(runtime, session.engine_root, choice.bundle, choice.device))
        session.engine_task.start()
        return FOLLOW_SECONDS
    return IDLE_SECONDS if engine_problem() else _measure(choice)


def engine_part(choice: EngineChoice, output: str) -> Workload:
    """Under which the engine's part of an output is remembered."""
    return Workload(choice.device, output, 0, choice.bundle).engine


def _measure(choice: EngineChoice) -> float:
    if session.pace is None:
        runtime = session.runtime(choice.python)
        session.set_pace(PaceMeasurement(runtime, session.engine_root, choice.bundle, choice.device))
        session.pace.start()
    if session.pace.running:
        return FOLLOW_SECONDS
    if found := session.pace.costs:
        session.costs.remember_all({engine_part(choice, output): cost for output, cost in found.items()})
        session.set_pace(None)
    _redraw()
    return IDLE_SECONDS


def _redraw() -> None:
    redraw_preferences()
    redraw_sidebars()
