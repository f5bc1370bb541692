"""Programs are started so that they execute nothing that lies in the working directory or among the user's packages.

Blender's working directory is the folder it was started from, often that of a downloaded file. No bpy here.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

# -I leaves out the working directory, the user's packages and PYTHON... variables, so folders come as an argument.
_RUN_MODULE = (
    "import runpy, sys; module, end = sys.argv[1], 3 + int(sys.argv[2]); sys.path[:0] = sys.argv[3:end]; "
    "del sys.argv[1:end]; runpy.run_module(module, run_name='__main__', alter_sys=True)"
)
# Of Python and pip: they would change which code runs, or where packages go.
_DROPPED = ("PYTHON", "__PYVENV_LAUNCHER__", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON")
# Spinning worker threads would take the cores that Blender draws with.
_WAITING = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}


def find_program(name: str) -> str | None:
    """Absolute path of a program, or None; never one of the working directory, where Windows looks first.

    name: a command, which is searched in the folders of PATH, or an absolute path.
    """
    path = Path(name)
    if path.is_absolute():
        return name if _runs(path) else None
    if len(path.parts) != 1:
        return None
    endings = os.environ.get("PATHEXT", ".EXE").split(os.pathsep) if os.name == "nt" else []
    for folder in filter(os.path.isabs, os.environ.get("PATH", os.defpath).split(os.pathsep)):
        for candidate in (name, *(name + ending for ending in endings)):
            if _runs(Path(folder, candidate)):
                return str(Path(folder, candidate))
    return None


def typed_program(text: str) -> str:
    """A program as typed on a command line, where a path may start at the working directory."""
    return str(Path(text).absolute()) if len(Path(text).parts) > 1 else text


def python_command(python: str, module: str, *arguments: str, folders: tuple[str, ...] = ()) -> list[str]:
    """The command that runs a module as `python -m` does, with more folders of packages before Python's own."""
    # Of what -I ignores, the wish not to write bytecode is kept.
    isolated = [python, "-I", "-u", *(["-B"] if sys.dont_write_bytecode else [])]
    if not folders:
        return [*isolated, "-m", module, *arguments]
    return [*isolated, "-c", _RUN_MODULE, module, str(len(folders)), *folders, *arguments]


def program_environment(**more: str) -> dict[str, str]:
    """Environment variables of a program, of which Python ones are left out: also programs that it starts are safe."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_DROPPED)}
    return environment | {"PYTHONSAFEPATH": "1", "PYTHONNOUSERSITE": "1"} | more


def engine_environment() -> dict[str, str]:
    """Environment variables of a Python that runs the engine."""
    # torch makes a cache folder in the temporary one whenever it is imported; this one is there already.
    cache = {"TORCHINDUCTOR_CACHE_DIR": tempfile.gettempdir()}
    return program_environment(**{name: os.environ.get(name, value) for name, value in (_WAITING | cache).items()})


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
