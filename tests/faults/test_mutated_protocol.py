"""Damaged streams and messages that say something else, both ways: every request ends, and nothing else happens."""

import io
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scripted_shapes
from blender_scene import bpy, speaking_strip
from fault_counts import amount, count
from mutated_messages import mutated, mutated_bytes
from repository import ROOT, SCRIPTED_ENGINE, import_from_extension

from engine.process import EngineProcess
from engine.shared.protocol import FINAL_KINDS, Message, ProtocolError, read_message, write_message

pytestmark = pytest.mark.slow

client_module = import_from_extension("facetalk_blender.engine_access.client")
generation = import_from_extension("facetalk_blender.generation.generation")
STREAMS = amount(300, 10_000)


def stream_of(messages):
    stream = io.BytesIO()
    for message in messages:
        write_message(stream, message)
    return stream.getvalue()


def answers():
    fields, arrays = scripted_shapes.template()
    return [
        Message("info", 1, {"bundle": "b"}),
        Message("template", 1, fields, arrays),
        Message("positions", 1, {"index": 0}, {"vertices": scripted_shapes.positions(0)}),
        Message("take", 1, {"rate": 24.0, "seed": 0}, scripted_shapes.take(0.2)),
        Message("done", 1),
    ]


def test_damaged_requests_are_told_by_the_reader():
    random = np.random.default_rng(1)
    whole = stream_of(answers())
    refused = 0
    for _ in range(STREAMS):
        stream = io.BytesIO(mutated_bytes(whole, random))
        try:
            while read_message(stream) is not None:
                pass
        except ProtocolError:
            refused += 1
    count(f"damaged streams read by the engine: {STREAMS}, {refused} refused, none with another error")


def ends(case):
    """The seconds that a client takes to end a request whose answers are in a file, and how it ends."""
    path = case
    client = client_module.EngineClient(sys.executable, ROOT)
    client._command = ["cat", str(path)]
    client.start()
    client.request("info", {})
    begin = time.monotonic()
    kind = ""
    while kind not in FINAL_KINDS:
        message = client.wait(1.0)
        kind = "" if message is None else message.kind
        if time.monotonic() - begin > 10:
            break
    client.stop()
    return time.monotonic() - begin, kind


def test_damaged_answers_end_their_request(tmp_path):
    random = np.random.default_rng(2)
    whole = stream_of(answers())
    paths = [tmp_path / str(number) for number in range(amount(300, 3000))]
    for path in paths:
        path.write_bytes(mutated_bytes(whole, random))
    with ThreadPoolExecutor(max_workers=6) as pool:
        results = list(pool.map(ends, paths))
    assert all(kind in FINAL_KINDS for _, kind in results)
    slowest = max(seconds for seconds, _ in results)
    count(f"damaged streams read by Blender's client: {len(paths)}, all requests ended, the slowest in {slowest:.1f} s")
    assert slowest < 10


def requests(random):
    codes = (0.1 * random.standard_normal((2, 200))).astype(np.float32)
    common = {"bundle": "starter", "device": "cpu"}
    style = {"style": {"jaw": 1.0}} if random.random() < 0.2 else {}
    yield Message("info", 1, common)
    yield Message("head", 2, common | {"identity": "random:3+jaw_width=1", "with_template": False})
    yield Message("shape_keys", 3, common | {"rate": 24.0, "identity": "mean"} | style, {"codes": codes})
    times = np.zeros(1, np.float32)
    fields = {"rate": 24.0, "resolution": 64, "identity": "mean"}
    yield Message("surfaces", 4, common | fields, {"codes": codes, "times": times})
    sampler = {"audio": str(ROOT / "demo" / "voice.wav"), "duration": 0.2, "seed": 1, "steps": 1, "strength": 1.0}
    yield Message("sample", 5, common | sampler, {})
    keep = {"keep": np.zeros((5, 200), np.float32)}
    yield Message("sample", 6, common | sampler | {"resample": [1, 3]}, keep)
    yield Message("import", 7, {"model": "auto", "sources": ["/nowhere"], "output": "/nowhere/else", "anchors": None})


def test_requests_that_say_something_else_are_answered_once():
    random = np.random.default_rng(3)
    unexpected, total = [], 0
    while total < amount(40, 1500):
        for request in requests(random):
            output = io.BytesIO()
            process_of(output).run(mutated(request, random, 1.0, kinds=()))
            output.seek(0)
            found = []
            while (message := read_message(output)) is not None:
                found.append(message)
            assert [message.kind in FINAL_KINDS for message in found] == [False] * (len(found) - 1) + [True]
            text = found[-1].fields.get("message", "")
            if "unexpectedly" in text:
                unexpected.append((request.kind, text))
            total += 1
    assert unexpected == []
    count(f"requests that say something else: {total}, each answered once")


ENGINE = EngineProcess(io.BytesIO())


def process_of(output):
    """An engine that keeps its loaded model from one case to the next."""
    process = EngineProcess(output)
    process._engines = ENGINE._engines
    return process


def test_answers_that_say_something_else_end_a_generation(scene, tmp_path):
    strip = speaking_strip(scene, tmp_path, seconds=0.2)
    states = {}
    total = amount(30, 600)
    for seed in range(total):
        output = ("FRAME_MESHES", "SHAPE_KEYS", "EXPRESSION_CURVES")[seed % 3]
        client = client_module.EngineClient(sys.executable, SCRIPTED_ENGINE)
        client._command[:0] = ["env", f"SCRIPTED_NONSENSE={seed}"]
        run = generation.Generation(client, strip, generation.Options(output=output))
        begin, cancelled = time.monotonic(), False
        while run.tick(0.05):
            if time.monotonic() - begin > 8 and not cancelled:
                cancelled = True  # an answer was left out, and the engine is well: a person would cancel
                run.cancel()
            assert time.monotonic() - begin < 20, (seed, output, run.state)
            time.sleep(0.001)
        client.stop()
        name = run.state.name + (" by hand" if cancelled else "")
        states[name] = states.get(name, 0) + 1
        for item in list(scene.objects):
            bpy.data.objects.remove(item)
    shown = ", ".join(f"{number} {name.lower()}" for name, number in sorted(states.items()))
    count(f"generations whose engine says something else: {total}, {shown}")
