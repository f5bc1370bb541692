"""How well the panel's promise before a first run holds: `python -m benchmarks.promises [--runs 5]`.

In each run the engine is measured in the background as after an installation, each output's time and memory are told
from that alone, and then each is made with the real engine, ticked from a timer as in Blender's window. Cold: the
engine's process is started by Generate; warm: it has just been used. Told and true are of the same minutes, so their
ratio means something on a busy machine too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import bpy
import numpy as np
import soundfile
import torch

from benchmarks.measuring import conditions, print_table, spread
from engine.shared.options import DEVICE, STARTER
from tests.helpers.repository import ROOT, import_from_extension

TIMER_SECONDS = 0.01  # as the operator's
# Name, output, points a side, seconds of speech: so that all take their share of a run.
KINDS = (
    ("Expression Curves", "EXPRESSION_CURVES", 128, 4.5),
    ("Shape Keys", "SHAPE_KEYS", 128, 4.5),
    ("Frame Meshes, 64 points a side", "FRAME_MESHES", 64, 0.5),
    ("Frame Meshes, 128 points a side", "FRAME_MESHES", 128, 0.25),
    ("Frame Meshes, 256 points a side", "FRAME_MESHES", 256, 0.125),
)

costs = import_from_extension("facetalk_blender.generation.costs")
generation = import_from_extension("facetalk_blender.generation.generation")
pace = import_from_extension("facetalk_blender.generation.pace")
runtime = import_from_extension("facetalk_blender.engine_access.runtime")
session = import_from_extension("facetalk_blender.generation.session").session
sound_strip = import_from_extension("facetalk_blender.sound.strip")
EngineClient = import_from_extension("facetalk_blender.engine_access.client").EngineClient


def engine_parts() -> dict:
    """What the measurement in the background finds now, by workload."""
    measurement = pace.PaceMeasurement(runtime.Runtime(sys.executable, (), ""), ROOT, STARTER, DEVICE)
    measurement.start()
    measurement.wait()
    if measurement.error:
        raise SystemExit(measurement.error)
    return {costs.Workload(DEVICE, output, 0).engine: cost for output, cost in measurement.costs.items()}


def told(folder: Path, parts: dict, output: str, resolution: int):
    """The cost that is told when no run has been measured yet. folder: where costs are kept."""
    (folder / "measured" / costs.FILE_NAME).unlink(missing_ok=True)
    session.costs.clear()
    session.costs.remember_all(parts)
    return session.costs.expected(costs.Workload(DEVICE, output, resolution))


def made(client, recording: Path, output: str, resolution: int):
    """A generation that has come to its end, in an empty scene."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    strip = sound_strip.load_sound(bpy.context.scene, recording, 1)
    run = generation.Generation(client, strip, generation.Options(output=output, resolution=resolution))
    while run.running:
        run.tick()
        time.sleep(TIMER_SECONDS)
    if run.error:
        raise SystemExit(run.error)
    return run


def promises(folder: Path, parts: dict, output: str, resolution: int, seconds: float) -> dict[str, tuple]:
    """What is told and what is true, of one output: seconds cold and warm, bytes."""
    cost = told(folder, parts, output, resolution)
    client, recording, found = EngineClient(sys.executable, ROOT), excerpt(folder, seconds), {}
    for warmth in ("cold", "warm"):
        start = client.start_left(cost.start)
        run = made(client, recording, output, resolution)
        writer = run._stream.writer
        # Of shape keys, there is one for each code; of curves, what is told counts the frames.
        promised = start + cost.warm_seconds(run.clip.duration, writer.frame_count)
        found[warmth] = promised, sum(run.seconds.values())
    found["memory"] = cost.bytes(writer.frame_count), writer.size()
    client.stop()
    return found


def excerpt(folder: Path, seconds: float) -> Path:
    """The first seconds of the demo's recording."""
    samples, rate = soundfile.read(ROOT / "demo" / "voice.wav")
    path = folder / f"{seconds}.wav"
    soundfile.write(path, samples[: round(seconds * rate)], rate)
    return path


def rows(found: dict[str, list[dict[str, tuple[float, float]]]]) -> list[list[str]]:
    """A row for each output: what was told by what was true, as the median and the range of the runs."""
    table = []
    for name, runs in found.items():
        true = {kind: np.median([run[kind][1] for run in runs]) for kind in ("cold", "warm")}
        ratios = [spread([run[kind][0] / run[kind][1] for run in runs]) for kind in ("cold", "warm", "memory")]
        table.append([name, f"{true['cold']:.1f}", ratios[0], f"{true['warm']:.1f}", *ratios[1:]])
    return table


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    names = [name for name, *_ in KINDS]
    parser.add_argument("--outputs", nargs="+", choices=names, default=names)
    options = parser.parse_args()
    found: dict[str, list] = {}
    with tempfile.TemporaryDirectory() as folder:
        costs.user_folder = lambda name: Path(folder) / name  # what this computer has remembered stays out
        for _ in range(options.runs):
            parts = engine_parts()
            for name, *kind in KINDS:
                if name in options.outputs:
                    found.setdefault(name, []).append(promises(Path(folder), parts, *kind))
    print(conditions(torch.get_num_threads(), f"{options.runs} runs, least and greatest in brackets"))
    header = ["output", "cold: seconds", "told / true", "warm: seconds", "told / true", "memory, told / true"]
    print_table("What the panel tells before the first run", header, rows(found))


if __name__ == "__main__":
    main()
