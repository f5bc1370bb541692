"""A disk that fills up at any byte: the documented exit code, whole sentences, and the old results untouched.

A limit on the size of files stands for the full disk; where the tests may mount one, a small disk does too.
"""

import json
import os
import subprocess
import sys

import pytest
from blender_scene import write_wav
from fault_counts import LONG, count
from repository import HELPERS, import_from_extension

from engine.shared.files import owned, replaced, sweep

pytestmark = pytest.mark.slow

RUNNER = """
import os, resource, sys
sys.path.insert(0, sys.argv[1])
from repository import SCRIPTED_ENGINE, import_from_extension
import_from_extension("facetalk_blender.generation.session").session.engine_root = SCRIPTED_ENGINE
command = import_from_extension("facetalk_blender.unattended.command")
if int(sys.argv[2]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
code = command.main(sys.argv[3:])
sys.stdout.flush()
os._exit(code)
"""
LIMITS = (1, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000) if LONG else (1, 1_000, 30_000, 200_000)
OLD = b"an old result"


def outputs_in(folder):
    return {name: folder / f"out.{suffix}" for name, suffix in SUFFIXES.items()}


SUFFIXES = {"output": "mp4", "blend": "blend", "contact-sheet": "png", "json": "json"}


def run_batch(folder, recording, limit=0, frames_in="file", bundle="starter"):
    words = ["--audio", recording, "--size", "32x32", "--samples", "1", "--frames-in", frames_in, "--bundle", bundle]
    for name, path in outputs_in(folder).items():
        words += [f"--{name}", path]
    return subprocess.run(
        [sys.executable, "-c", RUNNER, HELPERS, str(limit), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )


def state_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_refused(run, before, folder):
    errors = [line for line in run.stderr.splitlines() if line.startswith("Error: ")]
    assert "Traceback" not in run.stderr, run.stderr
    assert run.returncode == 4, (run.returncode, run.stderr)
    assert len(errors) == 1, run.stderr
    assert errors[0].rstrip().endswith("."), errors
    assert " 0.0 GB" not in errors[0]
    assert state_of(folder) == before


def old_results(folder):
    for path in outputs_in(folder).values():
        path.write_bytes(OLD)
    (folder / "out_frames").mkdir()
    return state_of(folder)


@pytest.mark.parametrize("frames_in", ["file", "cache"])
def test_a_batch_run_on_a_full_disk(tmp_path, frames_in):
    recording = write_wav(tmp_path / "voice.wav", 0.2)
    refused = 0
    for limit in LIMITS:
        folder = tmp_path / str(limit)
        folder.mkdir()
        before = old_results(folder)
        run = run_batch(folder, recording, limit, frames_in)
        if run.returncode == 0:
            assert json.loads((folder / "out.json").read_text())["frames"] == 5
            assert all(path.read_bytes() != OLD for path in outputs_in(folder).values())
        else:
            assert_refused(run, before, folder)
            refused += 1
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    assert refused >= 2
    count(f"full disk: {len(LIMITS)} batch runs with frames in the {frames_in}, {refused} refused with exit code 4")


def test_a_batch_run_on_a_small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", disk], capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        recording = write_wav(tmp_path / "voice.wav", 0.2)
        before = old_results(disk)
        assert_refused(run_batch(disk, recording, frames_in="cache"), before, disk)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_move_that_fails_brings_the_old_results_back(tmp_path):
    output_files = import_from_extension("facetalk_blender.unattended.output_files")
    outcome = import_from_extension("facetalk_blender.unattended.outcome")
    file, folder, last = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    file.write_text("old")
    folder.mkdir()
    (folder / "frame").write_text("old")
    before = state_of(tmp_path)
    with pytest.raises(outcome.BatchError) as refused, output_files.Outputs() as outputs:
        parts = outputs.beside(file)
        (parts / "a").write_text("new")
        (parts / "b").mkdir()
        for path in (file, folder, last):
            outputs.add(parts / path.name, path)  # the last part is missing
        outputs.place()
    assert refused.value.code == 4
    assert state_of(tmp_path) == before


def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    system = owned("")
    gone = tmp_path / owned(".x.json.").replace(f"-{os.getpid()}-", f"-{ended.pid}-")
    left = [gone.with_name(f"{gone.name}abcdefgh.part"), gone.with_name(f"{gone.name}ijklmnop")]
    left[0].touch()
    (left[1] / "inside").mkdir(parents=True)
    kept = [tmp_path / f".x.json.{system}abcdefgh.part", tmp_path / ".x.json", tmp_path / f"x{ended.pid}.part"]
    for path in kept:
        path.touch()
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    with replaced(tmp_path / "x.json") as part:
        part.write_text("whole")
    assert (tmp_path / "x.json").read_text() == "whole"
