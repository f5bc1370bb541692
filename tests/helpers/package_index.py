"""An index of tiny packages, and a tiny engine that asks for them."""

import base64
import hashlib
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from repository import import_from_extension

wheel_lock = import_from_extension("facetalk_blender.engine_access.wheel_lock")
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


def write_engine(folder, version):
    package = folder / "engine"
    package.mkdir(parents=True)
    package.joinpath("__init__.py").touch()
    package.joinpath("check.py").write_text(CHECK.replace("VERSION", version))
    return folder
