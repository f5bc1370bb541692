"""What can be done with a take: another output, another seed, a range again, comparing, deleting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import bpy

from ..facetalk_blender.engine_access.client import EngineClient
from ..facetalk_blender.generation.generation import Generation
from ..facetalk_blender.generation.options import SAMPLER_OPTIONS, Options
from ..facetalk_blender.generation.session import session
from ..facetalk_blender.outputs import curve_action, removal, result
from ..facetalk_blender.settings.preferences import preferences
from ..facetalk_blender.sound.strip_link import STRIP_PROPERTY
from ..facetalk_blender.takes import renamed_strips, take
from ..facetalk_blender.takes import status as take_status
from .generation_operator import GenerationOperator
from .running import can_run

NO_TAKE = "Choose a take in the list; Generate makes one."


def _chosen(context: bpy.types.Context) -> bpy.types.Text | None:
    return context.scene.facetalk.chosen_take()


def _options(context: bpy.types.Context) -> Options:
    return context.scene.facetalk.options(preferences(context))


def _as_sampled(options: Options, text: bpy.types.Text) -> Options:
    """The options with the take's own for sampling, but for the seed."""
    stored = take.load(text).settings
    return replace(options, **{name: stored[name] for name in SAMPLER_OPTIONS if name in stored and name != "seed"})


class _GenerationFromTake(GenerationOperator):
    """A generation that needs the chosen take's strip; a mixin."""

    @classmethod
    def reason(cls, context: bpy.types.Context) -> str:
        """Why it cannot run now."""
        text = _chosen(context)
        return take_status.strip_problem(text) if text else NO_TAKE


class FACETALK_OT_make_output(_GenerationFromTake, bpy.types.Operator):
    """Make the take into the output, resolution and head chosen above, without sampling. Replaces its earlier output"""

    bl_idname = "facetalk.make_output"
    bl_label = "Make Output"

    def generations(self, context: bpy.types.Context, client: EngineClient) -> Iterator[Generation]:
        """One, from the take."""
        text = _chosen(context)
        yield Generation(client, take_status.strip_of(text), _options(context), source=text)


class FACETALK_OT_vary_take(_GenerationFromTake, bpy.types.Operator):
    """Make another take of the same strip with the take's settings and a new seed"""

    bl_idname = "facetalk.vary_take"
    bl_label = "Duplicate with New Seed"

    @classmethod
    def reason(cls, context: bpy.types.Context) -> str:
        """Why it cannot run now."""
        text = _chosen(context)
        return super().reason(context) or take_status.sampling_problem(text)

    def generations(self, context: bpy.types.Context, client: EngineClient) -> Iterator[Generation]:
        """One, with the next seed."""
        text = _chosen(context)
        options = replace(_as_sampled(_options(context), text), seed=take_status.next_seed(text))
        yield Generation(client, take_status.strip_of(text), options)


class FACETALK_OT_regenerate_range(GenerationOperator, bpy.types.Operator):
    """Sample the preview range, or what lies between two selected markers, again for a new take; the rest stays"""

    bl_idname = "facetalk.regenerate_range"
    bl_label = "Regenerate Range"

    @classmethod
    def reason(cls, context: bpy.types.Context) -> str:
        """Why it cannot run now."""
        text = _chosen(context)
        return take_status.range_problem(text) if text else NO_TAKE

    def generations(self, context: bpy.types.Context, client: EngineClient) -> Iterator[Generation]:
        """One, of the range."""
        text = _chosen(context)
        options = replace(_as_sampled(_options(context), text), seed=take_status.next_seed(text))
        frames = take_status.frame_range(context.scene)
        yield Generation(client, take_status.strip_of(text), options, source=text, frame_range=frames)


class _TakeOperator:
    """A quick operation on the chosen take; a mixin."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        return can_run(cls, session.busy_reason() or cls.reason(context))

    @classmethod
    def reason(cls, context: bpy.types.Context) -> str:
        """Why it cannot run now."""
        return "" if _chosen(context) else NO_TAKE


class FACETALK_OT_compare_take(_TakeOperator, bpy.types.Operator):
    """Show the take beside the one that is shown; choose any take in the list to end that"""

    bl_idname = "facetalk.compare_take"
    bl_label = "Compare"

    name: bpy.props.StringProperty(name="Take", description="The other take")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Show the other take's head at the side of the chosen one's."""
        other = bpy.data.texts.get(self.name)
        if other is None or not take.is_take(other, context.scene) or other == _chosen(context):
            self.report({"ERROR"}, "Choose another take to compare with.")
            return {"CANCELLED"}
        if not result.compare(context.scene, _chosen(context), other):
            self.report({"ERROR"}, "Both takes need a head to be compared; use Make Output.")
            return {"CANCELLED"}
        return {"FINISHED"}


class FACETALK_OT_delete_take(_TakeOperator, bpy.types.Operator):
    """Delete the take and what was made of it"""

    bl_idname = "facetalk.delete_take"
    bl_label = "Delete Take"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Delete, and show the strip's last take that is left."""
        scene, text = context.scene, _chosen(context)
        strip_name = text[STRIP_PROPERTY]
        for item in result.results_of_take(scene, text):
            removal.remove_result(item)
        for action in curve_action.actions_of_take(scene, text):
            curve_action.remove_action(action)
        bpy.data.texts.remove(text)
        renamed_strips.remove_unused_links()
        left = [other for other in take.takes_of(scene) if other[STRIP_PROPERTY] == strip_name]
        if left:
            scene.facetalk.take = max(left, key=lambda other: other[take.DATE_PROPERTY])
            result.show_take(scene, scene.facetalk.take)
        return {"FINISHED"}


CLASSES = (
    FACETALK_OT_make_output,
    FACETALK_OT_vary_take,
    FACETALK_OT_regenerate_range,
    FACETALK_OT_compare_take,
    FACETALK_OT_delete_take,
)
