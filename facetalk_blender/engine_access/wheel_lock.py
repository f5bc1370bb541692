"""The engine's packages, pinned: which wheels a platform and a Python version need, and their SHA-256.

`wheels/package.py lock` writes `wheels/lock.toml`; this is the only place that reads it. Standard library only:

    [sha256]
    "torch-2.13.0-cp311-cp311-win_amd64.whl" = "..."
    [targets.windows-x64.cp311]
    common = ["numpy-...whl", ...]      # every build needs these
    cpu = ["torch-...whl"]              # a build adds its own torch
    cuda = ["torch-...whl", "nvidia_...whl", ...]
"""

from __future__ import annotations

import hashlib
import platform
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from ...engine.shared.errors import EngineError

LOCK_FILE = Path(__file__).resolve().parents[2] / "wheels" / "lock.toml"
MACHINES = {"x86_64": "x64", "amd64": "x64", "arm64": "arm64", "aarch64": "arm64"}
SYSTEMS = {"Linux": "linux", "Windows": "windows", "Darwin": "macos"}
BUILDS = ("cpu", "cuda")


@dataclass(frozen=True)
class Wheel:
    """One pinned file of a package index."""

    file_name: str
    sha256: str

    @property
    def name(self) -> str:
        """Package name in the index's normal form."""
        return re.sub(r"[-_.]+", "-", self.file_name.split("-")[0]).lower()

    @property
    def version(self) -> str:
        """Package version."""
        return self.file_name.split("-")[1]

    @property
    def requirement(self) -> str:
        """The line of a requirements file that admits this file and no other."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"

    def lies_in(self, folder: Path) -> bool:
        """Whether `folder` holds the file, unchanged. Raises OSError when it cannot be read."""
        path = folder / self.file_name
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256


def this_platform() -> str:
    """Name of this computer's platform as Blender's manifests write it, e.g. "linux-x64"."""
    machine = MACHINES.get(platform.machine().lower(), platform.machine().lower())
    return f"{SYSTEMS.get(platform.system(), platform.system().lower())}-{machine}"


def this_python() -> str:
    """Tag of the running Python, e.g. "cp311"."""
    return f"cp{sys.version_info.major}{sys.version_info.minor}"


class WheelLock:
    """The lock file."""

    def __init__(self, path: Path = LOCK_FILE):
        """Raises EngineError when the file is missing or damaged."""
        try:
            data = tomllib.loads(Path(path).read_text("utf-8"))
            self._hashes: dict[str, str] = data["sha256"]
            self._targets: dict[str, dict[str, dict[str, list[str]]]] = data["targets"]
        except (OSError, ValueError, KeyError) as error:
            raise EngineError(
                f"The list of engine packages '{path}' is damaged; install the extension again."
            ) from error

    def platforms(self) -> list[str]:
        """The platforms that are locked."""
        return list(self._targets)

    def pythons(self, platform_name: str) -> list[str]:
        """Tags of the Python versions that are locked for a platform; empty when the platform is not."""
        return list(self._targets.get(platform_name, {}))

    def builds(self, platform_name: str, python: str) -> tuple[str, ...]:
        """The builds ("cpu", "cuda") that are locked for a target."""
        target = self._targets.get(platform_name, {}).get(python, {})
        return tuple(build for build in BUILDS if build in target)

    def wheels(self, platform_name: str, python: str, build: str) -> list[Wheel]:
        """All wheels of one build, torch first because it is by far the largest.

        Raises EngineError when the lock has none for this target.
        """
        if build not in self.builds(platform_name, python):
            known = ", ".join(
                f"{name} {tag} {known_build}"
                for name in self.platforms()
                for tag in self.pythons(name)
                for known_build in self.builds(name, tag)
            )
            raise EngineError(
                f"There are no engine packages for {platform_name}, {python}, {build} (there are: {known}); "
                "name a Python that has torch in the preferences."
            )
        target = self._targets[platform_name][python]
        return [Wheel(file_name, self._hashes[file_name]) for file_name in target[build] + target["common"]]
