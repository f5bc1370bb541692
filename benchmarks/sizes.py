"""Bytes a vertex of Frame Meshes in each place for them, how far off is what they hold, and the time of a frame change.

    python -m benchmarks.sizes [--resolution 128] [--frames 36]

Frames of the demo's recording, made by the starter model. Frames in the file are made as a batch run makes them;
without --frames, all of the recording, so that the file is as large as that of `make demo`. Distances are from the
vertices that are shown to those that came from the engine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np

from benchmarks.measuring import conditions, print_table
from tests.helpers.repository import ROOT, import_from_extension

CHANGES = 24  # of the frame, that are timed
MILLIMETRES = 1000.0

client_module = import_from_extension("facetalk_blender.engine_access.client")
conversion = import_from_extension("facetalk_blender.generation.frame_conversion")
frame_meshes = import_from_extension("facetalk_blender.outputs.frames.frame_meshes")
frame_storage = import_from_extension("facetalk_blender.outputs.frames.frame_storage")
generation = import_from_extension("facetalk_blender.generation.generation")
output_files = import_from_extension("facetalk_blender.unattended.output_files")
sound_strip = import_from_extension("facetalk_blender.sound.strip")


def recorded_frames() -> list[np.ndarray]:
    """Vertices (V, 3) of the frames that are made from now on, with those of finer borders, before they are stored."""
    made, given = [], frame_meshes._frame_of_message

    def recording(*arguments):
        frame = given(*arguments)
        made.append(frame.vertices)
        return frame

    frame_meshes._frame_of_message = recording
    return made


def shown_vertices(head: bpy.types.Object, frame: int) -> np.ndarray:
    """Vertices (V, 3) of the evaluated mesh at a scene frame."""
    bpy.context.scene.frame_set(frame)
    mesh = head.evaluated_get(bpy.context.view_layer.depsgraph).data
    vertices = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", vertices.ravel())
    return vertices


def farthest(shown: np.ndarray, made: np.ndarray) -> float:
    """Greatest distance, in millimetres, from a shown vertex to the nearest of the made ones."""
    from scipy.spatial import cKDTree

    return float(cKDTree(made).query(shown)[0].max()) * MILLIMETRES


def change_milliseconds(head: bpy.types.Object, frames: range) -> float:
    """Median processor time of a change of frame with its evaluated mesh, without drawing."""
    times = []
    for number in range(CHANGES + 1):
        before = time.process_time()
        bpy.context.scene.frame_set(frames[(7 * number) % len(frames)])
        len(head.evaluated_get(bpy.context.view_layer.depsgraph).data.vertices)
        times.append(1e3 * (time.process_time() - before))
    return float(np.median(times[1:]))


def timed(work: Callable[[], object]) -> float:
    """Seconds of the wall clock."""
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def generated(resolution: int, count: int | None) -> tuple[bpy.types.Object, range]:
    """The head that speaks the demo's recording, with frames in the file, and its frames."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    scene = bpy.context.scene
    strip = sound_strip.load_sound(scene, ROOT / "demo" / "voice.wav", 1)
    clip = sound_strip.clip_of(strip)
    frames = range(clip.frame_start, clip.frame_start + count if count else clip.frame_end)
    client = client_module.EngineClient(sys.executable, ROOT)
    storage = frame_storage.FrameStorage("FILE", coherent=True)
    run = generation.Generation(
        client, strip, generation.Options(resolution=resolution, frames=frames, storage=storage)
    )
    run.run()
    client.stop()
    if run.error:
        raise SystemExit(run.error)
    return bpy.data.objects[run.result_name], frames


def measure(resolution: int, count: int | None, folder: Path) -> tuple[str, list[list[str]]]:
    """The title of a resolution's table and its rows."""
    made = recorded_frames()
    head, frames = generated(resolution, count)
    vertices = sum(map(len, made))
    chosen = [0, len(frames) // 2, len(frames) - 1]
    rows = []

    def row(place: str, size: int, seconds: float) -> None:
        off = max(farthest(shown_vertices(head, frames[i]), made[i]) for i in chosen)
        change = change_milliseconds(head, frames)
        figures = f"{size / vertices:.1f}", f"{size / 1e6:.1f}", f"{off:.3f}", f"{change:.2f}", f"{seconds:.1f}"
        rows.append([place, *figures])

    whole = folder / "whole.blend"
    seconds = timed(lambda: output_files.save_file(whole, whole))
    row(".blend of a batch run", whole.stat().st_size, seconds)
    seconds = timed(lambda: bpy.ops.wm.save_as_mainfile(filepath=str(folder / "head.blend"), compress=True))
    row(".blend, compressed by Blender", (folder / "head.blend").stat().st_size, seconds)
    run = conversion.Conversion(bpy.context.scene, head, frame_storage.FrameStorage(folder=str(folder / "frames")))
    seconds = timed(run.run)
    if run.error:
        raise SystemExit(run.error)
    files = [path.stat().st_size for path in (folder / "frames").rglob("*.usdc")]
    row("cache folder", sum(files), seconds)
    title = f"{resolution} points a side, {len(made)} frames, {vertices // len(made)} vertices a frame"
    return title, rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--frames", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        title, rows = measure(options.resolution, options.frames, Path(folder))
    print(conditions(None, f"{CHANGES} changes of frame"))
    header = ["frames in", "bytes a vertex", "MB", "farthest off, mm", "frame change, ms", "written in, s"]
    print_table(title, header, rows)


if __name__ == "__main__":
    main()
