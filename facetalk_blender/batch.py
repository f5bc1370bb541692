"""The main job without a window: a recording in, a video of a talking head out.

    blender --background --python facetalk_blender/batch.py -- --audio voice.wav --output head.mp4
    python facetalk_blender/batch.py -- --audio voice.wav --output head.mp4        (with pip's bpy)
    blender --command facetalk --audio voice.wav --output head.mp4                 (with the extension installed)

With --scene-settings, takes of the opened file instead, as its panel is set: see `scene_take`.

Exit codes: 0 done; 2 unusable arguments or input; 3 the engine failed; 4 an output cannot be written;
5 the render failed; 130 interrupted. Outputs appear under their names only once they are complete.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if not __package__:
    # Run as a script: give the root the package name that relative imports need.
    root = Path(__file__).resolve().parents[1]
    package = sys.modules["facetalk_extension"] = types.ModuleType("facetalk_extension")
    package.__path__ = [str(root)]
    module = importlib.import_module("facetalk_extension.facetalk_blender.batch")
    module.leave(module.main())

import bpy
from mathutils import Color

from ..engine.shared.errors import EngineError
from ..engine.shared.identity_text import join_identity, split_identity
from ..engine.shared.options import DEVICE, GUIDANCE, RESOLUTION, RESOLUTIONS, STARTER, STEPS, STRENGTH, Range
from ..engine.shared.style import LARGEST, add_style_options, style_of
from .generation import session
from .generation.generation import Generation, Settings, State
from .outputs.curves.expression_curves import CurveSettings
from .outputs.frames.frame_storage import FrameStorage
from .outputs.frames.usd_frame import is_frame_file
from .sound import strip as sound_strip
from .unattended import video as rendering
from .unattended.contact_sheet import write_contact_sheet

OUTPUTS = {"frame-meshes": "FRAME_MESHES", "shape-keys": "SHAPE_KEYS", "expression-curves": "EXPRESSION_CURVES"}
FRAME_PLACES = {"automatic": "AUTOMATIC", "file": "FILE", "cache": "CACHE"}
IDENTITY_HELP = "mean, random:SEED or a .npy file, and controls: random:7+jaw_width=1,nose_length=-1"
DEFAULT_RATE = 24.0
OK, BAD_INPUT, ENGINE_FAILED, NOT_WRITABLE, RENDER_FAILED, INTERRUPTED = 0, 2, 3, 4, 5, 130


_temporary_folders: set[Path] = set()


class BatchError(Exception):
    """The run cannot go on: one sentence that names the fix, and the exit code."""

    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.code = code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise BatchError(f"{message}; see --help.", BAD_INPUT)


def main(arguments: list[str] | None = None) -> int:
    """Run the job and return its exit code. arguments: None takes what follows `--` on the command line."""
    if arguments is None:
        arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    try:
        if "--scene-settings" in arguments:
            # Imported here: what it runs is that of the window, which needs everything else.
            from .unattended import scene_take

            scene_take.run(arguments)
            return OK
        options = _parse(arguments)
        _check_outputs(options)
        Job(options).run()
    except BatchError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.code
    except EngineError as error:
        print(f"Error: {error}", file=sys.stderr)
        return BAD_INPUT
    except SystemExit as leaving:  # --help
        return leaving.code or OK
    finally:
        session.stop_engine()
    return OK


def say(text: str) -> None:
    """Tell how it goes."""
    print(f"FaceTalk: {text}", flush=True)


def _interrupt(_number: int, _frame: object) -> None:
    # No exception: one raised while Blender renders would be printed and swallowed by its handlers.
    session.end_generation()
    session.stop_engine()
    for folder in _temporary_folders:
        shutil.rmtree(folder, ignore_errors=True)
    print("Interrupted; nothing was left behind.", file=sys.stderr, flush=True)
    leave(INTERRUPTED)


def leave(code: int) -> None:
    """End Blender with an exit code: its own way out ignores a script's code, and pip's bpy may crash on it."""
    shutil.rmtree(bpy.app.tempdir, ignore_errors=True)
    sys.stdout.flush()
    os._exit(code)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="blender --background --python facetalk_blender/batch.py --",
        description="Make a video of a head that speaks a recording.",
        epilog=__doc__[__doc__.index("With --scene-settings") :],
    )
    add = parser.add_argument
    add("--audio", type=Path, required=True, help="recording: any sound or video file that Blender reads")
    add("--output", type=Path, help="video to write (.mp4, H.264 and AAC)")
    add("--blend", type=Path, help="scene to write (.blend, sound packed)")
    add("--contact-sheet", type=Path, help="picture of moments of the video to write (.png)")
    add("--json", type=Path, help="report to write: stages, seconds, versions, sizes")
    add("--head-output", choices=OUTPUTS, default="frame-meshes", help="what the scene holds (default: %(default)s)")
    add(
        "--target",
        action="append",
        default=[],
        help="mesh of the opened file that gets expression curves instead of a new head; may be given several times",
    )
    add(
        "--frames-in",
        choices=FRAME_PLACES,
        default="automatic",
        help="where frame meshes are kept: in the .blend, or in NAME_frames beside it (default: by their size)",
    )
    add("--resolution", type=int, choices=RESOLUTIONS, default=RESOLUTION, help="cells per side (default: %(default)s)")
    add("--identity", default="mean", help=IDENTITY_HELP)
    add("--skin-colour", type=_colour, help="colour of the skin, #RRGGBB (default: a light one)")
    add("--eye-colour", type=_colour, help="colour of the iris, #RRGGBB (default: a grey blue)")
    add("--seed", type=int, default=0, help="another number gives another performance (default: %(default)s)")
    add("--steps", type=int, help="denoising steps (default: the model's)")
    add("--guidance", type=float, help=f"how closely the voice is followed, {GUIDANCE} (default: the model's)")
    add("--strength", type=float, default=1.0, help=f"how large expressions are, {STRENGTH} (default: %(default)s)")
    add_style_options(parser)
    add("--bundle", default=STARTER, help="folder of a model bundle (default: the built-in starter model)")
    add("--fps", type=float, help="frames per second of the video (default: 24; with --target the opened file's)")
    add("--frames", type=_frame_range, help="only frames A:B of the clip, counted from 1")
    add("--engine", choices=rendering.ENGINES, default="cycles", help="render engine (default: %(default)s)")
    add("--size", type=_size, default=(480, 480), help="picture size, WIDTHxHEIGHT (default: 480x480)")
    add("--samples", type=int, help="render samples (default: fitting the engine)")
    add("--device", default=DEVICE, help="what the model computes on: auto, cpu or cuda (default: %(default)s)")
    add("--engine-python", default="", help="interpreter that can import torch (default: this one)")
    options = parser.parse_args(arguments)
    if not (options.output or options.blend):
        parser.error("nothing to write: give --output or --blend")
    if options.contact_sheet and not options.output:
        parser.error("--contact-sheet shows a video: give --output too")
    if options.target and options.head_output != "expression-curves":
        parser.error("--target gets curves: give --head-output expression-curves too")
    limits = {"steps": STEPS, "strength": STRENGTH, "guidance": GUIDANCE}
    limits |= {"samples": Range("samples", 1, 4096), "fps": Range("fps", 1, 240)}
    limits |= {name: Range(name, 0, largest) for name, largest in LARGEST.items()}
    for name, limit in limits.items():
        value = getattr(options, name)
        if value is not None and not limit.holds(value):
            parser.error(f"--{name} must lie between {limit.least:g} and {limit.greatest:g}")
    return options


def _frame_range(text: str) -> tuple[int, int]:
    parts = text.split(":")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts) or not 1 <= int(parts[0]) <= int(parts[1]):
        raise argparse.ArgumentTypeError(f"'{text}' is no range of frames; write e.g. 1:48")
    return int(parts[0]), int(parts[1])


def _colour(text: str) -> tuple[float, float, float]:
    """Linear colour of an sRGB one as #RRGGBB."""
    if not re.fullmatch("#?[0-9a-fA-F]{6}", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no colour; write e.g. #c68863")
    digits = text.removeprefix("#")
    shown = (int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4))
    return tuple(Color(shown).from_srgb_to_scene_linear())


def _identity(text: str) -> str:
    """The engine works in another folder: a file gets its whole path."""
    try:
        base, controls = split_identity(text)
    except ValueError:
        return text  # the engine says what is wrong with it
    return join_identity(str(Path(base).resolve()) if Path(base).is_file() else base, controls)


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    # H.264 stores colour at half the size, so both must be even.
    if len(parts) != 2 or not all(p.isdecimal() and 16 <= int(p) <= 8192 and int(p) % 2 == 0 for p in parts):
        raise argparse.ArgumentTypeError(f"'{text}' is no picture size; write two even numbers, e.g. 480x480")
    return int(parts[0]), int(parts[1])


def _check_outputs(options: argparse.Namespace) -> None:
    for name, suffix in (("output", ".mp4"), ("blend", ".blend"), ("contact_sheet", ".png"), ("json", ".json")):
        path = getattr(options, name)
        if path is None:
            continue
        path = path.resolve()
        setattr(options, name, path)
        option = f"--{name.replace('_', '-')}"
        if path.suffix.lower() != suffix:
            raise BatchError(f"{option} must end in {suffix}, not '{path.name}'.", BAD_INPUT)
        if path.is_dir():
            raise BatchError(f"{option} {path} is a folder; name a file in it.", NOT_WRITABLE)
        try:
            with tempfile.TemporaryFile(dir=path.parent):
                pass
        except OSError as error:
            message = f"Cannot write to {path.parent}; choose another folder for {option}."
            raise BatchError(message, NOT_WRITABLE) from error
    frames = _frames_folder(options)
    if frames.exists() and not all(path.is_dir() or is_frame_file(path) for path in frames.rglob("*")):
        raise BatchError(f"{frames} holds other files than frames; choose another name for --blend.", NOT_WRITABLE)


def _frames_folder(options: argparse.Namespace) -> Path:
    """Where the scene's frames are once it is complete."""
    scene = options.blend or options.output
    return scene.with_name(f"{scene.stem}_frames")


class Job:
    """One batch run."""

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
            _parts_folder(options.blend or options.output) as scene_parts,
            _parts_folder(options.output or options.blend) as parts,
        ):
            generation = self._generate(strip, frames, scene_parts)
            scene.frame_start, scene.frame_end = frames[0], frames[-1]
            if options.blend:
                self._timed("save", self._save, scene, scene_parts)
            if options.output:
                video = parts / "video.mp4"
                self._timed("render", self._render, scene, video)
                if options.contact_sheet:
                    sheet = parts / "sheet.png"
                    moments = generation.clip, generation.take, frames
                    self._timed("contact_sheet", write_contact_sheet, sheet, video, *moments)
                    _move(sheet, options.contact_sheet)
                _move(video, options.output)
            if options.json:
                report = parts / "report.json"
                report.write_text(json.dumps(self._report(scene, generation, frames), indent=1) + "\n", "utf-8")
                _move(report, options.json)
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
            rendering.set_up(scene, options.engine, options.size, options.samples)
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
        options = self._options
        places = FRAME_PLACES[options.frames_in], str(parts / _frames_folder(options).name)
        settings = Settings(
            output=OUTPUTS[options.head_output],
            resolution=options.resolution,
            identity=_identity(options.identity),
            skin_color=options.skin_colour,
            eye_color=options.eye_colour,
            seed=options.seed,
            steps=options.steps,
            guidance=options.guidance,
            strength=options.strength,
            bundle=str(Path(options.bundle).resolve()) if Path(options.bundle).is_dir() else options.bundle,
            device=options.device,
            frames=frames,
            curves=CurveSettings(targets=tuple(options.target)),
            style=style_of(options),
            storage=FrameStorage(places[0], folder=places[1]),
        )
        generation = Generation(session.client(options.engine_python), strip, settings)
        session.set_generation(generation)
        generation.run(lambda text, fraction: self._say(f"{text} {10 * int(fraction * 10)} %"))
        if generation.state is not State.DONE:
            raise BatchError(generation.error, ENGINE_FAILED)
        for note in generation.notes:
            print(f"Warning: {note}", file=sys.stderr)
        session.stop_engine()
        self._seconds |= generation.seconds
        return generation

    def _save(self, scene: bpy.types.Scene, parts: Path) -> None:
        for strip in sound_strip.sound_strips(scene):
            if not strip.sound.packed_file:
                strip.sound.pack()
            strip.sound.filepath = f"//{Path(strip.sound.filepath).name}"
        scene.frame_set(scene.frame_start)
        scene.render.filepath = "//"
        part, frames = parts / "scene.blend", _frames_folder(self._options)
        bpy.ops.wm.save_as_mainfile(filepath=str(part), compress=True, copy=True, relative_remap=True)
        if (made := parts / frames.name).is_dir():
            shutil.rmtree(frames, ignore_errors=True)
            _move(made, frames)
            for cache in bpy.data.cache_files:
                cache.filepath = cache.filepath.replace(str(made), str(frames))
        _move(part, self._options.blend)

    def _render(self, scene: bpy.types.Scene, path: Path) -> None:
        count = scene.frame_end - scene.frame_start + 1
        try:
            rendering.render_video(scene, path, lambda done: self._say(f"Rendering frame {done} of {count}"))
        except RuntimeError as error:
            reason = str(error).strip().removeprefix("Error: ").splitlines()[0]
            raise BatchError(f"The render failed ({reason}); try --engine cycles.", RENDER_FAILED) from error

    def _timed(self, stage: str, work, *arguments) -> None:
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

    def _report(self, scene: bpy.types.Scene, generation: Generation, frames: range) -> dict:
        head = bpy.data.objects[generation.result_name]
        mesh = head.evaluated_get(scene.view_layers[0].depsgraph).data
        rounded = {stage: round(seconds, 3) for stage, seconds in self._seconds.items()}
        return {
            "audio": self._options.audio.name,
            "seconds": rounded | {"total": round(time.perf_counter() - self._started, 3)},
            "first_frame_seconds": round(generation.first_frame_seconds, 3),
            "blender": bpy.app.version_string,
            "engine": generation.engine_info,
            "take": {
                "codes": len(generation.take.codes),
                "rate": generation.take.rate,
                "seed": generation.take.seed,
                "duration": round(generation.clip.duration, 3),
            }
            | _lip_opening(generation),
            "head_output": self._options.head_output,
            "resolution": self._options.resolution,
            "frames": len(frames),
            "frames_per_second": generation.clip.frames_per_second,
            "vertices": len(mesh.vertices),
            "polygons": len(mesh.polygons),
            "render": {"engine": self._options.engine, "size": list(self._options.size)},
        }


def _lip_opening(generation: Generation) -> dict:
    values = generation.take.lip_opening_mm
    return {} if values is None else {"lip_opening_mm": [round(float(value), 2) for value in values]}


@contextmanager
def _parts_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path` for what is not complete yet; it is always removed."""
    folder = Path(tempfile.mkdtemp(prefix=".facetalk-", dir=path.parent))
    _temporary_folders.add(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _temporary_folders.discard(folder)


def _move(part: Path, path: Path) -> None:
    try:
        shutil.move(part, path)
    except OSError as error:
        raise BatchError(f"Cannot write {path} ({error.strerror}); choose another place.", NOT_WRITABLE) from error
