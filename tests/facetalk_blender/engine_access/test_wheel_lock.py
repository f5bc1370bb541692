"""The lock of the engine's packages: every requirement, for every Blender and system."""

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename
from repository import ROOT, import_from_extension

wheel_lock = import_from_extension("facetalk_blender.engine_access.wheel_lock")
EngineError = import_from_extension("engine.shared.errors").EngineError


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
