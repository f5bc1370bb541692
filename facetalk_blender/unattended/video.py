"""Render settings that suit a talking head, and rendering it to a video with its sound."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import bpy

from .. import compat

ENGINES = ("cycles", "eevee", "workbench")
CYCLES_SAMPLES, CYCLES_SAMPLES_WITHOUT_DENOISER = 4, 64
EEVEE_SAMPLES = 16


def set_up(scene: bpy.types.Scene, engine: str, size: tuple[int, int], samples: int | None = None) -> None:
    """Choose engine, size and quality for a video.

    engine: one of ENGINES; samples: None takes the number that was found to be enough with denoising.
    """
    render = scene.render
    render.resolution_x, render.resolution_y = size
    render.use_persistent_data = True
    # AgX greys skin; the stage is lit for this transform.
    scene.view_settings.view_transform = "Filmic"
    scene.view_settings.look = "Medium High Contrast"
    if engine == "cycles":
        render.engine = "CYCLES"
        _set_up_cycles(scene.cycles, samples)
    elif engine == "eevee":
        render.engine = compat.eevee()
        scene.eevee.taa_render_samples = samples or EEVEE_SAMPLES
    else:
        render.engine = "BLENDER_WORKBENCH"
        shading = scene.display.shading
        shading.light, shading.color_type = "STUDIO", "VERTEX"
        scene.display.render_aa = "8"


def _set_up_cycles(cycles: bpy.types.bpy_struct, samples: int | None) -> None:
    cycles.use_adaptive_sampling = False
    try:
        cycles.denoiser = "OPENIMAGEDENOISE"
    except TypeError:  # not one of the choices: this Blender was built without it
        cycles.use_denoising = False
        cycles.samples = samples or CYCLES_SAMPLES_WITHOUT_DENOISER
    else:
        cycles.use_denoising = True
        cycles.denoising_quality = cycles.denoising_prefilter = "FAST"
        cycles.samples = samples or CYCLES_SAMPLES
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 4, 2, 2
    cycles.transmission_bounces = cycles.volume_bounces = 0
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 3.0


def render_video(scene: bpy.types.Scene, path: Path, on_frame: Callable[[int], None]) -> None:
    """Render the scene's frame range to H.264 with the sound as AAC.

    on_frame: called with the number of frames done. Raises RuntimeError when Blender cannot render, OSError when the
    video cannot be written whole.
    """
    render = scene.render
    # Without the sequencer in the render the sound track would be silent.
    render.use_sequencer = True
    compat.set_video_output(render.image_settings)
    video = render.ffmpeg
    video.format, video.codec, video.audio_codec = "MPEG4", "H264", "AAC"
    video.constant_rate_factor, video.audio_bitrate = "HIGH", 192
    before, render.filepath = render.filepath, str(path)

    def report(*_arguments) -> None:
        on_frame(scene.frame_current - scene.frame_start + 1)

    bpy.app.handlers.render_post.append(report)
    try:
        bpy.ops.render.render(animation=True, scene=scene.name)
    finally:
        bpy.app.handlers.render_post.remove(report)
        render.filepath = before
    if not path.is_file():
        raise RuntimeError("Blender wrote no video")
    _check_whole(path, scene.frame_end - scene.frame_start + 1)


def _check_whole(path: Path, frames: int) -> None:
    """Raises OSError for a video that was cut short: Blender itself does not tell when a disk is full."""
    known = set(bpy.data.movieclips)
    try:
        clip = bpy.data.movieclips.load(str(path))
    except RuntimeError:
        clip = None
    whole = clip is not None and min(clip.size) > 0 and clip.frame_duration >= frames
    for made in set(bpy.data.movieclips) - known:
        bpy.data.movieclips.remove(made)
    if not whole:
        raise OSError(errno.ENOSPC, "the video was cut short", str(path))
