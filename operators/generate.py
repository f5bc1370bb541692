"""Generate a talking head, and cancel that."""

from __future__ import annotations

import bpy

from ..engine.errors import EngineError
from ..facetalk_blender import head_preview, session, sound_strip
from ..facetalk_blender.generation import Generation, State
from ..facetalk_blender.outputs.result import ResultLost
from ..facetalk_blender.preferences import preferences

TIMER_SECONDS = 0.03


def disabled_reason(context: bpy.types.Context) -> str:
    """Why nothing can be generated now, in one sentence that names the fix; empty when it can."""
    if session.busy():
        return "A head is being generated; wait for it or cancel it."
    strip = sound_strip.find_strip(context.scene, context.scene.facetalk.strip)
    if strip is None:
        return "Choose a sound strip, or load a sound."
    return sound_strip.strip_problem(strip)


class FACETALK_OT_generate(bpy.types.Operator):
    """Make a head that speaks the chosen sound strip. Replaces the head made earlier for this strip"""

    bl_idname = "facetalk.generate"
    bl_label = "Generate Talking Head"
    bl_options = {"UNDO"}

    _timer: bpy.types.Timer | None = None
    _head_shown = False

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        reason = disabled_reason(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

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
            if not self._head_shown and generation is not None and generation.written:
                self._head_shown = True
                _show_head(context, generation)
            _redraw_sidebars(context)
            if not running:
                self._remove_timer(context)
                return self._report(generation)
        return {"PASS_THROUGH"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Generate and wait for it: for scripts and background mode."""
        if not self._start(context):
            return {"CANCELLED"}
        session.generation().run()
        return self._report(session.generation())

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator, e.g. because its window closes."""
        self._remove_timer(context)
        session.end_generation()

    def _start(self, context: bpy.types.Context) -> bool:
        chosen = preferences(context)
        facetalk = context.scene.facetalk
        strip = sound_strip.find_strip(context.scene, facetalk.strip)
        try:
            client = session.client(bpy.path.abspath(chosen.engine_python))
            session.set_generation(Generation(client, strip, facetalk.settings(chosen.device, chosen.bundle)))
        except EngineError as error:
            self.report({"ERROR"}, str(error))
            return False
        head_preview.remove(context.scene)
        return True

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

    def _remove_timer(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None


class FACETALK_OT_cancel(bpy.types.Operator):
    """Give the generation up and remove what it has made"""

    bl_idname = "facetalk.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether there is something to cancel."""
        if not session.busy():
            cls.poll_message_set("Nothing is being generated.")
        return session.busy()

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Cancel the generation under way."""
        session.generation().cancel()
        return {"FINISHED"}


def _show_head(context: bpy.types.Context, generation: Generation) -> None:
    """Select the head as any new object is, and bring it into view: at life size it is easily overlooked."""
    try:
        head = generation.head()
    except ResultLost:
        return
    if context.mode != "OBJECT" or head.name not in context.view_layer.objects:
        return
    for item in context.selected_objects:
        item.select_set(False)
    head.select_set(True)
    context.view_layer.objects.active = head
    for area in context.screen.areas:
        if area.type == "VIEW_3D" and area.spaces.active.region_3d.view_perspective != "CAMERA":
            region = next(region for region in area.regions if region.type == "WINDOW")
            with context.temp_override(area=area, region=region):
                bpy.ops.view3d.view_axis(type="FRONT")
                bpy.ops.view3d.view_selected()


def _redraw_sidebars(context: bpy.types.Context) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                next(region for region in area.regions if region.type == "UI").tag_redraw()


CLASSES = (FACETALK_OT_generate, FACETALK_OT_cancel)
