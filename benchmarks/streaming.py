"""How long Blender's main thread is held per tick, in every stage of a generation and for every output.

    python -m benchmarks.streaming [--frames 40] [--vertices 57000] [--outputs FRAME_MESHES SHAPE_KEYS ...]

A replayed engine, so that only Blender's side is measured. Ticks come from a timer as in Blender; those in which there
was nothing to do are left out. Wall and CPU milliseconds of the main thread (CPU is the figure to trust on a busy
machine). A stage is the generation's state and the step in it; a tick counts for the stage in which it began.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import bpy
import numpy as np
import soundfile

from benchmarks.measuring import conditions, print_table
from engine.shared.protocol import Message, encoded
from engine.shared.regions import REGION_NAMES
from engine.shared.units import CODE_RATE, SAMPLE_RATE
from engine.shared.weights import WEIGHT_NAMES
from tests.helpers.repository import import_from_extension

TIMER_SECONDS, IDLE_SECONDS = 0.01, 0.0002
OUTPUTS = ("FRAME_MESHES", "SHAPE_KEYS", "EXPRESSION_CURVES")

generation = import_from_extension("facetalk_blender.generation.generation")
sound_strip = import_from_extension("facetalk_blender.sound.strip")


class ReplayedEngine:
    """Answers as the engine does, with one prepared surface for every frame and key."""

    alive = True
    silent_seconds = 0.0

    def __init__(self, surface: dict[str, np.ndarray], code_count: int):
        self._surface = surface
        self._code_count = code_count
        self._messages: list[Message] = []

    def start(self) -> None:
        """Nothing to start."""

    def start_left(self, _seconds: float) -> float:
        """Nor to wait for."""
        return 0.0

    def stop(self) -> None:
        """Nothing to stop."""

    def cancel(self, request: int) -> None:
        """Everything has been answered already."""

    def request(self, kind: str, fields: dict, arrays: dict | None = None) -> int:
        """Queue all answers at once: the fastest engine there could be. Off the main thread, only the pipe is left."""
        encoded(Message(kind, 1, fields, arrays or {}))
        names = {"region_names": list(REGION_NAMES)}
        answers = []
        if kind == "sample":
            answers = [self._take()]
        elif kind == "surfaces":
            answers = [Message("surface", 1, {"index": i} | names, self._surface) for i in range(len(arrays["times"]))]
        elif kind in ("shape_keys", "arkit_shapes"):
            faces = self._surface["faces"]
            template = self._surface | {"polygons": faces, "uv": np.zeros((*faces.shape, 2), np.float32)}
            count = len(WEIGHT_NAMES) if kind == "arkit_shapes" else self._code_count
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
        arrays["weights"] = generator.random((self._code_count, len(WEIGHT_NAMES)), "f4")
        arrays["lip_opening_mm"] = np.zeros(self._code_count, "f4")
        return Message("take", 1, {"rate": CODE_RATE, "seed": 0, "weight_names": list(WEIGHT_NAMES)}, arrays)


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


def silence(folder: Path, seconds: float) -> Path:
    """A recording of nothing."""
    path = folder / "silence.wav"
    soundfile.write(path, np.zeros(round(seconds * SAMPLE_RATE)), SAMPLE_RATE)
    return path


def ticks(output: str, vertex_count: int, frames: int) -> dict[str, list[tuple[float, float]]]:
    """Wall and CPU milliseconds of every tick that had something to do, by stage."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    measured = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        strip = sound_strip.load_sound(bpy.context.scene, silence(Path(folder), frames / CODE_RATE), 1)
        engine = ReplayedEngine(sphere(vertex_count), frames)
        run = generation.Generation(engine, strip, generation.Options(output=output))
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


def row(stage: str, measured: list[tuple[float, float]]) -> list[str]:
    """Medians and longest of wall and CPU milliseconds of a stage's ticks."""
    wall, cpu = np.array(measured).T
    figures = (np.median(cpu), cpu.max(), np.median(wall), wall.max())
    return [stage, str(len(measured)), *(f"{figure:.1f}" for figure in figures)]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--vertices", type=int, nargs="+", default=[57_000])
    parser.add_argument("--outputs", nargs="+", choices=OUTPUTS, default=OUTPUTS)
    options = parser.parse_args()
    print(conditions(1, "the ticks of one run"))
    header = ["stage", "ticks", "CPU median", "CPU maximum", "wall median", "wall maximum"]
    for vertex_count in options.vertices:
        for output in options.outputs:
            measured = ticks(output, vertex_count, options.frames)
            title = f"{output}, {vertex_count} vertices, {options.frames} frames; milliseconds a tick"
            print_table(title, header, [row(stage, rows) for stage, rows in measured.items()])


if __name__ == "__main__":
    main()
