"""The sidebar panel of the 3D viewport."""

from __future__ import annotations

import bpy

from ..engine.shared.controls import GAZE_HOLD
from ..engine.shared.style import LARGEST
from ..facetalk_blender import compat
from ..facetalk_blender.generation.estimate import estimate
from ..facetalk_blender.generation.session import session
from ..facetalk_blender.outputs.frames import cache_folder
from ..facetalk_blender.settings import model_bundles
from ..facetalk_blender.settings.drawing import draw_text
from ..facetalk_blender.settings.performance import ASKED, PERFORMANCE_PRESETS
from ..facetalk_blender.settings.preferences import bundle_of, missing_reason, preferences
from ..facetalk_blender.settings.readiness import engine_problem
from ..facetalk_blender.settings.reasons import disabled_reason, selected_reason
from ..facetalk_blender.settings.style import STYLE_PRESETS
from ..facetalk_blender.sound import strip as sound_strip

FULL_DETAIL = "FRAME_MESHES"


class FACETALK_MT_style_presets(bpy.types.Menu):
    """Styles that come with the extension, and saved ones."""

    bl_label = "Style Presets"
    preset_subdir = STYLE_PRESETS
    preset_operator = "script.execute_preset"
    draw = bpy.types.Menu.draw_preset


class FACETALK_MT_performance_presets(bpy.types.Menu):
    """Performances that come with the extension, and saved ones."""

    bl_label = "Performance Presets"
    preset_subdir = PERFORMANCE_PRESETS
    preset_operator = "script.execute_preset"
    draw = bpy.types.Menu.draw_preset


class FACETALK_PT_talking_head(bpy.types.Panel):
    """A sound strip goes in, a talking head comes out."""

    bl_label = "Generate Talking Head"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceTalk"

    def draw(self, context: bpy.types.Context) -> None:
        """Show settings, then progress or the button, then why it is disabled or what went wrong."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        facetalk = context.scene.facetalk
        column = layout.column()
        column.enabled = not session.busy()
        column.prop(facetalk, "strip", icon="SOUND")
        row = column.row(align=True)
        row.operator("facetalk.load_sound", text="Load Sound...", icon="FILEBROWSER")
        row.operator("facetalk.try_it", icon="PLAY")
        _draw_head(column, facetalk)
        _draw_sampling(column, facetalk)
        _draw_performance(column, context, facetalk.performance)
        _draw_style(column, facetalk.style)
        options = column.column()
        options.use_property_split = False  # a narrow sidebar would cut their texts
        options.prop(facetalk, "audio_playback")
        options.prop(facetalk, "add_stage")
        if facetalk.add_stage:
            for name in ("stage_light", "stage_backdrop", "stage_framing"):
                column.prop(facetalk, name)
        if session.busy():
            draw_progress(layout)
        else:
            _draw_generate(layout, context)


class FACETALK_PT_sequencer(bpy.types.Panel):
    """The short form, beside the strips."""

    bl_label = "Generate Talking Head"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "FaceTalk"

    def draw(self, context: bpy.types.Context) -> None:
        """Show output and quality, then progress or the button, then why it is disabled."""
        layout, scene = self.layout, compat.sequencer_scene(context)
        layout.use_property_split = True
        layout.use_property_decorate = False
        if session.busy():
            draw_progress(layout)
            return
        layout.prop(scene.facetalk, "output")
        if scene.facetalk.output == "FRAME_MESHES":
            layout.prop(scene.facetalk, "quality")
        row = layout.row()
        row.scale_y = 1.4
        row.operator("facetalk.generate_selected", icon="PLAY")
        reason = selected_reason(context)
        if reason:
            draw_text(layout, context, reason, "INFO")
        else:
            if error := session.last_error():
                draw_text(layout, context, error, "ERROR")
            for name in sound_strip.selected_names(scene):
                _draw_estimate(layout, context, scene, name)


def _draw_head(layout: bpy.types.UILayout, facetalk: bpy.types.PropertyGroup) -> None:
    layout.prop(facetalk, "output")
    if facetalk.output == FULL_DETAIL:
        layout.prop(facetalk, "quality")
        layout.prop(facetalk, "frames_in")
    elif facetalk.output == "EXPRESSION_CURVES":
        _draw_targets(layout, facetalk.curves)
    layout.prop(facetalk, "head")
    if facetalk.head == "RANDOM":
        layout.prop(facetalk, "head_seed")
    elif facetalk.head == "FILE":
        layout.prop(facetalk, "head_file")
    layout.prop(facetalk, "seed")


def _draw_targets(layout: bpy.types.UILayout, curves: bpy.types.PropertyGroup) -> None:
    """Whom the curves move; the list itself is in the panel of Expression Curves."""
    count = len(curves.targets)
    split = layout.split(factor=0.4)
    side = split.row()
    side.alignment = "RIGHT"
    side.label(text="On")
    row = split.row(align=True)
    row.label(text="a new head" if not count else "1 mesh of yours" if count == 1 else f"{count} meshes of yours")
    row.operator("facetalk.add_curve_targets", text="", icon="ADD")


def _draw_sampling(layout: bpy.types.UILayout, facetalk: bpy.types.PropertyGroup) -> None:
    header, body = layout.panel("facetalk_sampling", default_closed=True)
    header.label(text="Details")
    if body is not None:
        if facetalk.output == "FRAME_MESHES":
            body.prop(facetalk, "resolution")
        for name in ("steps", "guidance"):
            _draw_own_value(body, facetalk, name)
        body.prop(facetalk, "strength")


def _draw_own_value(layout: bpy.types.UILayout, facetalk: bpy.types.PropertyGroup, name: str) -> None:
    """A number that is the model's own until it is ticked."""
    row = layout.row(heading=name.title())
    row.prop(facetalk, f"use_{name}", text="")
    if getattr(facetalk, f"use_{name}"):
        row.prop(facetalk, name, text="")
    else:
        row.label(text="the model's own")


def _draw_performance(
    layout: bpy.types.UILayout, context: bpy.types.Context, performance: bpy.types.PropertyGroup
) -> None:
    header, body = layout.panel("facetalk_performance", default_closed=True)
    header.label(text="Performance")
    if body is None:
        return
    known = () if missing_reason(context) else model_bundles.controls_of(bundle_of(preferences(context)))
    column = body.column()
    column.use_property_decorate = True  # they are read frame by frame
    column.enabled = not set(ASKED).isdisjoint(known)
    _draw_presets(column, "performance")
    column.operator("facetalk.performance_from_voice", icon="SPEAKER")
    if performance.heard:
        draw_text(column, context, performance.heard, "INFO")
    for name in ASKED:
        if name == GAZE_HOLD:
            _draw_gaze(column, context, performance)
        else:
            column.prop(performance, name, slider=True)
    if not column.enabled:
        text = "The chosen model bundle cannot be asked for emotions; choose another one in the preferences."
        draw_text(body, context, text, "INFO")


def _draw_gaze(layout: bpy.types.UILayout, context: bpy.types.Context, performance: bpy.types.PropertyGroup) -> None:
    layout.prop(performance, "gaze_target")
    if performance.gaze_target == "OBJECT":
        layout.prop(performance, "gaze_object")
    if performance.gaze_target != "FREE":
        layout.prop(performance, "gaze_hold", slider=True)
    if problem := performance.target_problem():
        draw_text(layout, context, problem, "INFO")


def _draw_style(layout: bpy.types.UILayout, style: bpy.types.PropertyGroup) -> None:
    header, body = layout.panel("facetalk_style", default_closed=True)
    header.label(text="Style")
    if body is not None:
        _draw_presets(body, "style")
        for name in LARGEST:
            body.prop(style, name)


def _draw_presets(layout: bpy.types.UILayout, kind: str) -> None:
    row = layout.row(align=True)
    menu = f"FACETALK_MT_{kind}_presets"
    row.menu(menu, text=getattr(bpy.types, menu).bl_label)  # which is the name of the preset chosen last
    row.operator(f"facetalk.add_{kind}_preset", text="", icon="ADD")
    row.operator(f"facetalk.add_{kind}_preset", text="", icon="REMOVE").remove_active = True


def draw_progress(layout: bpy.types.UILayout) -> None:
    """The bar of the job under way, with the time left, and the button that cancels it."""
    job = session.job
    layout.progress(factor=job.fraction, type="BAR", text=job.progress_text)
    layout.operator("facetalk.cancel", icon="CANCEL")


def _draw_generate(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    row = layout.row()
    row.scale_y = 1.4
    row.operator("facetalk.generate", text="Generate", icon="PLAY")
    if problem := engine_problem():
        draw_text(layout, context, problem, "ERROR")
        layout.operator("facetalk.install_engine_runtime", text="Install Engine Runtime...", icon="IMPORT")
    reason = disabled_reason(context)
    if reason:
        draw_text(layout, context, reason, "INFO")
        return
    if error := session.last_error():
        draw_text(layout, context, error, "ERROR")
    _draw_estimate(layout, context, context.scene, context.scene.facetalk.strip)


def _draw_estimate(
    layout: bpy.types.UILayout, context: bpy.types.Context, scene: bpy.types.Scene, strip_name: str
) -> None:
    strip = sound_strip.find_strip(scene, strip_name)
    chosen = preferences(context)
    storage = scene.facetalk.frame_storage(chosen.frame_limit)
    common = (scene, strip, chosen.device, chosen.bundle, storage)
    expected = estimate(*common)
    told = f"{strip_name}: {expected}"
    if scene.facetalk.output != FULL_DETAIL:
        told += f"\nIn full detail (Frame Meshes): {estimate(*common, FULL_DETAIL).cost_text}"
    draw_text(layout, context, told, "TIME")
    if expected.cached and not bpy.data.filepath:
        folder = cache_folder.default_parent()
        draw_text(layout, context, f"Unsaved file: frames go to {folder}. Save it first to have them near.", "INFO")


CLASSES = (
    FACETALK_MT_style_presets,
    FACETALK_MT_performance_presets,
    FACETALK_PT_talking_head,
    FACETALK_PT_sequencer,
)
