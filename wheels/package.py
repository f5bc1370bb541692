"""Builds the extension's zips, and pins and downloads the wheels that go into them.

    python wheels/package.py build                            small zip: no wheels, any platform
    python wheels/package.py build --platform linux-x64       with all wheels of that platform
    python wheels/package.py download --platform linux-x64    a folder of wheels to install from, offline
    python wheels/package.py lock [--cpu-torch FILE ...]      pin requirements.txt anew in wheels/lock.toml (needs uv)

`build` uses the command line of Blender's extensions, from pip's bpy or from `--blender`. Wheels come from the package
index that pip is configured for. Where that index has only the CUDA build of torch (Linux), the CPU build is pinned
from files given to `lock` and found again through pip's own settings (PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL).
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import tomllib
import types
import zipfile
from collections.abc import Collection, Iterator
from itertools import product
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging import tags
from packaging.markers import Marker
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).resolve().parents[1]
DOWNLOADS = ROOT / "wheels" / "downloads"
# The Python versions of Blender 4.5, 5.0 (3.11) and 5.1, 5.2 (3.13).
PYTHONS = ((3, 11), (3, 13))
# What Blender requires of a system, newest first, and how Python describes that system to package markers.
GLIBC_MINOR = range(28, 4, -1)
MANYLINUX_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
MACOS_VERSION = (14, 0)
PLATFORM_MARKERS = {
    platform: dict(zip(("sys_platform", "platform_system", "platform_machine", "os_name"), values, strict=True))
    for platform, values in {
        "linux-x64": ("linux", "Linux", "x86_64", "posix"),
        "windows-x64": ("win32", "Windows", "AMD64", "nt"),
        "macos-arm64": ("darwin", "Darwin", "arm64", "posix"),
    }.items()
}
# Blender ships these in every supported version; a second copy would take the place of its own.
SHIPPED_WITH_BLENDER = {"certifi", "charset-normalizer", "cython", "idna", "numpy", "requests", "urllib3", "zstandard"}
# What only torch's CUDA build needs.
CUDA_PREFIXES = ("nvidia-", "cuda-", "triton")


class PackagingError(Exception):
    """The command cannot go on: one sentence that names the fix."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns 0, or 2 after one line that says what to change."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (PackagingError, _extension("engine.shared.errors").EngineError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    target = argparse.ArgumentParser(add_help=False)
    target.add_argument("--python", choices=[f"{a}.{b}" for a, b in PYTHONS], help="only this version (default: all)")

    build = commands.add_parser("build", parents=[target], help="make a zip")
    build.add_argument("--platform", choices=PLATFORM_MARKERS, help="with the wheels of this platform")
    build.add_argument("--output", type=Path, default=ROOT / "dist", help="folder for the zip (default: dist)")
    build.add_argument("--blender", help="Blender to build with (default: pip's bpy)")
    build.set_defaults(run=_build)

    download = commands.add_parser("download", parents=[target], help="fetch and verify all wheels of a platform")
    download.add_argument("--platform", choices=PLATFORM_MARKERS, required=True)
    download.add_argument("--build", choices=("cpu", "cuda"), default="cpu", help="build of torch (default: cpu)")
    download.set_defaults(run=_download)

    lock = commands.add_parser("lock", help="pin requirements.txt in wheels/lock.toml")
    lock.add_argument("--cpu-torch", type=Path, nargs="*", default=[], help="wheels of torch's CPU build for Linux")
    lock.set_defaults(run=_lock)
    return parser


def _extension(module: str) -> types.ModuleType:
    """A module of the extension, under the package name that its relative imports need."""
    if "facetalk_extension" not in sys.modules:
        package = sys.modules["facetalk_extension"] = types.ModuleType("facetalk_extension")
        package.__path__ = [str(ROOT)]
    return importlib.import_module(f"facetalk_extension.{module}")


def _build(options: argparse.Namespace) -> None:
    options.output.mkdir(parents=True, exist_ok=True)
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text("utf-8"))
    name = f"{manifest['id']}-{manifest['version']}"
    if options.platform is None:
        _report(_blender_build(options.blender, ROOT, options.output / f"{name}.zip"))
        return
    wheels = _fetch(options.platform, options.python, "cpu", SHIPPED_WITH_BLENDER)
    with tempfile.TemporaryDirectory() as folder:
        small, staging = Path(folder, "small.zip"), Path(folder, "staging")
        _blender_build(options.blender, ROOT, small)
        with zipfile.ZipFile(small) as archive:
            archive.extractall(staging)
        for wheel in wheels:
            shutil.copy(DOWNLOADS / wheel, staging / "wheels" / wheel)
        _name_wheels(staging / "blender_manifest.toml", options.platform, wheels)
        python = f"-py{options.python}" if options.python else ""
        _report(_blender_build(options.blender, staging, options.output / f"{name}-{options.platform}{python}.zip"))


def _download(options: argparse.Namespace) -> None:
    for file_name in _fetch(options.platform, options.python, options.build, frozenset()):
        print(DOWNLOADS / file_name)


def _name_wheels(manifest: Path, platform: str, wheels: list[str]) -> None:
    """Add the wheels to the manifest, above its first table."""
    head, table, rest = manifest.read_text("utf-8").partition("\n[")
    lines = "".join(f'  "./wheels/{wheel}",\n' for wheel in wheels)
    manifest.write_text(f'{head}\nplatforms = ["{platform}"]\nwheels = [\n{lines}]\n{table}{rest}', "utf-8")


def _blender_build(blender: str | None, source: Path, output: Path) -> Path:
    run = [*_extension_command(blender), "build", "--source-dir", source, "--output-filepath", output]
    result = subprocess.run(run, capture_output=True, text=True)
    if result.returncode or not output.is_file():
        raise PackagingError(f"Blender did not build the zip:\n{result.stdout}{result.stderr}")
    return output


def _extension_command(blender: str | None) -> list[str]:
    if blender:
        return [blender, "--command", "extension"]
    specification = importlib.util.find_spec("bpy")
    folders = specification.submodule_search_locations if specification else []
    for folder in folders:
        for script in Path(folder).glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"):
            return [sys.executable, str(script)]
    raise PackagingError("There is no Blender to build with; install bpy with pip or name one with --blender.")


def _report(path: Path) -> None:
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def _fetch(platform: str, python_version: str | None, build: str, without: Collection[str]) -> list[str]:
    """Download what is missing, verify everything; returns the file names."""
    lock = _extension("facetalk_blender.engine_access.wheel_lock").WheelLock()
    pythons = [python for python in lock.pythons(platform) if build in lock.builds(platform, python)]
    if python_version:
        pythons = [f"cp{python_version.replace('.', '')}"]
    DOWNLOADS.mkdir(exist_ok=True)
    file_names: dict[str, None] = {}
    for python in pythons:
        wheels = [wheel for wheel in lock.wheels(platform, python, build) if wheel.name not in without]
        _pip_download([wheel for wheel in wheels if not wheel.lies_in(DOWNLOADS)], platform, python)
        damaged = [wheel.file_name for wheel in wheels if not wheel.lies_in(DOWNLOADS)]
        if damaged:
            raise PackagingError(f"These wheels are not what wheels/lock.toml pins: {', '.join(damaged)}.")
        file_names |= dict.fromkeys(wheel.file_name for wheel in wheels)
    return list(file_names)


def _pip_download(wheels: list, platform: str, python: str) -> None:
    if not wheels:
        return
    version = (int(python[2]), int(python[3:]))
    platforms = [option for name in _platform_tags(platform) for option in ("--platform", name)]
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder, "requirements.txt")
        requirements.write_text("".join(f"{wheel.requirement}\n" for wheel in wheels))
        run = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
        run += ["--implementation", "cp", "--abi", python, "--abi", "abi3", "--abi", "none", *platforms]
        run += ["--python-version", ".".join(map(str, version)), "--dest", DOWNLOADS, "--requirement", requirements]
        if subprocess.run(run).returncode:
            raise PackagingError("pip could not download the wheels; its messages above say why.")


def _platform_tags(platform: str) -> list[str]:
    if platform == "windows-x64":
        return ["win_amd64"]
    if platform == "macos-arm64":
        return list(tags.mac_platforms(MACOS_VERSION, "arm64"))
    names = [
        [f"manylinux_2_{minor}", *([MANYLINUX_NAMES[minor]] if minor in MANYLINUX_NAMES else [])]
        for minor in GLIBC_MINOR
    ]
    return [f"{name}_x86_64" for pair in names for name in pair]


def _lock(options: argparse.Namespace) -> None:
    packages = _resolve()
    hashes: dict[str, str] = {}
    targets = {}
    for platform, version in product(PLATFORM_MARKERS, PYTHONS):
        target = _target(packages, platform, version, hashes, options.cpu_torch)
        targets[f"{platform}.cp{version[0]}{version[1]}"] = target
    path = ROOT / "wheels" / "lock.toml"
    path.write_text("\n".join(_lock_lines(hashes, targets)) + "\n", "utf-8")
    print(f"{path}: {len(hashes)} wheels for {len(targets)} targets")


def _resolve() -> list[dict]:
    """All packages for all systems, as the `packages` of a PEP 751 lock file."""
    if shutil.which("uv") is None:
        raise PackagingError("Pinning needs uv; install it with 'pip install uv'.")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "pylock.toml")
        run = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--only-binary", ":all:"]
        run += ["--no-config", "--format", "pylock.toml", "--output-file", output, ROOT / "requirements.txt"]
        if subprocess.run(run, stdout=subprocess.DEVNULL).returncode:
            raise PackagingError("uv could not resolve requirements.txt; its messages above say why.")
        return tomllib.loads(output.read_text("utf-8"))["packages"]


def _target(
    packages: list[dict], platform: str, version: tuple[int, int], hashes: dict[str, str], cpu_torch: list[Path]
) -> dict[str, list[str]]:
    """File names of a target's builds; their hashes are added to `hashes`."""
    full = f"{version[0]}.{version[1]}.0"
    environment = PLATFORM_MARKERS[platform] | {
        "python_version": f"{version[0]}.{version[1]}", "python_full_version": full,
        "implementation_name": "cpython", "implementation_version": full, "platform_python_implementation": "CPython",
    }  # fmt: skip
    ranks = {tag: rank for rank, tag in enumerate(_wheel_tags(platform, version))}
    target: dict[str, list[str]] = {"common": []}
    for package in packages:
        if "marker" in package and not Marker(package["marker"]).evaluate(environment):
            continue
        file_name, sha256 = _best_wheel(package, ranks)
        hashes[file_name] = sha256
        name = canonicalize_name(package["name"])
        own_torch = "cuda" if platform == "linux-x64" else "cpu"
        build = own_torch if name == "torch" or name.startswith(CUDA_PREFIXES) else "common"
        target.setdefault(build, []).append(file_name)
    for path in cpu_torch:
        if "cuda" in target and ranks.keys() & parse_wheel_filename(path.name)[3]:
            hashes[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
            target["cpu"] = [path.name]
    for files in target.values():
        files.sort(key=lambda name: (not name.startswith("torch-"), name.lower()))
    return target


def _wheel_tags(platform: str, version: tuple[int, int]) -> Iterator[tags.Tag]:
    platforms = _platform_tags(platform)
    interpreter = f"cp{version[0]}{version[1]}"
    yield from tags.cpython_tags(version, [interpreter], platforms)
    yield from tags.compatible_tags(version, interpreter, platforms)


def _best_wheel(package: dict, ranks: dict[tags.Tag, int]) -> tuple[str, str]:
    candidates = []
    for wheel in package.get("wheels", []):
        file_name = unquote(Path(urlsplit(wheel["url"]).path).name)
        own_ranks = [ranks[tag] for tag in parse_wheel_filename(file_name)[3] if tag in ranks]
        if own_ranks:
            candidates.append((min(own_ranks), file_name, wheel["hashes"]["sha256"]))
    if not candidates:
        raise PackagingError(
            f"{package['name']} {package['version']} has no wheel for every target; pin another version."
        )
    return min(candidates)[1:]


def _lock_lines(hashes: dict[str, str], targets: dict[str, dict[str, list[str]]]) -> Iterator[str]:
    yield (
        "# Written by `python wheels/package.py lock` from requirements.txt; "
        "read by facetalk_blender/engine_access/wheel_lock.py."
    )
    yield "\n[sha256]"
    for file_name in sorted(hashes, key=str.lower):
        yield f'"{file_name}" = "{hashes[file_name]}"'
    for name, target in targets.items():
        yield f"\n[targets.{name}]"
        for build in ("common", "cpu", "cuda"):
            if build in target:
                yield f"{build} = [" + "".join(f'\n  "{file_name}",' for file_name in target[build]) + "\n]"


if __name__ == "__main__":
    sys.exit(main())
