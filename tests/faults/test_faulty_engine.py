"""An engine that exits, crashes, stops, goes deaf or talks nonsense after any message: every request ends.

FACETALK_FAULTS=long tries every fault after every message, else each after some.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from blender_scene import bpy, speaking_strip
from fault_counts import LONG, count
from repository import SCRIPTED_ENGINE, import_from_extension

pytestmark = pytest.mark.slow

client_module = import_from_extension("facetalk_blender.engine_access.client")
generation = import_from_extension("facetalk_blender.generation.generation")
LIMIT = 5.0  # seconds from the fault to the last message
CODES = np.zeros((3, 4), np.float32)
REQUESTS = {
    "info": ({}, {}),
    "sample": ({"duration": 0.2, "seed": 0}, {}),
    "surfaces": ({}, {"times": np.arange(3, dtype=np.float32), "codes": CODES}),
    "shape_keys": ({}, {"codes": CODES}),
    "head": ({"identity": "mean", "with_template": True}, {}),
    "arkit_shapes": ({}, {}),
}
QUICK_FAULTS = ("exit", "crash", "nonsense", "huge", "deep", "quiet")
SLOW_FAULTS = ("stop", "half")
MESSAGES = {"info": 2, "sample": 3, "surfaces": 7, "shape_keys": 8, "head": 2, "arkit_shapes": 116}


def cases():
    for kind, total in MESSAGES.items():
        step = 1 if LONG else max(total // 3, 1)
        for fault in (*QUICK_FAULTS, *SLOW_FAULTS):
            yield from ((kind, fault, after) for after in range(0, total, step))


def faulty_client(fault, after):
    client = client_module.EngineClient(sys.executable, SCRIPTED_ENGINE)
    client._command[:0] = ["env", f"SCRIPTED_FAULT={fault}:{after}"]
    client.start()
    return client


def ends(kind, fault, after):
    """The seconds from the last message before the fault to the end of the request, and what is said."""
    client = faulty_client(fault, after)
    fields, arrays = REQUESTS[kind]
    number = client.request(kind, {"bundle": "starter"} | fields, arrays)
    begin = time.monotonic()
    found = []
    while not found or found[-1].kind not in ("done", "cancelled", "error"):
        message = client.wait(0.2)
        if message is not None:
            found.append(message)
            if message.kind != "error":
                begin = time.monotonic()
        if time.monotonic() - begin > 4 * LIMIT:
            break
    seconds = time.monotonic() - begin
    again = client.request("info", {"bundle": "starter"})  # on the dead connection: an error at once, no hang
    answer = client.wait(LIMIT)
    client.stop()
    assert found[-1].request == number
    assert answer is not None and answer.request == again and answer.kind == "error"
    return seconds, len(found) - 1, found[-1]


def test_every_request_ends_after_every_fault():
    todo = list(cases())
    with ThreadPoolExecutor(max_workers=8) as pool:
        results = list(pool.map(lambda case: ends(*case), todo))
    for case, (_, received, last) in zip(todo, results, strict=True):
        assert last.kind == "error", case
        assert received == case[2], case
        assert last.fields["message"].endswith(("so start the job again.", "if memory ran out.")), case
    slowest = max(seconds for seconds, _, _ in results)
    count(f"faults of the engine: {len(todo)} in requests, all ended, at the latest {slowest:.1f} s after the fault")
    assert slowest < (LIMIT if LONG else 2 * LIMIT)


@pytest.mark.parametrize("fault", ["stop", "deaf"])
def test_an_engine_that_ignores_a_cancel_is_replaced(fault, monkeypatch):
    monkeypatch.setattr(client_module, "CANCEL_SECONDS", 5.0)
    client = faulty_client(fault, 1)
    client._command[1] = "SCRIPTED_FAULT="
    begin = time.monotonic()
    first = client.request("shape_keys", {"bundle": "starter"}, {"codes": CODES})
    assert client.wait(30).kind == "template"
    number = client._process.pid
    client.cancel(first)
    second = client.request("info", {"bundle": "starter"})
    kinds = []
    while not kinds or kinds[-1] != (second, "done"):
        message = client.wait(40)
        assert message is not None
        kinds.append((message.request, message.kind))
    assert (first, "cancelled") in kinds
    assert client._process.pid != number
    assert time.monotonic() - begin < 20
    client.stop()


def test_a_large_request_does_not_hold_up_its_sender():
    client = faulty_client("stop", 0)
    client.request("info", {"bundle": "starter"})
    time.sleep(1.0)  # it reads nothing any more
    begin = time.monotonic()
    client.request("surfaces", {"bundle": "starter"}, {"codes": np.zeros((20000, 200), np.float32)})
    assert time.monotonic() - begin < 0.5
    client.stop()


def generations():
    """Every fault after every message of every output, as (output, fault, after)."""
    counts = {"FRAME_MESHES": 5 + 2 * 5, "SHAPE_KEYS": 5 + 1 + 2 * 5, "EXPRESSION_CURVES": 5 + 1 + 104}
    for output, total in counts.items():
        step = 1 if LONG else (3 if total < 20 else 40)
        faults = (*QUICK_FAULTS, *SLOW_FAULTS) if LONG else ("exit", "nonsense")
        yield from ((output, fault, after) for fault in faults for after in range(0, total, step))


def test_every_generation_ends_after_every_fault(scene, tmp_path):
    strip = speaking_strip(scene, tmp_path, seconds=0.2)
    todo = list(generations())
    if not LONG:
        todo += [("FRAME_MESHES", fault, after) for fault in SLOW_FAULTS for after in (4, 7)]
    slowest = 0.0
    for output, fault, after in todo:
        client = faulty_client(fault, after)
        run = generation.Generation(client, strip, generation.Options(output=output))
        begin, before = time.monotonic(), -1
        while run.tick(0.05):
            if (now := (run.state, run.written, run.fraction)) != before:
                begin, before = time.monotonic(), now
            assert time.monotonic() - begin < 4 * LIMIT, (output, fault, after, run.state)
            time.sleep(0.001)
        slowest = max(slowest, time.monotonic() - begin)
        client.stop()
        assert run.state is generation.State.FAILED, (output, fault, after)
        assert run.error, (output, fault, after)
        for item in list(scene.objects):
            bpy.data.objects.remove(item)
    count(f"faults of the engine: {len(todo)} in generations, all ended, at the latest after {slowest:.1f} s")
