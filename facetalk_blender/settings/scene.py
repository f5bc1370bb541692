"""Settings of a scene: which strip speaks, and how its head is made."""

from __future__ import annotations

import bpy

from ...engine.shared.identity_text import join_identity
from ...engine.shared.options import GUIDANCE, RESOLUTION, RESOLUTIONS, STEPS, STRENGTH
from ..generation.options import Options
from ..look import lighting, stage
from ..outputs import result
from ..outputs.frames.frame_storage import FrameStorage
from ..sound import strip as sound_strip
from ..takes import take as takes
from . import curves as expression_settings
from . import model_bundles
from . import performance as performance_settings
from . import style as style_settings
from .head import refresh_preview
from .preferences import Preferences, bundle_of


def _strip_names(_self, context: bpy.types.Context, _text: str) -> list[str]:
    return [strip.name for strip in sound_strip.sound_strips(context.scene)]


def _stage_wanted(self) -> bool:
    return self.get("stage_choice", not stage.has_own_stage(self.id_data))


def _choose_stage(self, value: bool) -> None:
    self["stage_choice"] = value
    stage.use_camera(self.id_data, value)


def _change_stage(self, _context: bpy.types.Context) -> None:
    stage.change(self.id_data, self.stage_options())


def _take_position(self) -> int:
    return bpy.data.texts.find(self.take.name) if self.take else -1


def _choose_take(self, position: int) -> None:
    self.take = bpy.data.texts[position]
    result.show_take(self.id_data, self.take)


def _quality(self) -> int:
    chosen = (self.resolution, self.steps if self.use_steps else 0)
    custom = self.get("quality_custom", False)
    return QUALITIES.index(chosen) if chosen in QUALITIES and not custom else len(QUALITIES)


def _choose_quality(self, number: int) -> None:
    self["quality_custom"] = number == len(QUALITIES)
    if number < len(QUALITIES):
        self.resolution, steps = QUALITIES[number]
        self.use_steps = steps > 0
        self.steps = steps


def _own_value(name: str) -> dict:
    """get and set of whether a number is the artist's. Files of before said so by a number above 0."""

    def get(self) -> bool:
        return self.get(f"use_{name}", getattr(self, name) > 0)

    def choose(self, value: bool) -> None:
        self[f"use_{name}"] = value

    return {"get": get, "set": choose}


_CELLS = tuple(map(str, RESOLUTIONS))
# Cells a side, denoising steps (0: as the model was made for): Preview, Standard, Final.
QUALITIES = tuple(zip(_CELLS, (4, 0, 16), strict=True))


class FaceTalkSettings(bpy.types.PropertyGroup):
    """Settings of the next generation in this scene."""

    strip: bpy.props.StringProperty(
        name="Sound", description="Sound strip of this scene that the head speaks", search=_strip_names
    )
    output: bpy.props.EnumProperty(
        name="Output",
        description="What lands in the scene",
        items=(
            ("FRAME_MESHES", "Frame Meshes", "Full detail: a mesh for every frame. Slow and large"),
            ("SHAPE_KEYS", "Shape Keys", "One mesh with UVs and a shape key for every moment: quick, not to be edited"),
            (
                "EXPRESSION_CURVES",
                "Expression Curves",
                "ARKit's 52 shape keys with curves to edit, on a new head or on a character of yours: quick and small",
            ),
        ),
        default="EXPRESSION_CURVES",
    )
    curves: bpy.props.PointerProperty(type=expression_settings.FaceTalkCurves)
    style: bpy.props.PointerProperty(type=style_settings.FaceTalkStyle)
    performance: bpy.props.PointerProperty(type=performance_settings.FaceTalkPerformance)
    quality: bpy.props.EnumProperty(
        name="Quality",
        description="Resolution and denoising steps together",
        items=(
            ("PREVIEW", "Preview", "64 cells a side and few steps: to see whether the performance is right"),
            ("STANDARD", "Standard", "128 cells a side, the model's own number of steps"),
            ("FINAL", "Final", "256 cells a side and more steps: slow and large"),
            ("CUSTOM", "Custom", "As set under Details"),
        ),
        get=_quality,
        set=_choose_quality,
    )
    take: bpy.props.PointerProperty(name="Take", description="The take that is shown", type=bpy.types.Text)
    take_position: bpy.props.IntProperty(
        name="Take", description="Show this take, hide the strip's others", get=_take_position, set=_choose_take
    )
    resolution: bpy.props.EnumProperty(
        name="Resolution",
        description="Cells along each side of the head's box",
        items=tuple(zip(_CELLS, _CELLS, ("Draft", "Standard", "Fine, slow and large"), strict=True)),
        default=str(RESOLUTION),
    )
    frames_in: bpy.props.EnumProperty(
        name="Frames",
        description="Where the meshes of the frames are kept",
        items=(
            ("AUTOMATIC", "Automatic", "In the file up to the size that the preferences say, else in a cache folder"),
            ("FILE", "In File", "Meshes in the .blend file: quickest to play, but all in memory"),
            ("CACHE", "Cache Folder", "USD files in a folder beside the .blend file: small in memory, read as needed"),
        ),
    )
    head: bpy.props.EnumProperty(
        name="Identity",
        description="Whose head speaks",
        items=(
            ("MEAN", "Average", "The average head"),
            ("RANDOM", "Random", "A head drawn from the model"),
            ("FILE", "From File", "A head that was saved in a .npy file"),
        ),
        update=refresh_preview,
    )
    head_seed: bpy.props.IntProperty(
        name="Number", description="Number of the random head", min=0, update=refresh_preview
    )
    head_file: bpy.props.StringProperty(
        name="Head File", description="File of a saved head (.npy)", subtype="FILE_PATH", update=refresh_preview
    )
    seed: bpy.props.IntProperty(name="Seed", description="Another number gives another performance", min=0)
    use_steps: bpy.props.BoolProperty(
        name="Steps", description="Choose the number of denoising steps; else the model's own", **_own_value("steps")
    )
    steps: bpy.props.IntProperty(name="Steps", description="Denoising steps", min=0, max=int(STEPS.greatest))
    use_guidance: bpy.props.BoolProperty(
        name="Guidance",
        description="Choose how closely the performance follows the voice; else as the model was made for",
        **_own_value("guidance"),
    )
    guidance: bpy.props.FloatProperty(
        name="Guidance",
        description="How closely the performance follows the voice",
        default=0.0,
        min=GUIDANCE.least,
        max=GUIDANCE.greatest,
        soft_max=5.0,
    )
    strength: bpy.props.FloatProperty(
        name="Strength",
        description="How large the expressions are",
        default=1.0,
        min=STRENGTH.least,
        max=STRENGTH.greatest,
    )
    audio_playback: bpy.props.BoolProperty(
        name="Audio Playback",
        description="Sync playback to the sound, make scrubbing audible and extend the frame range to the clip's end",
        default=True,
    )
    add_stage: bpy.props.BoolProperty(
        name="Camera, Lights",
        description="Put a portrait camera, through which the scene looks then, soft lights and a backdrop around "
        "the heads, in a collection of their own. Your own camera and lights stay as they are",
        get=_stage_wanted,
        set=_choose_stage,
    )

    stage_light: bpy.props.EnumProperty(
        name="Light",
        description="Lights around the heads; changing it places camera and lights anew",
        items=[(key, rig.name, rig.description) for key, rig in lighting.RIGS.items()],
        update=_change_stage,
    )
    stage_backdrop: bpy.props.EnumProperty(
        name="Backdrop",
        description="What is seen behind the heads, in a scene without a world of your own",
        items=[(key, *texts[:2]) for key, texts in lighting.BACKDROPS.items()],
        update=_change_stage,
    )
    stage_framing: bpy.props.EnumProperty(
        name="Framing",
        description="How much the camera shows",
        items=[(key, *texts[:2]) for key, texts in stage.FRAMINGS.items()],
        update=_change_stage,
    )

    def stage_options(self) -> stage.StageChoice:
        """What camera, lights and backdrop shall be."""
        return stage.StageChoice(self.stage_light, self.stage_backdrop, self.stage_framing)

    def identity(self) -> str:
        """Whose head speaks, with the moved controls, as the engine takes it."""
        bases = {"MEAN": "mean", "RANDOM": f"random:{self.head_seed}", "FILE": bpy.path.abspath(self.head_file)}
        return join_identity(bases[self.head], self.id_data.facetalk_head.controls())

    def chosen_take(self) -> bpy.types.Text | None:
        """The take that is chosen in the list."""
        return self.take if self.take is not None and takes.is_take(self.take, self.id_data) else None

    def frame_storage(self, limit: int) -> FrameStorage:
        """Where frame meshes go. limit: megabytes up to which "AUTOMATIC" keeps them in the file."""
        return FrameStorage(choice=self.frames_in, limit=1e6 * limit)

    def options(self, preferences: Preferences) -> Options:
        """What a generation is asked for."""
        look, bundle = self.id_data.facetalk_head, bundle_of(preferences)
        known = model_bundles.controls_of(bundle)
        return Options(
            output=self.output,
            resolution=int(self.resolution),
            identity=self.identity(),
            skin_color=tuple(look.skin_color),
            eye_color=tuple(look.eye_color),
            skin_traits=look.traits(),
            seed=self.seed,
            steps=max(self.steps, 1) if self.use_steps else None,
            guidance=self.guidance if self.use_guidance else None,
            strength=self.strength,
            controls=self.performance.controls(known),
            keyed_controls=self.performance.curves(known),
            gaze=self.performance.gaze(known),
            bundle=bundle,
            device=preferences.device,
            audio_playback=self.audio_playback,
            add_stage=self.add_stage,
            stage=self.stage_options(),
            curves=self.curves.curve_settings(),
            style=self.style.style(),
            storage=self.frame_storage(preferences.frame_limit),
            cut=self.id_data.facetalk_person.wish(),
            strands=self.id_data.facetalk_person.shares(),
        )


CLASSES = (FaceTalkSettings,)
