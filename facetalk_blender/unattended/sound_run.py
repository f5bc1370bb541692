"""A run on a sound file: a head in a new scene, or curves on meshes of the opened one, rendered and saved."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import bpy

from ...engine.shared.style import style_of
from ..generation.generation import Generation
from ..generation.job import State
from ..generation.options import Options
from ..generation.session import session
from ..outputs.curves.expression_curves import CurveSettings
from ..outputs.frames.frame_storage import FrameStorage
from ..sound import strip as sound_strip
from . import output_files, video
from .arguments import DEFAULT_RATE, FRAME_PLACES, OUTPUTS
from .contact_sheet import write_contact_sheet
from .outcome import BAD_INPUT, ENGINE_FAILED, RENDER_FAILED, BatchError, reason_of, say
from .report import report


class SoundRun:
    """One run. options: of the command line, checked."""

    def __init__(self, options: argparse.Namespace):
        self._options = options
        self._started = time.perf_counter()
        self._seconds: dict[str, float] = {}
        self._shown = ""

    def run(self) -> None:
        """Generate, render and write everything. Raises BatchError or EngineError."""
        options = self._options
        scene = self._scene()
        strip = sound_strip.load_sound(scene, options.audio.resolve(), 1)
        frames = self._frames(strip)
        # Everything is made in folders beside its place, so that moving it there replaces the old file at once.
        with (
            output_files.parts_folder(options.blend or options.output) as scene_parts,
            output_files.parts_folder(options.output or options.blend) as parts,
        ):
            generation = self._generate(strip, frames, scene_parts)
            scene.frame_start, scene.frame_end = frames[0], frames[-1]
            if options.blend:
                self._timed("save", self._save, scene, scene_parts)
            if options.output:
                self._write_video(scene, generation, frames, parts)
            if options.json:
                self._write_report(scene, generation, frames, parts)
        self._say_result()

    def _scene(self) -> bpy.types.Scene:
        options = self._options
        if not options.target:
            # Not the factory's settings: they would disable the extension, whose command may be what runs this.
            bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        scene = bpy.context.scene
        if options.fps or not options.target:
            rate = options.fps or DEFAULT_RATE
            scene.render.fps, scene.render.fps_base = round(rate), round(rate) / rate
        # A file that is only saved again keeps its artist's render settings.
        if options.output or not options.target:
            video.set_up(scene, options.engine, options.size, options.samples)
        return scene

    def _frames(self, strip: bpy.types.SoundStrip) -> range:
        clip = sound_strip.clip_of(strip)
        if self._options.frames is None:
            return range(clip.frame_start, clip.frame_end)
        first, last = self._options.frames
        count = clip.frame_end - clip.frame_start
        if last > count:
            raise BatchError(f"--frames ends at {last}, but the clip has {count} frames.", BAD_INPUT)
        return range(clip.frame_start + first - 1, clip.frame_start + last)

    def _generate(self, strip: bpy.types.SoundStrip, frames: range, parts: Path) -> Generation:
        client = session.client(self._options.engine_python)
        generation = Generation(client, strip, self._generation_options(frames, parts))
        session.set_job(generation)
        generation.run(lambda text, fraction: self._say(f"{text} {10 * int(fraction * 10)} %"))
        if generation.state is not State.DONE:
            raise BatchError(generation.error, ENGINE_FAILED)
        for note in generation.notes:
            print(f"Warning: {note}", file=sys.stderr)
        session.stop_engine()
        self._seconds |= generation.seconds
        return generation

    def _generation_options(self, frames: range, parts: Path) -> Options:
        options = self._options
        folder = str(parts / output_files.frames_folder(options).name)
        return Options(
            output=OUTPUTS[options.head_output],
            resolution=options.resolution,
            identity=options.identity,
            skin_color=options.skin_colour,
            eye_color=options.eye_colour,
            seed=options.seed,
            steps=options.steps,
            guidance=options.guidance,
            strength=options.strength,
            bundle=options.bundle,
            device=options.device,
            frames=frames,
            curves=CurveSettings(targets=tuple(options.target)),
            style=style_of(options),
            storage=FrameStorage(FRAME_PLACES[options.frames_in], folder=folder),
        )

    def _save(self, scene: bpy.types.Scene, parts: Path) -> None:
        for strip in sound_strip.sound_strips(scene):
            if not strip.sound.packed_file:
                strip.sound.pack()
            strip.sound.filepath = f"//{Path(strip.sound.filepath).name}"
        scene.frame_set(scene.frame_start)
        scene.render.filepath = "//"
        part, frames = parts / "scene.blend", output_files.frames_folder(self._options)
        bpy.ops.wm.save_as_mainfile(filepath=str(part), compress=True, copy=True, relative_remap=True)
        if (made := parts / frames.name).is_dir():
            shutil.rmtree(frames, ignore_errors=True)
            output_files.move(made, frames)
            for cache in bpy.data.cache_files:
                cache.filepath = cache.filepath.replace(str(made), str(frames))
        output_files.move(part, self._options.blend)

    def _write_video(self, scene: bpy.types.Scene, generation: Generation, frames: range, parts: Path) -> None:
        options, part = self._options, parts / "video.mp4"
        self._timed("render", self._render, scene, part)
        if options.contact_sheet:
            sheet = parts / "sheet.png"
            self._timed("contact_sheet", write_contact_sheet, sheet, part, generation.clip, generation.take, frames)
            output_files.move(sheet, options.contact_sheet)
        output_files.move(part, options.output)

    def _render(self, scene: bpy.types.Scene, path: Path) -> None:
        count = scene.frame_end - scene.frame_start + 1
        try:
            video.render_video(scene, path, lambda done: self._say(f"Rendering frame {done} of {count}"))
        except RuntimeError as error:
            message = f"The render failed ({reason_of(error)}); try --engine cycles."
            raise BatchError(message, RENDER_FAILED) from error

    def _write_report(self, scene: bpy.types.Scene, generation: Generation, frames: range, parts: Path) -> None:
        seconds = self._seconds | {"total": time.perf_counter() - self._started}
        part = parts / "report.json"
        content = report(self._options, scene, generation, frames, seconds)
        part.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        output_files.move(part, self._options.json)

    def _timed(self, stage: str, work: Callable[..., None], *arguments: object) -> None:
        begin = time.perf_counter()
        work(*arguments)
        self._seconds[stage] = time.perf_counter() - begin

    def _say(self, text: str) -> None:
        if text != self._shown:
            say(text)
        self._shown = text

    def _say_result(self) -> None:
        for path in (options := self._options).output, options.blend, options.contact_sheet, options.json:
            if path:
                self._say(f"Wrote {path}")
        self._say("Took " + ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in self._seconds.items()))
        self._say(f"Done in {time.perf_counter() - self._started:.1f} s")
