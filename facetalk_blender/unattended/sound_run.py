"""A run on a sound file: a head in a new scene, or curves on meshes of the opened one, rendered and saved."""

from __future__ import annotations

import argparse
import json
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
from ..hair import worn
from ..outputs.curves.expression_curves import CurveSettings
from ..outputs.frames.frame_storage import FrameStorage
from ..sound import strip as sound_strip
from . import chosen_person, graphics, output_files, video
from .arguments import AUTOMATIC, DEFAULT_RATE, FRAME_PLACES, OUTPUTS, stage_of
from .contact_sheet import write_contact_sheet
from .outcome import BAD_INPUT, ENGINE_FAILED, NOT_WRITABLE, RENDER_FAILED, BatchError, reason_of, say
from .report import report


class SoundRun:
    """One run. options: of the command line, checked."""

    def __init__(self, options: argparse.Namespace):
        self._options = options
        self._started = time.perf_counter()
        self._seconds: dict[str, float] = {}
        self._shown = ""
        self._saved: Callable[[], None] = lambda: None  # waits until the .blend is complete

    def run(self) -> None:
        """Generate, render and write everything. Raises BatchError or EngineError."""
        options = self._options
        scene = self._scene()
        strip = sound_strip.load_sound(scene, options.audio.resolve(), 1)
        frames = self._frames(strip)
        with output_files.Outputs() as self._outputs:
            generation = self._generate(strip, frames)
            scene.frame_start, scene.frame_end = frames[0], frames[-1]
            if options.blend:
                self._timed("save", self._save, scene)
            if options.output:
                self._timed("render", self._render, scene)
            self._timed("compress", self._saved)
            if options.contact_sheet:
                self._timed("contact_sheet", self._write_sheet, generation, frames)
            if options.json:
                self._write_report(scene, generation, frames)
            self._outputs.place()
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
            if options.engine == AUTOMATIC:
                options.engine = "eevee" if graphics.has_processor() else "cycles"
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

    def _generate(self, strip: bpy.types.SoundStrip, frames: range) -> Generation:
        client = session.client(self._options.engine_python)
        generation = Generation(client, strip, self._generation_options(frames))
        session.set_job(generation)
        generation.run(lambda text, fraction: self._say(f"{text} {10 * int(fraction * 10)} %"))
        if generation.state is not State.DONE:
            raise BatchError(generation.error, NOT_WRITABLE if generation.not_writable else ENGINE_FAILED)
        for note in generation.notes:
            print(f"Warning: {note}", file=sys.stderr)
        head = bpy.data.objects.get(generation.result_name)
        if chosen_person.wanted(self._options) and head is not None and (reason := worn.problem(head)):
            print(f"Warning: {reason} It stays bald.", file=sys.stderr)
        session.stop_engine()
        self._seconds |= generation.seconds
        return generation

    def _generation_options(self, frames: range) -> Options:
        options = self._options
        place = output_files.frames_folder(options)
        folder = str(self._outputs.beside(place) / place.name)
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
            controls=options.asked,
            bundle=options.bundle,
            device=options.device,
            frames=frames,
            stage=stage_of(options),
            curves=CurveSettings(targets=tuple(options.target)),
            style=style_of(options),
            skin_traits=options.skin_traits,
            cut=options.cut,
            strands=(worn.SHARES[0], options.strands / 100.0 if options.strands else worn.SHARES[1]),
            storage=FrameStorage(FRAME_PLACES[options.frames_in], folder=folder, coherent=True),
        )

    def _save(self, scene: bpy.types.Scene) -> None:
        for strip in sound_strip.sound_strips(scene):
            if not strip.sound.packed_file:
                strip.sound.pack()
            strip.sound.filepath = f"//{Path(strip.sound.filepath).name}"
        scene.frame_set(scene.frame_start)
        scene.render.filepath = "//"
        path, frames = self._options.blend, output_files.frames_folder(self._options)
        parts = self._outputs.beside(path)
        self._saved = output_files.begin_saving(parts / "scene.blend", path)  # and render beside it
        if (made := parts / frames.name).is_dir():
            self._outputs.add(made, frames)
        self._outputs.add(parts / "scene.blend", path)

    def _render(self, scene: bpy.types.Scene) -> None:
        if self._options.strands is None and not self._options.target:
            for head in filter(worn.worn_by, scene.objects):
                viewport, _ = worn.SHARES
                worn.set_shares(head, viewport, worn.share_for(self._options.size))
        count = scene.frame_end - scene.frame_start + 1
        path = self._outputs.beside(self._options.output) / "video.mp4"
        try:
            video.render_video(scene, path, lambda done: self._say(f"Rendering frame {done} of {count}"))
        except OSError as error:
            raise output_files.not_written(self._options.output, error) from error
        except RuntimeError as error:
            output_files.check_room(path.parent)
            message = f"The render failed ({reason_of(error)}); try --engine cycles."
            raise BatchError(message, RENDER_FAILED) from error
        output_files.check_room(path.parent)
        self._outputs.add(path, self._options.output)

    def _write_sheet(self, generation: Generation, frames: range) -> None:
        options = self._options
        path = self._outputs.beside(options.contact_sheet) / "sheet.png"
        rendered = self._outputs.beside(options.output) / "video.mp4"
        try:
            write_contact_sheet(path, rendered, generation.clip, generation.take, frames)
        except RuntimeError as error:
            raise output_files.not_written(options.contact_sheet, OSError(reason_of(error))) from error
        self._outputs.add(path, options.contact_sheet)

    def _write_report(self, scene: bpy.types.Scene, generation: Generation, frames: range) -> None:
        seconds = self._seconds | {"total": time.perf_counter() - self._started}
        path = self._outputs.beside(self._options.json) / "report.json"
        content = report(self._options, scene, generation, frames, seconds)
        path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        self._outputs.add(path, self._options.json)

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
