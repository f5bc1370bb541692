"""CPU seconds of a rendered frame by part, of any file with a talking head, and its picture beside that of other files.

    python -m benchmarks.render out/demo.blend [--others before.blend] [--frames 64 97] [--rounds 3] [--pictures FOLDER]

Every file is rendered as the demo is. Parts are differences of medians: what a change of the mesh adds, what each
sample adds, what denoising adds. Files take turns within a round, so that other programs disturb all alike. CPU
seconds are summed over threads.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import bpy
import numpy as np

from benchmarks.measuring import conditions, print_table
from tests.helpers.repository import import_from_extension

SIZE = (480, 480)
PARTS = ("change of the mesh", "each sample", "denoising", "the rest", "all, as in the demo")

video = import_from_extension("facetalk_blender.unattended.video")
compat = import_from_extension("facetalk_blender.compat")


def cpu_seconds(scene: bpy.types.Scene, frame: int) -> float:
    """Of rendering one frame, its change included."""
    begun = time.process_time()
    scene.frame_set(frame)
    bpy.ops.render.render()
    return time.process_time() - begun


def settled_seconds(scene: bpy.types.Scene, frame: int) -> float:
    """The same after one render that does not count: the first with other settings prepares more."""
    scene.render.resolution_x = SIZE[0]  # persistent data alone would not notice another number of samples
    cpu_seconds(scene, frame)
    return cpu_seconds(scene, frame)


def parts(scene: bpy.types.Scene, frame: int) -> list[float]:
    """CPU seconds of PARTS in a scene that has shown the frame before."""
    cycles = scene.cycles
    samples, denoised = cycles.samples, cycles.use_denoising
    changed = cpu_seconds(scene, frame)
    same = cpu_seconds(scene, frame)
    cycles.use_denoising = False
    plain = settled_seconds(scene, frame)
    cycles.samples = 1
    single = settled_seconds(scene, frame)
    cycles.samples, cycles.use_denoising = samples, denoised
    cpu_seconds(scene, frame)
    sample = (plain - single) / max(samples - 1, 1)
    return [changed - same, sample, same - plain, single - sample, changed]


def set_up(path: Path) -> bpy.types.Scene:
    """Open a file and set it up as the demo's render is."""
    bpy.ops.wm.open_mainfile(filepath=str(path))
    scene = bpy.context.scene
    video.set_up(scene, "cycles", SIZE)
    scene.render.use_sequencer = False
    compat.set_image_output(scene.render.image_settings)
    return scene


def measure(path: Path, frames: list[int], pictures: Path | None) -> list[list[float]]:
    """Parts of every frame, after one frame that does not count; pictures go into the folder."""
    scene = set_up(path)
    cpu_seconds(scene, scene.frame_start)
    rows = [parts(scene, frame) for frame in frames]
    for frame in frames if pictures else ():
        scene.frame_set(frame)
        scene.render.filepath = str(pictures / f"{path.stem}_{frame}.png")
        bpy.ops.render.render(write_still=True)
    return rows


def in_own_process(path: Path, options: argparse.Namespace, pictures: Path | None) -> list[list[float]]:
    """Measure in a fresh process: Blender keeps what it made of an earlier file."""
    command = [sys.executable, "-m", "benchmarks.render", str(path), "--only-print"]
    command += ["--frames", *map(str, options.frames), *(["--pictures", str(pictures)] if pictures else [])]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line.removeprefix("parts ") for line in shown.splitlines() if line.startswith("parts ")]
    return [[float(word) for word in row.split()] for row in rows]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="files to compare with")
    parser.add_argument("--frames", type=int, nargs="+", default=[64, 97])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=Path, help="folder that gets every frame of every file as a picture")
    parser.add_argument("--only-print", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    if options.only_print:
        for row in measure(options.file, options.frames, options.pictures):
            print("parts", *row)
        return
    files = [*options.others, options.file]
    measured: dict[Path, list] = {path: [] for path in files}
    for number in range(options.rounds):
        for path in files:
            measured[path] += in_own_process(path, options, None if number else options.pictures)
    print(conditions(bpy.context.scene.render.threads, f"{options.rounds * len(options.frames)} frames"))
    medians = np.array([np.median(measured[path], axis=0) for path in files])
    rows = [[part, *(f"{value:.2f}" for value in column)] for part, column in zip(PARTS, medians.T, strict=True)]
    print_table(f"CPU seconds of a frame, {SIZE[0]} x {SIZE[1]}", ["", *(path.stem for path in files)], rows)


if __name__ == "__main__":
    main()
