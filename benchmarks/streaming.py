"""How long Blender's main thread is held per tick while frame meshes stream in.

    python -m benchmarks.streaming [--frames 40] [--vertices 10000 40000 60000 160000]

A replayed engine, so that only Blender's side is measured. Ticks come from a timer as in Blender; those in which there
was nothing to do are left out. Wall and CPU milliseconds of the main thread (CPU is the figure to trust on a busy
machine), and the stage in which the longest tick lay.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import types
import wave
from pathlib import Path

import bpy
import numpy as np

from engine.protocol import Message

ROOT = Path(__file__).resolve().parent.parent
TIMER_SECONDS, IDLE_SECONDS = 0.01, 0.0002
REGION_NAMES = ["skin", "lips", "sclera", "iris", "pupil", "teeth", "gums", "tongue", "mouth_cavity", "brows"]


class ReplayedEngine:
    """Answers as the engine does, with one prepared surface for every frame."""

    def __init__(self, surface: dict[str, np.ndarray]):
        self._surface = surface
        self._messages: list[Message] = []

    def start(self) -> None:
        """Nothing to start."""

    def request(self, kind: str, _fields: dict, arrays: dict | None = None) -> int:
        """Queue all answers at once: the fastest engine there could be."""
        answers = []
        if kind == "sample":
            arrays = {"codes": np.zeros((24, 200), "f4"), "weights": np.zeros((24, 52), "f4")}
            arrays["lip_opening_mm"] = np.zeros(24, "f4")
            answers = [Message("take", 1, {"rate": 24.0, "seed": 0, "weight_names": []}, arrays)]
        elif kind == "surfaces":
            names = {"region_names": REGION_NAMES}
            answers = [Message("surface", 1, {"index": i} | names, self._surface) for i in range(len(arrays["times"]))]
        self._messages = [*answers, Message("done", 1)]
        return 1

    def poll(self) -> Message | None:
        """The next answer."""
        return self._messages.pop(0) if self._messages else None


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


def measure(vertex_count: int, frames: int) -> None:
    """Print one line: milliseconds per tick for meshes of that size."""
    from facetalk_extension.facetalk_blender import generation, sound_strip

    bpy.ops.wm.read_factory_settings(use_empty=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "silence.wav")
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(b"\0\0" * int(16000 * frames / 24))
        strip = sound_strip.load_sound(bpy.context.scene, path, 1)
        run = generation.Generation(ReplayedEngine(sphere(vertex_count)), strip, generation.Settings())
        ticks = []
        while run.running:
            stage = run.state.name, run.written
            begin = time.perf_counter(), time.thread_time()
            run.tick()
            ticks.append((time.perf_counter() - begin[0], time.thread_time() - begin[1], stage))
            time.sleep(TIMER_SECONDS)
    busy = [tick for tick in ticks if tick[0] > IDLE_SECONDS]
    wall, cpu = ([1e3 * tick[column] for tick in busy] for column in (0, 1))
    figures = [function(values) for values in (wall, cpu) for function in (np.median, np.max)]
    stage, written = max(busy, key=lambda tick: tick[1])[2]
    print(f"{vertex_count:>8}  " + "  ".join(f"{figure:9.1f}" for figure in figures) + f"   {stage} {written}")


def main() -> None:
    """Measure every size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--vertices", type=int, nargs="+", default=[10_000, 40_000, 60_000, 160_000])
    options = parser.parse_args()
    package = sys.modules["facetalk_extension"] = types.ModuleType("facetalk_extension")
    package.__path__ = [str(ROOT)]
    print(f"{'vertices':>8}  {'wall med':>9}  {'wall max':>9}  {'CPU med':>9}  {'CPU max':>9}   ms per tick; stage and frames written at the longest")
    for vertex_count in options.vertices:
        measure(vertex_count, options.frames)


if __name__ == "__main__":
    main()
