"""Files that others may have made, damaged or malicious: only EngineError, 4 GB of memory, 20 seconds.

A child process reads them all, so that a crash, a hang or running out of memory shows as such.
"""

import base64
import json
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from fault_counts import LONG, amount, count
from repository import HELPERS, PARITY
from safetensors.torch import save_file

from engine.motion.codes import ExpressionTake

pytestmark = pytest.mark.slow

READER = """
import resource, signal, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from repository import ROOT, import_from_extension
sys.path.insert(0, str(ROOT))
from engine import Engine
from engine.bundle import Bundle
from engine.importing.nphm import import_nphm
from engine.importing.wav2vec2 import import_wav2vec2
from engine.importing.checkpoint import named_tensors, read_anchors, read_checkpoint, read_settings
from engine.motion.codes import ExpressionTake
from engine.shared.errors import EngineError
kind, folder = sys.argv[2], Path(sys.argv[3])
starter = Engine.load("starter", "cpu")


def whole_bundle(path):
    engine = Engine.load(path, "cpu")
    engine.info()
    engine.head
    if not engine.bundle.missing("sample"):
        engine._speech, engine._decoder, engine._temperature, engine._refinement


def blender_take(path):
    import types
    take = import_from_extension("facetalk_blender.takes.take")
    import bpy
    text = bpy.data.texts.new("take")
    text.from_string(path.read_text("utf-8", "surrogateescape").encode("utf-8", "replace").decode())
    try:
        take.load(text)
    except Exception as error:
        if type(error).__name__ != "EngineError":
            raise
        raise EngineError from error


def of_blender(name, function):
    def read(path):
        found = getattr(import_from_extension(name), function)
        try:
            found(path)
        except Exception as error:
            if type(error).__name__ != "EngineError":
                raise
            raise EngineError from error
    return read


READERS = {
    "take": ExpressionTake.load,
    "identity": lambda path: starter.identity_code(str(path)),
    "anchors": read_anchors,
    "settings": read_settings,
    "checkpoint": lambda path: named_tensors(read_checkpoint(path), path),
    "bundle": whole_bundle,
    "blender_take": blender_take,
    "preset": of_blender("facetalk_blender.outputs.curves.presets", "load"),
    "costs": of_blender("facetalk_blender.generation.costs", "_read"),
}
starter.identity_code("mean")
if kind == "bundle":
    whole_bundle(ROOT / "engine" / "starter")
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (4 << 30), resource.RLIM_INFINITY))
refused = taken = 0
slowest = 0.0
for path in sorted(folder.iterdir()):
    # CPU time: a busy machine is no fault.
    signal.setitimer(signal.ITIMER_PROF, 20.0)
    begin = time.process_time()
    try:
        READERS[kind](path)
        taken += 1
    except EngineError:
        refused += 1
    except BaseException as error:
        print("WRONG", path.name, type(error).__name__, str(error)[:200], flush=True)
        import traceback; traceback.print_exc()
    signal.setitimer(signal.ITIMER_PROF, 0.0)
    slowest = max(slowest, time.process_time() - begin)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{kind}: {taken} read, {refused} refused, slowest {slowest:.2f} s, at most {peak:.0f} MB", flush=True)
import os; os._exit(0)
"""


LONGEST = 7200 if LONG else 1200  # seconds for all files of a kind


def read_all(kind, folder):
    run = subprocess.run(
        [sys.executable, "-c", READER, HELPERS, kind, folder],
        capture_output=True,
        text=True,
        timeout=7200 if LONG else 1200,
    )
    assert run.returncode == 0, (run.returncode, run.stdout[-500:], run.stderr[-2000:])
    assert "WRONG" not in run.stdout, run.stdout + run.stderr[-3000:]
    line = run.stdout.splitlines()[-1]
    count(f"files, {len(list(folder.iterdir()))} of kind {line}")


def mutated(data, random):
    """Bytes with some flipped, cut, repeated or exchanged."""
    data = bytearray(data)
    kind = random.integers(5)
    if kind == 0:
        for place in random.integers(0, len(data), random.integers(1, 20)):
            data[place] = random.integers(256)
    elif kind == 1:
        del data[random.integers(len(data)) :]
    elif kind == 2:
        start = random.integers(len(data))
        data[start : start + 8] = random.choice([b"\xff" * 8, b"\x00" * 8, struct.pack("<q", 1 << 40)])
    elif kind == 3:
        digits = [place for place, letter in enumerate(data[:4000]) if 48 <= letter < 58] or [0]
        place = random.choice(digits)
        data[place : place + 1] = random.choice([b"999999999999", b"-1", b"1e999", b"NaN", b"null", b"[]"])
    else:
        start, end = sorted(random.integers(0, len(data), 2))
        data[start:end] = data[start:end][::-1]
    return bytes(data)


def write_mutations(folder, seeds, total, suffix):
    random = np.random.default_rng(5)
    for number in range(total):
        seed = seeds[number % len(seeds)]
        (folder / f"mutated-{number:05d}{suffix}").write_bytes(mutated(seed, random))


def npy(descr="<f4", shape=(1344,), data=b"\0" * 5376, version=b"\x01\x00", order=False):
    header = repr({"descr": descr, "fortran_order": order, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header + data


BAD_ARRAYS = {
    "huge": npy(shape=(1 << 40,)),
    "negative": npy(shape=(-1,)),
    "object": npy(descr="|O"),
    "zero width": npy(descr="|V0", shape=(1 << 62,), data=b""),
    "many axes": npy(shape=(1,) * 70, data=b"\0" * 4),
    "code": b"\x93NUMPY\x01\x00" + struct.pack("<H", 30) + b"__import__('os').system('id')\n",
    "deep": b"\x93NUMPY\x01\x00" + struct.pack("<H", 60000) + b"(" * 60000,
    "empty": b"",
    "magic": b"\x93NUMPY",
    "pickle": pickle.dumps([1, 2]),
    "structured": npy(descr=[("a", "<f4")]),
    "complex": npy(descr="<c8", shape=(672,)),
    "not finite": npy(data=b"\xff" * 5376),
}


def write_archive(path, entries, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def bomb(path, name, megabytes):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w", force_zip64=True) as file:
        for _ in range(megabytes):
            file.write(bytes(1 << 20))


def write_text_files(folder, good, suffix=".json"):
    """Texts that are no JSON, or other JSON than is wanted."""
    texts = ["", "{", "[]", "null", "1", '"x"', "NaN", "[" * 100_000, '{"a":' * 5000, "1" * 10_000, "\x00", "\ufeff{}"]
    texts += [
        json.dumps({**good, key: value}) for key in good for value in (None, [], {}, "x", -1, 1e308, [[[]]], True)
    ]
    texts += [json.dumps({key: value for key, value in good.items() if key != left}) for left in good]
    texts.append(json.dumps(good).replace("1.0", "1e999"))
    for number, text in enumerate(texts):
        (folder / f"text-{number:03d}{suffix}").write_text(text)
    (folder / f"bytes{suffix}").write_bytes(b"\xff\xfe\x00\x80")
    (folder / f"folder{suffix}").mkdir()
    import os

    os.mkfifo(folder / f"pipe{suffix}")
    write_mutations(folder, [json.dumps(good).encode()], amount(30, 1500), suffix)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "files"
    place.mkdir()
    return place


def test_takes(folder, tmp_path):
    codes = np.zeros((20, 200), np.float32)
    ExpressionTake(codes, weights=np.zeros((20, 52), np.float32)).save(tmp_path / "good.npz")
    write_mutations(folder, [(tmp_path / "good.npz").read_bytes()], amount(50, 2500), ".npz")
    for name, data in BAD_ARRAYS.items():
        write_archive(folder / f"{name}.npz", {"codes.npy": data, "rate.npy": npy(shape=(), data=b"\0\0\xc0A")})
    for name, rate in {"nan": np.nan, "infinite": np.inf, "fast": 1e9, "negative": -1.0}.items():
        np.savez(folder / f"rate {name}.npz", codes=codes, rate=rate)
    np.savez(folder / "deep.npz", codes=codes, rate=24.0, provenance=np.array("[" * 100_000))
    np.savez(folder / "seed.npz", codes=codes, rate=24.0, seed=np.array("x"))
    bomb(folder / "bomb.npz", "codes.npy", 400)
    read_all("take", folder)


@pytest.mark.parametrize("kind", ["identity", "anchors"])
def test_arrays(folder, kind):
    for name, data in BAD_ARRAYS.items():
        (folder / f"{name}.npy").write_bytes(data)
    bomb(folder / "bomb.npy", "a.npy", 100)
    with (folder / "large.npy").open("wb") as file:
        file.truncate(8 << 30)
    import os

    os.mkfifo(folder / "pipe.npy")
    (folder / "folder.npy").mkdir()
    write_mutations(folder, [npy(), npy(shape=(39, 3), data=b"\0" * 468)], amount(50, 2500), ".npy")
    read_all(kind, folder)


def test_blender_takes(folder):
    pytest.importorskip("bpy")
    block = {"shape": [2, 4], "base64_float32": [base64.b64encode(bytes(32)).decode()]}
    good = {"format": 1, "rate": 24.0, "seed": 1, "settings": {}, "weight_names": [], "codes": block}
    write_text_files(folder, good, ".txt")
    for name, change in {
        "shape": {"shape": [3, 4]},
        "wrap": {"shape": [-1, 4]},
        "dims": {"shape": [1] * 80},
        "letters": {"base64_float32": ["*"]},
        "none": {"base64_float32": None},
    }.items():
        (folder / f"array-{name}.txt").write_text(json.dumps(good | {"codes": block | change}))
    for path in folder.iterdir():
        if not path.is_file():
            path.rmdir() if path.is_dir() else path.unlink()
    read_all("blender_take", folder)


def test_presets_and_costs(tmp_path):
    pytest.importorskip("bpy")
    link = {"key": "a", "channel": "jawOpen", "gain": 1.0}
    cost = {"start": 1.0, "sampling": 1.0, "frame": 1.0, "size": 1.0}
    bone = {"armature": "Rig", "part": "jaw", "bone": "jaw", "axis": "AUTO", "angle": 0.5}
    slider = {"item": "Rig", "path": '["Jaw"]', "channel": "jawOpen", "gain": 1.0}
    preset = {"format": 2, "links": [link], "bones": [bone], "properties": [slider], "use_bones": True}
    for kind, good in {"preset": preset, "costs": {"cpu SHAPE_KEYS 0": cost}}.items():
        folder = tmp_path / kind
        folder.mkdir()
        write_text_files(folder, good)
        write_mutations(folder, [json.dumps(good).encode()], amount(40, 800), ".json")
        for number, (name, row) in enumerate(
            (name, row) for name, rows in preset.items() if isinstance(rows, list) for row in rows
        ):
            for key, value in ((key, value) for key in row for value in (None, [], "x" * 5000, 1e308, -1, True, "a\0")):
                changed = {**preset, name: [{**row, key: value}]}
                (folder / f"row-{number}-{key}-{str(value)[:4].encode().hex()}.json").write_text(json.dumps(changed))
        read_all(kind, folder)


def test_settings(folder):
    good = b"decoder:\n  id:\n    nneigh: 8\n    blend_std: 4.0\n"
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    texts = ["", "- 1", "a: !!python/object/apply:os.system [id]", laughs, "[" * 30_000, "{" * 30_000, "? " * 15_000]
    texts += ["a: " * 9_000, "&a [*a]", "x: 2001-99-99", "\t", "a: b: c", "!!binary x", "0" * 30_000, "1:" * 9000]
    for number, text in enumerate(texts):
        (folder / f"text-{number}.yaml").write_text(text)
    (folder / "long.yaml").write_text("a: [" + "[" * 100_000)
    write_mutations(folder, [good], amount(30, 1500), ".yaml")
    read_all("settings", folder)


class Sleeper:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (eval, ("1",))


def test_checkpoints(folder, tmp_path):
    weights = {"layer.weight": torch.eye(4), "layer.bias": torch.zeros(4)}
    seeds = []
    for number, legacy in enumerate((False, True)):
        torch.save(weights, tmp_path / f"{number}.pt", _use_new_zipfile_serialization=not legacy)
        seeds.append((tmp_path / f"{number}.pt").read_bytes())
    save_file(weights, tmp_path / "good.safetensors")
    tensors = {
        "stride": torch.zeros(1).expand(1 << 30),
        "sparse": torch.eye(3).to_sparse(),
        "compressed rows": torch.eye(3).to_sparse_csr(),
        "float8": torch.zeros(4).to(torch.float8_e4m3fn),
        "meta": torch.zeros(1 << 40, device="meta"),
        "complex": torch.zeros(3, dtype=torch.complex64),
        "quantised": torch.quantize_per_tensor(torch.zeros(3), 1.0, 0, torch.qint8),
        "not finite": torch.full((2,), torch.nan),
    }
    for name, tensor in tensors.items():
        torch.save({"a": tensor}, folder / f"{name}.pt")
    for name, value in {"list": [1], "text": "x", "number": {"a": 1}, "keys": {1: torch.eye(2)}, "none": None}.items():
        torch.save(value, folder / f"{name}.pt")
    (folder / "code.pt").write_bytes(pickle.dumps(Sleeper()))
    torch.save({"a": Sleeper()}, folder / "code in zip.pt")
    bomb(folder / "bomb.pt", "archive/data/0", 400)
    with zipfile.ZipFile(tmp_path / "0.pt") as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    write_archive(folder / "deflated.pt", entries)
    for number, header in enumerate(
        [
            {"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 4]}},
            {"a": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}},
            {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}},
            {"a": {"dtype": "F32", "shape": ["x"], "data_offsets": [0, 4]}},
            {"a": {"dtype": "F32"}},
            {"a": 1},
            [],
        ]
    ):
        text = json.dumps(header).encode()
        (folder / f"header-{number}.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * 4)
    (folder / "long.safetensors").write_bytes(struct.pack("<Q", 1 << 60) + b"{}")
    (folder / "deep.safetensors").write_bytes(struct.pack("<Q", 50_000) + b"[" * 50_000)
    write_mutations(folder, seeds, amount(40, 1500), ".pt")
    write_mutations(folder, [(tmp_path / "good.safetensors").read_bytes()], amount(20, 1000), ".safetensors")
    read_all("checkpoint", folder)


SMALL_BUNDLE = PARITY / "nphm_backward_small"


def config_changes(config, prefix=()):
    for key, value in config.items():
        if isinstance(value, dict):
            yield from config_changes(value, (*prefix, key))
        yield (*prefix, key)


def test_bundle_configurations(folder, tmp_path):
    from repository import ROOT

    starter = ROOT / "engine" / "starter"
    config = json.loads((starter / "config.json").read_text())
    random = np.random.default_rng(3)
    paths = list(config_changes(config))
    values = [None, -1, 0, 1 << 31, 1e9, 1e308, "x", [], {}, [[]], True, 3]
    for number in range(amount(30, 600)):
        place = paths[number % len(paths)] if number < len(paths) else paths[random.integers(len(paths))]
        changed = json.loads(json.dumps(config))
        inner = changed
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = values[random.integers(len(values))]
        target = folder / f"{number:04d}-{'.'.join(place)}"
        target.mkdir()
        (target / "config.json").write_text(json.dumps(changed))
        for file in starter.glob("*.safetensors"):
            (target / file.name).symlink_to(file)
    read_all("bundle", folder)
    assert Path(tmp_path).exists()
