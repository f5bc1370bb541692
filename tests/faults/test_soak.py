"""Many generations whose results and takes are removed: the memory of Blender and of its engine stays as it is."""

import sys
from pathlib import Path

import numpy as np
import pytest
from blender_scene import bpy, generate, speaking_strip
from fault_counts import LONG, amount, count
from repository import ROOT, SCRIPTED_ENGINE, import_from_extension

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc"),
]
removal = import_from_extension("facetalk_blender.outputs.removal")
take = import_from_extension("facetalk_blender.takes.take")
OUTPUTS = ("FRAME_MESHES", "SHAPE_KEYS", "EXPRESSION_CURVES")
SETTLED = 10  # generations after which nothing more is loaded or cached for the first time
GROWTH = 0.05


def resident(process):
    """Megabytes of memory of a process."""
    status = Path("/proc", str(process), "status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def test_generations_do_not_add_up(scene, tmp_path):
    """Long: the real engine and the built-in model; short: the scripted engine."""
    client_module = import_from_extension("facetalk_blender.engine_access.client")
    client = client_module.EngineClient(sys.executable, ROOT if LONG else SCRIPTED_ENGINE)
    strip = speaking_strip(scene, tmp_path, seconds=0.5)
    memory = []
    try:
        for number in range(amount(16, 30)):
            run = generate(client, strip, output=OUTPUTS[number % 3], resolution=64)
            assert run.state.name == "DONE", run.error
            head = bpy.data.objects[run.result_name]
            bpy.data.texts.remove(take.text_of(head))
            removal.remove_result(head)
            bpy.data.orphans_purge(do_recursive=True)
            memory.append((resident("self"), resident(client._process.pid)))
    finally:
        client.stop()
    # The median of one round of outputs: what a single one needs for a moment is no growth.
    settled, final = np.median(memory[SETTLED - 3 : SETTLED], 0), np.median(memory[-3:], 0)
    growth = final / settled - 1
    count(f"{len(memory)} generations: Blender {growth[0]:+.1%} and engine {growth[1]:+.1%} memory after the tenth")
    assert (growth < GROWTH).all(), memory
