"""Times of every stage of the engine, as Blender sees them: `python -m benchmarks.stages [--runs 3]`.

Each row is the median of the runs (least to greatest in brackets). The engine runs in its own process, on the starter
model and the demo's recording repeated to ten seconds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import torch

from benchmarks.measuring import conditions, print_table, spread
from engine.shared.options import RESOLUTIONS
from tests.helpers.repository import ROOT, import_from_extension

SECONDS = 10
FRAMES = 8


def answers(client, kind: str, fields: dict, arrays: dict | None = None) -> list[tuple[float, object]]:
    """Seconds since the request and message, for every answer."""
    started = time.perf_counter()
    request = client.request(kind, fields, arrays)
    received = []
    while True:
        message = client.wait(600)
        if message is None or message.kind == "error":
            raise SystemExit(f"{kind}: {message.fields['message'] if message else 'no answer'}")
        if message.request == request:
            received.append((time.perf_counter() - started, message))
            if message.kind == "done":
                return received


def measure(recording: Path) -> dict[str, float]:
    """Seconds of every stage in one engine process."""
    times: dict[str, float] = {}
    client = import_from_extension("facetalk_blender.engine_access.client").EngineClient(sys.executable, ROOT)
    begun = time.perf_counter()
    client.start()
    sample = {"audio": str(recording), "seed": 0}
    take = next(m for _, m in answers(client, "sample", sample) if m.kind == "take")
    times["engine start, model loading and 10 s of audio to codes"] = time.perf_counter() - begun
    times["audio to codes, 10 s, warm"] = answers(client, "sample", sample)[-1][0]
    codes, rate = take.arrays["codes"], take.fields["rate"]
    for resolution in RESOLUTIONS:
        frames = np.linspace(0, len(codes) / rate, FRAMES, endpoint=False)
        fields = {"rate": rate, "resolution": resolution, "identity": "mean"}
        received = answers(client, "surfaces", fields, {"codes": codes, "times": frames})
        arrived = [seconds for seconds, message in received if message.kind == "surface"]
        times[f"frame meshes, {resolution} cells: first frame"] = arrived[0]
        times[f"frame meshes, {resolution} cells: each further frame"] = (arrived[-1] - arrived[0]) / (len(arrived) - 1)
    received = answers(client, "shape_keys", {"rate": rate, "identity": "mean"}, {"codes": codes})
    keyed = [seconds for seconds, message in received if message.kind == "positions"]
    times["shape keys: first key"] = keyed[0]
    times["shape keys: each further key"] = (keyed[-1] - keyed[0]) / (len(keyed) - 1)
    memory = Path(f"/proc/{client._process.pid}/status")
    if memory.exists():
        peak = next(line for line in memory.read_text().splitlines() if line.startswith("VmHWM"))
        times["peak memory of the engine, MB"] = int(peak.split()[1]) / 1024
    client.stop()
    return times


def ten_seconds(folder: Path) -> Path:
    """The demo's recording, repeated, as a file in the folder."""
    samples, rate = soundfile.read(ROOT / "demo" / "voice.wav")
    recording = folder / "ten_seconds.wav"
    soundfile.write(recording, np.resize(samples, SECONDS * rate), rate)
    return recording


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        recording = ten_seconds(Path(folder))
        runs = [measure(recording) for _ in range(options.runs)]
    print(conditions(torch.get_num_threads(), f"{options.runs} runs"))
    rows = [[stage, spread([run[stage] for run in runs])] for stage in runs[0]]
    print_table("The starter model, ten seconds of speech", ["stage", "seconds"], rows)


if __name__ == "__main__":
    main()
