"""Answers requests as the engine does, with shapes known in closed form (`scripted_shapes`).

The bundle name chooses how it behaves: "starter" is good; "slow" waits before every frame; "paced" takes
the times of PACED; "nods" gives takes a head pose, which is their seed; "dies-after-N" kills the
process after N frames; "short" leaves frames out; "fails" answers sample with an error; "reads-nothing" takes only
samples; "garbled" sends a surface without arrays; "outdated" says that it is an older version.

The variable SCRIPTED_FAULT, e.g. "stop:3", names a fault of FAULTS that follows the third message; SCRIPTED_NONSENSE
is the seed of random changes of what messages say, see `mutated_messages`.
"""

import importlib.util
import os
import queue
import signal
import struct
import sys
import threading
import time
from pathlib import Path

import numpy as np

HELPERS = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HELPERS))
specification = importlib.util.spec_from_file_location("protocol", HELPERS.parents[1] / "engine/shared/protocol.py")
protocol = sys.modules["protocol"] = importlib.util.module_from_spec(specification)
specification.loader.exec_module(protocol)
shapes = importlib.import_module("scripted_shapes")
mutated_messages = importlib.import_module("mutated_messages")

SLOW_SECONDS = 0.05
# Seconds: to load, once; for a second of sound; for a frame, by its resolution; for a key of either kind.
PACED = {"load": 2.0, "sample": 0.5, 64: 0.1, 128: 0.31, "key": 0.15}
loaded = []
cancelled = set()


def raw(data):
    output.write(data)
    output.flush()


def deaf():
    while True:
        protocol.write_message(output, protocol.Message("alive", 0))
        time.sleep(0.5)


HEADER = b'{"kind": "surface", "request": 1, "fields": {}, "arrays": %s}'
FAULTS = {
    "exit": lambda: os._exit(0),
    "crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "deaf": deaf,  # shows life, but answers nothing any more, not even a cancel
    "nonsense": lambda: raw(b"Segmentation fault? " * 10),
    "half": lambda: (raw(b"FTK1" + struct.pack("<I", 5000) + b"{"), time.sleep(600)),
    "huge": lambda: raw(framed(HEADER % b'[{"name": "a", "dtype": "<f4", "shape": [1000000, 1000000]}]')),
    "deep": lambda: raw(framed(HEADER % (b"[" * 100000 + b"]" * 100000))),
    "quiet": lambda: (output.close(), os.close(1), time.sleep(600)),  # closes its output and stays
}
fault, fault_after = (os.environ.get("SCRIPTED_FAULT", "") + ":0").split(":")[:2]
written = 0
nonsense = np.random.default_rng(int(seed)) if (seed := os.environ.get("SCRIPTED_NONSENSE")) else None


def framed(header):
    return b"FTK1" + struct.pack("<I", len(header)) + header


def write(kind, request, fields=None, arrays=None):
    global written
    message = protocol.Message(kind, request, fields or {}, arrays or {})
    if nonsense is not None:
        message = mutated_messages.mutated(message, nonsense)
    protocol.write_message(output, message)
    written += 1
    if fault and written == int(fault_after):
        FAULTS[fault]()


def sample(message):
    fields = message.fields
    if fields["bundle"] == "fails":
        return "The recording is empty; choose another recording."
    if fields["bundle"] == "reads-nothing" and "samples" not in message.arrays:
        return "tone.wav is damaged; convert it."
    write("progress", message.request, {"stage": "Sampling expression codes", "fraction": 0.5})
    if fields["bundle"] == "paced":
        time.sleep(PACED["sample"] * fields["duration"] + (0.0 if loaded else PACED["load"]))
        loaded.append(True)
    samples = message.arrays.get("samples")
    take = shapes.take(fields["duration"] if samples is None else len(samples) / fields["samples_rate"])
    if fields["bundle"] == "nods":
        take["pose"] = np.full((len(take["codes"]), 6), fields["seed"], np.float32)
    if "keep" in message.arrays:
        start, end = fields["resample"]
        codes = message.arrays["keep"].copy()
        codes[start:end, 1] = fields["seed"]
        take["codes"] = codes
    if "keep_pose" in message.arrays:
        pose = message.arrays["keep_pose"].copy()
        pose[start:end] = fields["seed"]
        take["pose"] = pose
    facts = {"rate": shapes.RATE, "seed": fields.get("seed", 0), "weight_names": shapes.WEIGHT_NAMES, "provenance": {}}
    write("take", message.request, facts, take)
    return ""


def weights(message):
    given = message.arrays["weights"]
    take = {"codes": given.copy(), "weights": given, "lip_opening_mm": given[:, 17].copy()}
    write("take", message.request, {"rate": message.fields["rate"], "seed": 0, "weight_names": []}, take)


def frames(message, count, kind, make):
    bundle = message.fields["bundle"]
    for index in range(count - 1 if bundle == "short" else count):
        if message.request in cancelled:
            return False
        if bundle == f"dies-after-{index}":
            os.kill(os.getpid(), signal.SIGKILL)
        if bundle == "slow":
            time.sleep(SLOW_SECONDS)
        if bundle == "paced":
            time.sleep(PACED[message.fields.get("resolution", "key")])
        fields, arrays = make(index)
        write(kind, message.request, {"index": index} | fields, {} if bundle == "garbled" else arrays)
        write("progress", message.request, {"stage": "Extracting surfaces", "fraction": (index + 1) / count})
    return True


def answer(message):
    if fault and written == int(fault_after):
        FAULTS[fault]()
    kind, complete, error = message.kind, True, ""
    if kind == "info":
        facts = {"version": "0.0.0"} if message.fields["bundle"] == "outdated" else {}
        write("info", message.request, {"device": "cpu", "versions": {}, "bundle": "scripted"} | facts)
    elif kind == "sample":
        error = sample(message)
    elif kind == "weights":
        weights(message)
    elif kind == "feeling":
        if message.fields["bundle"] == "reads-nothing" and "samples" not in message.arrays:
            error = "tone.wav is damaged; convert it."
        else:
            controls = {"joy": 0.6, "energy": 0.25}
            found = (("joy", {"joy": 0.5, "energy": 0.25}), ("neutral", {"energy": -0.5}))
            phrases = [
                {"start": i, "end": i + 0.75, "emotion": emotion, "controls": asked}
                for i, (emotion, asked) in enumerate(found)
            ]
            facts = {"emotion": "joy", "controls": controls, "deviations": {"pitch": 1.4}, "phrases": phrases}
            write("feeling", message.request, facts)
    elif kind == "surfaces":
        complete = frames(message, len(message.arrays["times"]), "surface", shapes.surface)
    elif kind == "shape_keys":
        fields, arrays = shapes.template()
        write("template", message.request, fields, arrays)
        count = len(message.arrays["codes"])
        complete = frames(message, count, "positions", lambda i: ({}, {"vertices": shapes.positions(i)}))
    elif kind == "arkit_shapes":
        fields, arrays = shapes.template()
        write("template", message.request, fields, arrays)
        complete = frames(message, 57, "positions", lambda i: ({}, {"vertices": shapes.arkit_shape(i)}))
    elif kind == "head":
        fields, arrays = shapes.template()
        identity = message.fields["identity"]
        code = np.frombuffer(identity.encode(), np.uint8).astype(np.float32)
        error = "There is no such head; reset it." if "nobody" in identity else ""
        if not error:
            write("head", message.request, fields, {"code": code} | (arrays if message.fields["with_template"] else {}))
    if error:
        cause = {"cause": "sound"} if message.fields["bundle"] == "reads-nothing" else {}
        write("error", message.request, {"message": error} | cause)
    else:
        write("done" if complete else "cancelled", message.request)


def read_requests():
    while (message := protocol.read_message(sys.stdin.buffer)) is not None:
        cancelled.add(message.request) if message.kind == "cancel" else requests.put(message)
    os._exit(0)


output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
requests = queue.Queue()
threading.Thread(target=read_requests, daemon=True).start()
while True:
    answer(requests.get())
