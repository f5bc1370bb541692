"""How long Blender's main thread is held per tick, in every stage of a generation and for every output.

    python -m benchmarks.streaming [--frames 40] [--vertices 57000] [--outputs FRAME_MESHES SHAPE_KEYS ...]

A replayed engine, so that only Blender's side is measured. Ticks come from a timer as in Blender; those in which there
was nothing to do are left out. Wall and CPU milliseconds of the main thread (CPU is the figure to trust on a busy
machine). A stage is the generation's state and the step in it; a tick counts for the stage in which it began.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import types
import wave
from collections import defaultdict
from pathlib import Path

import bpy
import numpy as np

from engine.shared.arkit import ARKIT_NAMES
from engine.shared.protocol import Message
from engine.shared.regions import REGION_NAMES

ROOT = Path(__file__).resolve().parent.parent
TIMER_SECONDS, IDLE_SECONDS = 0.01, 0.0002
OUTPUTS = ("FRAME_MESHES", "SHAPE_KEYS", "EXPRESSION_CURVES")


class ReplayedEngine:
    """Answers as the engine does, with one prepared surface for every frame and key."""

    def __init__(self, surface: dict[str, np.ndarray], code_count: int):
        self._surface = surface
        self._code_count = code_count
        self._messages: list[Message] = []

    def start(self) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to stop."""

    def request(self, kind: str, _fields: dict, arrays: dict | None = None) -> int:
        """Queue all answers at once: the fastest engine there could be."""
        names = {"region_names": list(REGION_NAMES)}
        answers = []
        if kind == "sample":
            answers = [self._take()]
        elif kind == "surfaces":
            answers = [Message("surface", 1, {"index": i} | names, self._surface) for i in range(len(arrays["times"]))]
        elif kind in ("shape_keys", "arkit_shapes"):
            faces = self._surface["faces"]
            template = self._surface | {"polygons": faces, "uv": np.zeros((*faces.shape, 2), np.float32)}
            count = len(ARKIT_NAMES) if kind == "arkit_shapes" else self._code_count
            moved = {"vertices": self._surface["vertices"] * np.float32(1.01)}
            answers = [Message("template", 1, names, template)]
            answers += [Message("positions", 1, {"index": index}, moved) for index in range(count)]
        self._messages = [*answers, Message("done", 1)]
        return 1

    def poll(self) -> Message | None:
        """The next answer."""
        return self._messages.pop(0) if self._messages else None

    def _take(self) -> Message:
        generator = np.random.default_rng(0)
        arrays = {"codes": generator.normal(size=(self._code_count, 200)).astype("f4")}
        arrays["weights"] = generator.random((self._code_count, len(ARKIT_NAMES)), "f4")
        arrays["lip_opening_mm"] = np.zeros(self._code_count, "f4")
        return Message("take", 1, {"rate": 24.0, "seed": 0, "weight_names": list(ARKIT_NAMES)}, arrays)


def sphere(vertex_count: int) -> dict[str, np.ndarray]:
    """A triangulated sphere of about that many vertices, as the engine sends surfaces."""
    rings = int((vertex_count / 2) ** 0.5)
    columns = 2 * rings
    theta, phi = np.meshgrid(np.linspace(0.01, np.pi - 0.01, rings), np.linspace(0, 2 * np.pi, columns, endpoint=False))
    points = 0.1 * np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1)
    a = np.arange(columns)[:, None] * rings + np.arange(rings - 1)
    b = (a + rings) % (rings * columns)
    faces = np.concatenate([np.stack([a, a + 1, b], -1), np.stack([b, a + 1, b + 1], -1)]).reshape(-1, 3)
    regions = np.random.default_rng(0).integers(0, 256, (rings * columns, len(REGION_NAMES)), np.uint8)
    return {"vertices": points.reshape(-1, 3).astype("f4"), "faces": faces.astype("i4"), "regions": regions}


def ticks(output: str, vertex_count: int, frames: int) -> dict[str, list[tuple[float, float]]]:
    """Wall and CPU milliseconds of every tick that had something to do, by stage."""
    from facetalk_extension.facetalk_blender.generation import generation
    from facetalk_extension.facetalk_blender.sound import strip as sound_strip

    bpy.ops.wm.read_factory_settings(use_empty=True)
    measured = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "silence.wav")
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(b"\0\0" * int(16000 * frames / 24))
        strip = sound_strip.load_sound(bpy.context.scene, path, 1)
        engine = ReplayedEngine(sphere(vertex_count), frames)
        run = generation.Generation(engine, strip, generation.Settings(output=output))
        while run.running:
            stage = f"{run.state.name} {run.step}"
            wall, cpu = time.perf_counter(), time.thread_time()
            run.tick()
            wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
            if wall > IDLE_SECONDS:
                measured[stage].append((1e3 * wall, 1e3 * cpu))
            time.sleep(TIMER_SECONDS)
        if run.error:
            raise SystemExit(run.error)
    return measured


def main() -> None:
    """Measure every output at every size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--vertices", type=int, nargs="+", default=[57_000])
    parser.add_argument("--outputs", nargs="+", choices=OUTPUTS, default=OUTPUTS)
    options = parser.parse_args()
    package = sys.modules["facetalk_extension"] = types.ModuleType("facetalk_extension")
    package.__path__ = [str(ROOT)]
    for vertex_count in options.vertices:
        for output in options.outputs:
            print(f"\n{output}, {vertex_count} vertices, {options.frames} frames; milliseconds a tick")
            print(f"{'stage':<32}  ticks  CPU med  CPU max  wall med  wall max")
            for stage, rows in ticks(output, vertex_count, options.frames).items():
                wall, cpu = np.array(rows).T
                figures = f"{np.median(cpu):7.1f}  {cpu.max():7.1f}  {np.median(wall):8.1f}  {wall.max():8.1f}"
                print(f"{stage:<32}  {len(rows):5}  {figures}")


if __name__ == "__main__":
    main()
