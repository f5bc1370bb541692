"""What every operator that makes a head shares: the generations one after the other, and showing what they make."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from ..engine.shared.errors import EngineError
from ..facetalk_blender.blender_data.datablocks import DataBlockLost
from ..facetalk_blender.engine_access.client import EngineClient
from ..facetalk_blender.generation import head_preview
from ..facetalk_blender.generation.generation import Generation
from ..facetalk_blender.generation.job import State
from ..facetalk_blender.generation.session import session
from ..facetalk_blender.outputs.result import results_of
from ..facetalk_blender.retargeting import coverage
from ..facetalk_blender.settings.preferences import engine_choice
from ..facetalk_blender.settings.reasons import unready_reason
from ..facetalk_blender.sound.strip_link import SCENE_PROPERTY, STRIP_PROPERTY
from . import views
from .running import JobOperator, can_run
from .views import SelectionBefore, ViewBefore


class GenerationOperator(JobOperator):
    """Runs one generation after the other; a mixin for operators.

    A class says why it cannot run (`reason`) and what it runs (`generations`).
    """

    _waiting: Iterator[Generation]
    _shown = ""
    _views: list[ViewBefore] | None = None
    _selection: SelectionBefore | None = None

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

    def start(self, context: bpy.types.Context) -> None:
        """Begin with the first generation."""
        self._prepare_curves(context.scene.facetalk)
        client = session.client(engine_choice(context).python)
        self._waiting = self.generations(context, client)
        session.set_job(next(self._waiting))
        head_preview.remove(context.scene)

    def _prepare_curves(self, facetalk: bpy.types.PropertyGroup) -> None:
        """End the trying of poses, whose values would be taken for those at rest, and warn of a mute bake."""
        facetalk.curves.try_row("")
        if facetalk.output == "EXPRESSION_CURVES" and facetalk.curves.targets:
            for problem in coverage.warnings(facetalk.curves.channels()):
                self.report({"WARNING"}, problem)

    def go_on(self, ended: Generation) -> bool:
        """Start the next generation, if there is one and the last went well."""
        text = ended.take_text()
        if text is not None:
            text[SCENE_PROPERTY].facetalk.take = text
        if ended.state is not State.DONE:
            return False
        try:
            following = next(self._waiting, None)
        except (EngineError, ReferenceError) as error:
            self.refuse(error)
            return False
        if following is not None:
            session.set_job(following)
        return following is not None

    def report_done(self, job: Generation) -> None:
        """Say what speaks now."""
        for note in job.notes:
            self.report({"WARNING"}, note)
        self.report({"INFO"}, f"{job.result_name} speaks {job.written} frames")

    def watch(self, context: bpy.types.Context, job: Generation) -> None:
        """Select the head as any new object is, and bring it into view: at life size it is easily overlooked."""
        try:
            head = job.head() if job.written else None
        except DataBlockLost:
            return
        if head is None or self._shown == head.name:
            return
        if context.mode != "OBJECT" or head.name not in context.view_layer.objects:
            return
        self._shown = head.name
        self._selection = self._selection or SelectionBefore.of(context)
        for item in context.selected_objects:
            item.select_set(False)
        head.select_set(True)
        context.view_layer.objects.active = head
        if len(results_of(context.scene, head[STRIP_PROPERTY])) == 1:  # else the artist has chosen the view
            self._views = views.remember(context)
            views.frame_selected(context)

    def report_cancelled(self, context: bpy.types.Context) -> None:
        """The view goes back to where it was, and what was selected is selected again."""
        for view in self._views or ():
            view.put_back()
        if self._selection is not None:
            self._selection.put_back(context)
