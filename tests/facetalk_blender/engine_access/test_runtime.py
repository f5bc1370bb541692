"""Finding, checking and installing the Python that runs the engine, with tiny packages from an index of our own."""

import base64
import hashlib
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename
from repository import ROOT, import_from_extension

runtime = import_from_extension("facetalk_blender.engine_access.runtime")
installation = import_from_extension("facetalk_blender.engine_access.installation")
wheel_lock = import_from_extension("facetalk_blender.engine_access.wheel_lock")
EngineError = import_from_extension("engine.shared.errors").EngineError
OWN = runtime.Runtime(sys.executable, (), runtime.OWN)
HELD_SECONDS = 300
NAMES = ("example_torch", "example_second", "example_third")
# Stands for engine/check.py: ready when the packages are there.
CHECK = """
import importlib.metadata, json, sys
packages = {}
for name in ("example-torch", "example-second", "example-third"):
    try:
        packages[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        packages[name] = "missing"
problem = "Packages are missing; install them." if "missing" in packages.values() else ""
print(json.dumps({"engine": "VERSION", "python": "3", "executable": sys.executable, "packages": packages,
    "device": "cpu", "device_name": "tiny", "memory": 2e9, "free_memory": 1e9, "bundle": "b", "problem": problem}))
"""


def make_wheel(folder, name, version="1.0"):
    """A package with nothing in it, as the wheel format asks."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\n"
    file_name = f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(folder / file_name, "w") as archive:
        for path, text in (files | {f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}).items():
            archive.writestr(path, text)
    return wheel_lock.Wheel(file_name, hashlib.sha256((folder / file_name).read_bytes()).hexdigest())


class Index:
    """A package index that counts what it sends and can hold one file back."""

    def __init__(self, folder):
        self.folder = folder
        self.sent = []
        self.held_file, self.holding, self.released = "", threading.Event(), threading.Event()
        index = self

        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *arguments):
                super().__init__(*arguments, directory=str(folder))

            def do_GET(self):
                name = Path(self.path).name
                if name.endswith(".whl"):
                    index.sent.append(name)
                    if name == index.held_file:
                        index.holding.set()
                        index.released.wait(HELD_SECONDS)
                        return
                super().do_GET()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


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


def write_engine(folder, version):
    package = folder / "engine"
    package.mkdir(parents=True)
    package.joinpath("__init__.py").touch()
    package.joinpath("check.py").write_text(CHECK.replace("VERSION", version))
    return folder


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


def test_a_named_python_is_taken_or_refused(tmp_path):
    assert runtime.find_runtime(sys.executable, tmp_path, OWN).source == runtime.NAMED
    for named in (str(tmp_path / "nothing"), str(tmp_path)):
        with pytest.raises(EngineError, match="check it in the preferences"):
            runtime.find_runtime(named, tmp_path, OWN)


def check(python, engine_folder):
    run = runtime.EngineCheck(runtime.Runtime(python, (), runtime.NAMED), engine_folder, "starter", "cpu")
    run.start()
    run.wait()
    return run


def test_an_engine_of_another_version_is_named(tmp_path):
    run = check(sys.executable, write_engine(tmp_path, "99.0"))
    assert "install them" in run.problem
    assert "example-torch missing" in "\n".join(run.report)
    other = tmp_path / "engine" / "check.py"
    other.write_text(other.read_text().replace('packages[name] = "missing"', 'packages[name] = "1.0"'))
    run = check(sys.executable, tmp_path)
    assert "version 99.0" in run.problem
    assert "restart Blender" in run.report[-1]


OTHER_PROCESS = """
import importlib.util, sys
specification = importlib.util.spec_from_file_location("protocol", PROTOCOL)
protocol = sys.modules["protocol"] = importlib.util.module_from_spec(specification)
specification.loader.exec_module(protocol)
request = protocol.read_message(sys.stdin.buffer)
CHANGE
protocol.write_message(sys.stdout.buffer, protocol.Message("info", request.request, {"version": "99.0"}))
protocol.write_message(sys.stdout.buffer, protocol.Message("done", request.request))
sys.stdin.buffer.read()
"""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("", "engine has version 99.0, the extension"),
        ('protocol.MAGIC = b"FTK9"', "different versions; restart Blender"),
        ("import package_that_is_not_there", "install the engine runtime"),
    ],
)
def test_an_engine_process_that_does_not_fit_says_so(tmp_path, change, reason):
    folder = write_engine(tmp_path, "1")
    text = OTHER_PROCESS.replace("PROTOCOL", repr(str(ROOT / "engine" / "shared" / "protocol.py"))).replace(
        "CHANGE", change
    )
    (folder / "engine" / "process.py").write_text(text)
    client = import_from_extension("facetalk_blender.engine_access.client").EngineClient(sys.executable, folder)
    client.start()
    client.request("info", {})
    message = client.wait(60)
    client.stop()
    assert message.kind == "error"
    assert reason in message.fields["message"]


def test_what_is_no_python_is_named(tmp_path):
    assert "cannot run the engine" in check("/bin/false", tmp_path).error
    assert "cannot be started" in check(str(tmp_path / "nothing"), tmp_path).error


def test_the_real_engine_reports_itself():
    run = check(sys.executable, ROOT)
    pytest.importorskip("torch")
    assert run.error == run.problem == ""
    assert any(line.startswith("Packages: torch ") for line in run.report)


def target_environment(platform, python):
    system, machine, name, os_name = {
        "linux-x64": ("linux", "x86_64", "Linux", "posix"),
        "windows-x64": ("win32", "AMD64", "Windows", "nt"),
        "macos-arm64": ("darwin", "arm64", "Darwin", "posix"),
    }[platform]
    version = f"{python[2]}.{python[3:]}"
    environment = {"sys_platform": system, "platform_machine": machine, "platform_system": name, "os_name": os_name}
    return environment | {"python_version": version, "python_full_version": f"{version}.0"}


@pytest.mark.parametrize("platform", ["linux-x64", "windows-x64", "macos-arm64"])
@pytest.mark.parametrize("python", ["cp311", "cp313"])
def test_the_lock_pins_every_requirement_for_every_blender(platform, python):
    lock = wheel_lock.WheelLock()
    assert lock.builds(platform, python)
    for build in lock.builds(platform, python):
        wheels = {wheel.name: wheel for wheel in lock.wheels(platform, python, build)}
        for line in (ROOT / "requirements.txt").read_text().splitlines():
            wanted = None if line.startswith("#") else Requirement(line)
            if wanted is None or (wanted.marker and not wanted.marker.evaluate(target_environment(platform, python))):
                continue
            assert wanted.specifier.contains(wheels[canonicalize_name(wanted.name)].version)
        for wheel in wheels.values():
            name, version, _, tags = parse_wheel_filename(wheel.file_name)
            assert (name, str(version)) == (wheel.name, wheel.version)
            assert len(wheel.sha256) == 64
            assert any(fits(tag, platform, python) for tag in tags), wheel.file_name


def fits(tag, platform, python):
    system = {"linux-x64": "manylinux", "windows-x64": "win_amd64", "macos-arm64": "macosx"}[platform]
    machine = {"linux-x64": "x86_64", "windows-x64": "amd64", "macos-arm64": ("arm64", "universal2")}[platform]
    right_system = tag.platform == "any" or (tag.platform.startswith(system) and tag.platform.endswith(machine))
    return right_system and (tag.interpreter in (python, "py3") or tag.abi == "abi3")


def test_a_damaged_lock_and_an_unknown_target_are_named(tmp_path):
    (tmp_path / "lock.toml").write_text("[sha256")
    with pytest.raises(EngineError, match="install the extension again"):
        wheel_lock.WheelLock(tmp_path / "lock.toml")
    with pytest.raises(EngineError, match="name a Python that has torch"):
        wheel_lock.WheelLock().wheels("linux-x64", "cp314", "cpu")
