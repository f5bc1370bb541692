"""What every operator that makes a head shares: start, go on from a timer, report."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from ..engine.shared.errors import EngineError
from ..facetalk_blender.blender_data.datablocks import DataBlockLost
from ..facetalk_blender.engine_access.client import EngineClient
from ..facetalk_blender.generation import head_preview, session
from ..facetalk_blender.generation.generation import Generation, State
from ..facetalk_blender.outputs.result import results_of
from ..facetalk_blender.settings.preferences import preferences
from ..facetalk_blender.sound.strip_link import SCENE_PROPERTY, STRIP_PROPERTY
from .availability import can_run

TIMER_SECONDS = 0.03


def unready_reason(context: bpy.types.Context) -> str:
    """Why nothing at all can be generated now, in one sentence that names the fix; empty when the engine is ready."""
    problem = session.busy_reason()
    try:
        session.engine_runtime(bpy.path.abspath(preferences(context).engine_python))
    except EngineError as error:
        problem = problem or str(error)
    return problem


class GenerationOperator:
    """Runs one generation after the other; a mixin for operators.

    A class says why it cannot run (`reason`) and what it runs (`generations`).
    """

    bl_options = {"UNDO"}

    _timer: bpy.types.Timer | None = None
    _waiting: Iterator[Generation]
    _shown = ""

    @classmethod
    def reason(cls, context: bpy.types.Context) -> str:
        """Why it cannot run now, in one sentence that names the fix; empty when it can."""
        raise NotImplementedError

    def generations(self, context: bpy.types.Context, client: EngineClient) -> Iterator[Generation]:
        """The generations, each made when the one before has ended. Raises EngineError."""
        raise NotImplementedError

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        return can_run(cls, unready_reason(context) or cls.reason(context))

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
            generation = session.generation()
            running = generation is not None and generation.tick()
            if generation is not None and generation.written:
                self._show_once(context, generation)
            redraw_sidebars(context)
            if not running and not self._go_on(generation):
                self._remove_timer(context)
                return self._report(generation)
        return {"PASS_THROUGH"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Generate and wait for it: for scripts and background mode."""
        if not self._start(context):
            return {"CANCELLED"}
        session.generation().run()
        while self._go_on(session.generation()):
            session.generation().run()
        return self._report(session.generation())

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator, e.g. because its window closes."""
        self._remove_timer(context)
        session.end_generation()

    def _start(self, context: bpy.types.Context) -> bool:
        try:
            client = session.client(bpy.path.abspath(preferences(context).engine_python))
            self._waiting = self.generations(context, client)
            session.set_generation(next(self._waiting))
        except EngineError as error:
            return self._refuse(error)
        head_preview.remove(context.scene)
        return True

    def _go_on(self, ended: Generation | None) -> bool:
        """Start the next generation, if there is one and the last went well."""
        if ended is None:
            return False
        text = ended.take_text()
        if text is not None:
            text[SCENE_PROPERTY].facetalk.take = text
        if ended.state is not State.DONE:
            return False
        try:
            following = next(self._waiting, None)
        except (EngineError, ReferenceError) as error:
            return self._refuse(error)
        if following is not None:
            session.set_generation(following)
        return following is not None

    def _refuse(self, error: Exception) -> bool:
        self.report({"ERROR"}, str(error))
        session.refuse(str(error))
        return False

    def _report(self, generation: Generation | None) -> set[str]:
        if generation is None or generation.state is State.CANCELLED:
            return {"CANCELLED"}
        if generation.state is State.FAILED:
            self.report({"ERROR"}, generation.error)
            return {"FINISHED"} if generation.result_name else {"CANCELLED"}
        for note in generation.notes:
            self.report({"WARNING"}, note)
        self.report({"INFO"}, f"{generation.result_name} speaks {generation.written} frames")
        return {"FINISHED"}

    def _show_once(self, context: bpy.types.Context, generation: Generation) -> None:
        """Select the head as any new object is, and bring it into view: at life size it is easily overlooked."""
        try:
            head = generation.head()
        except DataBlockLost:
            return
        if self._shown == head.name or context.mode != "OBJECT" or head.name not in context.view_layer.objects:
            return
        self._shown = head.name
        for item in context.selected_objects:
            item.select_set(False)
        head.select_set(True)
        context.view_layer.objects.active = head
        if len(results_of(context.scene, head[STRIP_PROPERTY])) > 1:
            return  # it stands where an earlier one stood, in the view that the artist has chosen
        for area in context.screen.areas:
            if area.type == "VIEW_3D" and area.spaces.active.region_3d.view_perspective != "CAMERA":
                region = next(region for region in area.regions if region.type == "WINDOW")
                with context.temp_override(area=area, region=region):
                    bpy.ops.view3d.view_axis(type="FRONT")
                    bpy.ops.view3d.view_selected()

    def _remove_timer(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None


def redraw_sidebars(context: bpy.types.Context) -> None:
    """Draw the sidebars that show progress again."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "SEQUENCE_EDITOR"}:
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
