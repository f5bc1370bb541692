"""Installing the engine's packages, with tiny ones from an index of our own."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from package_index import HELD_SECONDS, NAMES, Index, make_wheel, write_engine
from repository import import_from_extension

pytestmark = pytest.mark.slow

runtime = import_from_extension("facetalk_blender.engine_access.runtime")
installation = import_from_extension("facetalk_blender.engine_access.installation")
wheel_lock = import_from_extension("facetalk_blender.engine_access.wheel_lock")
OWN = runtime.Runtime(sys.executable, (), runtime.OWN)


@pytest.fixture
def index(tmp_path, monkeypatch):
    """An index with three packages; pip is set to use it and nothing else."""
    folder = tmp_path / "index"
    for name in NAMES:
        page = folder / name.replace("_", "-")
        page.mkdir(parents=True)
        wheel = make_wheel(page, name)
        page.joinpath("index.html").write_text(f'<a href="{wheel.file_name}">{wheel.file_name}</a>')
    index = Index(folder)
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    settings = {"PIP_CONFIG_FILE": "/dev/null", "PIP_INDEX_URL": index.url, "PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0"}
    for name, value in (settings | {"NO_PROXY": "127.0.0.1"}).items():
        monkeypatch.setenv(name, value)
    yield index
    index.released.set()
    index.server.shutdown()


@pytest.fixture
def wheels(index):
    return [make_wheel(index.folder / name.replace("_", "-"), name) for name in NAMES]


@pytest.fixture(scope="module")
def empty_environment(tmp_path_factory):
    """A virtual environment with pip and nothing else: making one takes seconds."""
    folder = tmp_path_factory.mktemp("empty") / "environment"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder


@pytest.fixture
def folder(tmp_path, empty_environment):
    """Where runtimes are installed; an interrupted installation has left its environment there."""
    folder = tmp_path / "runtime"
    shutil.copytree(empty_environment, folder / wheel_lock.this_python() / "environment", symlinks=True)
    return folder


@pytest.fixture
def engine_folder(tmp_path):
    return write_engine(tmp_path / "good", import_from_extension("engine").__version__)


def install(folder, wheels, source, engine_folder):
    run = installation.RuntimeInstallation(folder / wheel_lock.this_python(), wheels, source, engine_folder)
    run.start()
    run.wait()
    return run


def test_interrupted_then_installed_from_the_index(index, wheels, engine_folder, tmp_path):
    folder = tmp_path / "runtime"
    index.held_file = wheels[1].file_name
    run = installation.RuntimeInstallation(folder / wheel_lock.this_python(), wheels, None, engine_folder)
    run.start()
    assert index.holding.wait(HELD_SECONDS), run.error
    begin = time.monotonic()
    run.cancel()
    run.wait()
    assert run.cancelled
    assert not run.error
    assert time.monotonic() - begin < HELD_SECONDS / 5
    assert runtime.find_runtime("", folder, OWN) == OWN  # what is half made is not used
    index.held_file = ""
    index.released.set()

    run = install(folder, wheels, None, engine_folder)
    assert run.error == ""
    assert run.fraction == 1.0
    assert sorted(index.sent) == sorted([*(wheel.file_name for wheel in wheels), wheels[1].file_name])
    found = runtime.find_runtime("", folder, OWN)
    assert found.source == runtime.INSTALLED
    assert found.python != sys.executable
    left = {path.name for path in (folder / wheel_lock.this_python()).iterdir()}
    assert left == {"environment", "installed.json"}
    check = runtime.EngineCheck(found, engine_folder, "starter", "auto")
    check.start()
    check.wait()
    assert check.error == check.problem == ""
    assert "example-second 1.0" in "\n".join(check.report)


def test_a_file_with_another_hash_is_refused(wheels, engine_folder, folder):
    forged = wheel_lock.Wheel(wheels[0].file_name, "0" * 64)
    run = install(folder, [forged], None, engine_folder)
    assert "hash differs" in run.error
    assert runtime.find_runtime("", folder, OWN) == OWN


def test_a_file_that_changes_on_the_way_is_refused(index, wheels, engine_folder, folder):
    path = index.folder / "example-torch" / wheels[0].file_name
    path.write_bytes(path.read_bytes() + b"more")
    run = install(folder, wheels[:1], None, engine_folder)
    assert "hash differs" in run.error
    assert runtime.find_runtime("", folder, OWN) == OWN


def test_from_a_folder_without_the_index(index, engine_folder, tmp_path, folder):
    source = tmp_path / "wheels"
    source.mkdir()
    copies = [make_wheel(source, name) for name in NAMES]
    damaged = source / copies[2].file_name
    content = damaged.read_bytes()
    damaged.write_bytes(content + b"more")
    assert "damaged" in install(folder, copies, source, engine_folder).error
    damaged.unlink()
    assert f"lacks {damaged.name};" in install(folder, copies, source, engine_folder).error
    assert runtime.find_runtime("", folder, OWN) == OWN
    damaged.write_bytes(content)
    assert install(folder, copies, source, engine_folder).error == ""
    assert index.sent == []
    assert damaged.exists()
    assert runtime.find_runtime("", folder, OWN).source == runtime.INSTALLED


def test_a_working_runtime_outlives_a_failed_installation_and_is_replaced_whole(
    index, wheels, engine_folder, folder, tmp_path
):
    assert install(folder, wheels, None, engine_folder).error == ""
    page = index.folder / "example-second"
    newer = [wheels[0], make_wheel(page, "example_second", "2.0"), wheels[2]]
    assert "has no example_second-2.0" in install(folder, newer, None, engine_folder).error
    assert runtime.find_runtime("", folder, OWN).source == runtime.INSTALLED
    page.joinpath("index.html").write_text(f'<a href="{newer[1].file_name}">{newer[1].file_name}</a>')
    assert install(folder, newer, None, engine_folder).error == ""
    packages = Path(runtime.find_runtime("", folder, OWN).python).parents[1].glob("lib/*/site-packages/example_second*")
    assert {path.name for path in packages} == {
        "example_second.py",
        "example_second-2.0.dist-info",
    }


def test_an_index_out_of_reach_is_named(index, wheels, engine_folder, folder, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", index.url + "/nowhere")
    assert "check the connection" in install(folder, wheels, None, engine_folder).error
