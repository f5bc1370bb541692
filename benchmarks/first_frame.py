"""From Generate to the first frame that is seen, and from Cancel to a clean scene: `python -m benchmarks.first_frame`.

The whole of Generate, with the real engine on the starter model and ten seconds of speech, ticked from a timer as in
Blender's window. Cold: the engine's process is started first; warm: it has just been used. CPU is what Blender's and
the engine's processes took together, the figure to trust on a busy machine. Cancel is called in every stage: until it
returns, the scene being as before, and until the engine answers the next request.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import bpy
import numpy as np
import torch

from benchmarks.measuring import conditions, print_table
from benchmarks.stages import ten_seconds
from engine.shared.options import DEVICE, STARTER
from tests.helpers.repository import ROOT, import_from_extension

TIMER_SECONDS = 0.01  # as the operator's
LONGEST_SECONDS = 600.0
# Name, output, cells a side, denoising steps: the panel's presets.
KINDS = (
    ("Frame Meshes, Preview", "FRAME_MESHES", 64, 4),
    ("Frame Meshes, Standard", "FRAME_MESHES", 128, None),
    ("Shape Keys", "SHAPE_KEYS", 128, None),
    ("Expression Curves", "EXPRESSION_CURVES", 128, None),
)

generation = import_from_extension("facetalk_blender.generation.generation")
sound_strip = import_from_extension("facetalk_blender.sound.strip")
EngineClient = import_from_extension("facetalk_blender.engine_access.client").EngineClient


def started(client, recording: Path, output: str, resolution: int, steps: int | None):
    """A generation in an empty scene."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    strip = sound_strip.load_sound(bpy.context.scene, recording, 1)
    settings = generation.Options(output=output, resolution=resolution, steps=steps)
    return generation.Generation(client, strip, settings)


def tick_until(run, condition) -> None:
    """Work as the window does."""
    deadline = time.perf_counter() + LONGEST_SECONDS
    while not condition():
        if not run.running or time.perf_counter() > deadline:
            raise SystemExit(run.error or f"{run.state.value} has not ended")
        run.tick()
        time.sleep(TIMER_SECONDS)


def cpu_seconds(client) -> float:
    """What this process and the engine's have taken so far."""
    used = time.process_time()
    if client.alive:
        fields = Path(f"/proc/{client._process.pid}/stat").read_text().rpartition(")")[2].split()
        used += sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    return used


def first_frame(client, recording: Path, *kind) -> tuple[float, float]:
    """Wall and CPU seconds until a frame is in the scene; the generation is then cancelled."""
    before = cpu_seconds(client)
    run = started(client, recording, *kind)
    tick_until(run, lambda: run.first_frame_seconds is not None)
    seconds = run.first_frame_seconds, cpu_seconds(client) - before
    run.cancel()
    wait_for_engine(client)
    return seconds


def wait_for_engine(client) -> None:
    """Until the engine has answered a request of its own."""
    request = client.request("info", {"bundle": STARTER, "device": DEVICE})
    while (message := client.wait(LONGEST_SECONDS)) is None or message.request != request or message.kind != "done":
        pass


def cancelling(client, recording: Path, stage: str) -> tuple[float, float]:
    """Seconds that Cancel takes in a stage, and until the engine is free."""
    run = started(client, recording, "FRAME_MESHES", 128, None)
    tick_until(run, lambda: run.state.name == stage and (stage != "SURFACES" or run.written > 0))
    begun = time.perf_counter()
    run.cancel()
    seconds = time.perf_counter() - begun
    wait_for_engine(client)
    return seconds, time.perf_counter() - begun


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    frames, cancels = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        recording = ten_seconds(Path(folder))
        for _ in range(options.runs):
            for name, *kind in KINDS:
                client = EngineClient(sys.executable, ROOT)
                for warmth in ("cold", "warm"):
                    frames.setdefault((name, warmth), []).append(first_frame(client, recording, *kind))
                client.stop()
            client = EngineClient(sys.executable, ROOT)
            for stage in ("LOAD", "SAMPLE", "SURFACES"):
                cancels.setdefault(stage, []).append(cancelling(client, recording, stage))
            client.stop()
    print(conditions(torch.get_num_threads(), f"{options.runs} runs"))
    print_table("Seconds until the first frame", *frame_table(frames))
    print_table("Seconds that Cancel takes", *cancel_table(cancels))


def frame_table(frames: dict[tuple[str, str], list[tuple[float, float]]]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of wall and CPU seconds (2,) of each run, by output and "cold" or "warm"."""
    medians = {kind: np.median(runs, axis=0) for kind, runs in frames.items()}
    rows = [
        [name, *(f"{value:.1f}" for warmth in ("cold", "warm") for value in medians[name, warmth])]
        for name, *_ in KINDS
    ]
    return ["output", "cold: wall", "CPU", "warm: wall", "CPU"], rows


def cancel_table(cancels: dict[str, list[tuple[float, float]]]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of seconds (2,) of each run until the scene is clean and until the engine is free, by stage."""
    rows = []
    for stage, runs in cancels.items():
        clean, free = np.transpose(runs)
        text = generation.State[stage].value.lower()
        rows.append([text, f"{np.median(clean):.3f}", f"{clean.max():.3f}", f"{np.median(free):.2f}"])
    header = ["cancelled while", "until the scene is clean", "the longest", "until the engine is free"]
    return header, rows


if __name__ == "__main__":
    main()
