"""Nothing that lies in the working directory is executed by any program that is started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from repository import HELPERS, ROOT, import_from_extension

pytestmark = pytest.mark.slow

# Names that Python, pip, venv and the engine import, or that are programs.
MODULES = ("venv", "json", "torch", "numpy", "site", "sitecustomize", "usercustomize", "runpy", "ensurepip", "tempfile")
PACKAGES = ("pip", "engine", "encodings", "importlib", "concurrent", "safetensors", "soundfile")
PROGRAMS = ("python", "python3", "ffmpeg", "uv")
TRAP = "import pathlib\npathlib.Path({marker!r}).touch()\n"

# What a child does whose working directory, home and PYTHON... variables are the trap's; the task is its argument.
CHILD = """
import sys
from pathlib import Path
sys.path[:] = [path for path in sys.path if path]
sys.path.insert(0, HELPERS)
from package_index import make_wheel, write_engine
from repository import ROOT, import_from_extension

def access(name):
    return import_from_extension("facetalk_blender.engine_access." + name)

def ended(task):
    task.start()
    task.wait()
    return task.error or getattr(task, "problem", "")

runtime, folder = access("runtime"), Path(sys.argv[2])
own = runtime.Runtime(sys.executable, (), runtime.OWN)
if sys.argv[1] == "installation":
    source = folder / "wheels"
    source.mkdir()
    wheels = [make_wheel(source, name) for name in ("example_torch", "example_second", "example_third")]
    engine = write_engine(folder / "good", import_from_extension("engine").__version__)
    result = ended(access("installation").RuntimeInstallation(folder / "runtime", wheels, source, engine))
elif sys.argv[1] == "check":
    result = ended(runtime.EngineCheck(own, ROOT, "starter", "cpu"))
elif sys.argv[1] == "engine":
    client = access("client").EngineClient(sys.executable, ROOT)
    client.start()
    number = client.request("info", {"bundle": "starter", "device": "cpu"})
    while (message := client.wait(120)).kind not in ("done", "error"):
        pass
    result = message.fields.get("message", "")
    client.stop()
else:
    found = [access("programs").find_program(name) for name in ("ffmpeg", "uv", "./python", "engine/python")]
    result = " ".join(str(path) for path in found if path and str(Path.cwd()) in str(path))
print("result:", result)
"""


@pytest.fixture
def trap(tmp_path):
    """A folder with files that leave a mark when they are run; gives the folder and a function that lists the marks."""
    folder, marks = tmp_path / "trap", tmp_path / "marks"
    site = folder / ".local" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    marks.mkdir()
    for place in (folder, site):
        place.mkdir(parents=True, exist_ok=True)
        for name in MODULES:
            (place / f"{name}.py").write_text(TRAP.format(marker=str(marks / f"{place.name}-{name}")))
        for name in PACKAGES:
            (place / name).mkdir()
            for part in ("__init__", "__main__", "process", "check"):
                (place / name / f"{part}.py").write_text(TRAP.format(marker=str(marks / f"{place.name}-{name}.{part}")))
    for name in PROGRAMS:
        (folder / name).write_text(f"#!/bin/sh\ntouch {marks / name}\n")
        (folder / name).chmod(0o755)
    return folder, lambda: sorted(path.name for path in marks.iterdir())


def run_in(folder, task, work, **variables):
    work.mkdir()
    search = os.pathsep.join(["", ".", os.environ["PATH"]])
    environment = dict(os.environ, HOME=str(folder), PATH=search, **variables)
    code = f"HELPERS = {str(HELPERS)!r}\n{CHILD}"
    # The child itself stands for Blender, whose own start is not ours: it starts safely, and what it starts must too.
    command = [sys.executable, "-P", "-s", "-E", "-c", code, task, str(work)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("task", ["installation", "check", "engine", "search"])
def test_programs_execute_nothing_of_the_working_directory(trap, tmp_path, task):
    folder, marks = trap
    variables = {"PYTHONPATH": str(folder), "PYTHONUSERBASE": str(folder / ".local"), "PYTHONHOME": str(folder)}
    run = run_in(folder, task, tmp_path / "work", **variables)
    assert marks() == []
    assert run.stdout.splitlines()[-1:] == ["result: "], run.stdout + run.stderr


def test_the_trap_catches_what_is_started_carelessly(trap):
    folder, marks = trap
    subprocess.run([sys.executable, "-m", "venv", "--help"], cwd=folder, capture_output=True, timeout=60)
    assert marks() != []


def test_only_the_wheels_of_extensions_are_handed_to_the_engine(tmp_path, monkeypatch):
    bpy = pytest.importorskip("bpy")
    extension = import_from_extension("facetalk_blender.extension")
    wheels = str(Path(bpy.utils.user_resource("EXTENSIONS"), ".local", "lib", "python3.11", "site-packages"))
    user_site = str(tmp_path / ".local" / "lib" / "python3.11" / "site-packages")
    monkeypatch.setattr(sys, "path", [*sys.path, user_site, wheels])
    assert extension.wheel_folders() == (wheels,)


def test_a_batch_run_starts_from_such_a_folder(trap):
    folder, marks = trap
    run = subprocess.run(
        [sys.executable, str(ROOT / "facetalk_blender" / "batch.py"), "--", "--help"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert marks() == []
