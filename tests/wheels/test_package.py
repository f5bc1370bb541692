"""The zips: what is in them, and that an empty Blender profile with one of them makes a head with the real engine."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile

import pytest
from blender_scene import write_wav
from repository import HELPERS, ROOT

WITH_WHEELS = sorted((ROOT / "dist").glob(f"*linux-x64*py3.{sys.version_info.minor}.zip"))


@pytest.fixture(scope="module")
def small_zip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    run = subprocess.run(
        [sys.executable, ROOT / "wheels" / "package.py", "build", "--output", folder], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    (path,) = folder.iterdir()
    return path


def test_the_small_zip_holds_the_extension_and_nothing_else(small_zip):
    with zipfile.ZipFile(small_zip) as archive:
        names = set(archive.namelist())
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
    assert "wheels" not in manifest
    assert "platforms" not in manifest
    assert {"LICENSE", "wheels/lock.toml", "facetalk_blender/batch.py", "engine/process.py"} <= names
    starter = {path.relative_to(ROOT).as_posix() for path in (ROOT / "engine" / "starter").iterdir()}
    assert starter <= names
    assert any("LICENSE" in name for name in starter)
    unwanted = ("tests/", "docs/", "benchmarks/", "tools/", "demo/", "dist/", "training/", "wheels/downloads/")
    assert not [name for name in names if name.startswith((*unwanted, ".")) or "__pycache__" in name]
    assert {name.rpartition(".")[2] for name in names if not name.startswith("engine/starter/")} <= {
        "py", "toml", "md", "LICENSE", "json", "npz", "svg", "png", "jpg", "ogg", "task", "txt"
    }  # fmt: skip


def generate_in_a_clean_profile(zip_path, folder, *engine_python):
    recording = write_wav(folder / "tone.wav", 0.4)
    home = {"HOME": str(folder), "BLENDER_USER_RESOURCES": str(folder / "blender"), "PYTHONPATH": ""}
    run = subprocess.run(
        [sys.executable, HELPERS / "installed_extension.py", zip_path, recording, *engine_python],
        env=os.environ | home, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    facts = json.loads(run.stdout.splitlines()[-1])
    assert facts["problem"] == ""
    assert min(facts["vertices"]) > 1000
    assert facts["released"]
    assert not facts["registered_after_disabling"]
    return "\n".join(facts["report"])


@pytest.mark.slow
def test_the_small_zip_makes_a_head_with_a_named_python(small_zip, tmp_path):
    engine_python = os.environ.get("FACETALK_ENGINE_PYTHON", sys.executable)
    assert engine_python in generate_in_a_clean_profile(small_zip, tmp_path, engine_python)


@pytest.mark.slow
@pytest.mark.skipif(not WITH_WHEELS, reason="make package PLATFORM=linux-x64 PYTHON_VERSION=... builds the zip")
def test_the_zip_with_wheels_makes_a_head_with_blenders_own_python(tmp_path):
    assert "Blender's own" in generate_in_a_clean_profile(WITH_WHEELS[-1], tmp_path)
