"""Whether this Python can run the engine: `python -m engine.check` prints one line of JSON.

Works where packages are missing or broken, and says what to do about it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from .shared import __version__
from .shared.errors import EngineError
from .shared.options import DEVICE, STARTER

PACKAGES = ("torch", "transformers", "numpy", "scipy", "scikit-image", "soundfile", "safetensors")
OPTIONAL = ("mediapipe", "av")  # of captures from video
MISSING = "missing"


def package_versions() -> dict[str, str]:
    """Version of each package that the engine needs, or "missing"."""
    return _versions(PACKAGES)


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    versions = {}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = MISSING
    return versions


def check(bundle: str = STARTER, device: str = DEVICE) -> dict:
    """Facts of this Python and the first thing that keeps the engine from running.

    Keys: "engine", "python" (versions), "executable", "packages" (name to version or "missing"), "device",
    "device_name", "memory" and "free_memory" (bytes of the device; None when unknown), "bundle" (its name),
    "optional" (packages of captures from video), "problem" (one sentence that names the fix, empty when there is none).
    """
    packages = package_versions()
    facts: dict[str, object] = {
        "engine": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "packages": packages,
        "optional": _versions(OPTIONAL),
        "device": "",
        "device_name": "",
        "memory": None,
        "free_memory": None,
        "bundle": "",
        "problem": "",
    }
    missing = [name for name, number in packages.items() if number == MISSING]
    if missing:
        facts["problem"] = f"This Python lacks {', '.join(missing)}; install the engine runtime or name another Python."
        return facts
    try:
        facts |= _device_and_bundle(bundle, device)
    except EngineError as error:
        facts["problem"] = str(error)
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        facts["problem"] = f"The engine's packages do not load ({reason}); install the engine runtime again."
    return facts


def _device_and_bundle(bundle: str, device: str) -> dict:
    import torch

    from .bundle import Bundle
    from .devices import choose_device, device_name

    chosen = choose_device(device)
    free, total = torch.cuda.mem_get_info(chosen) if chosen.type == "cuda" else _free_and_total_memory()
    facts = {"device": str(chosen), "device_name": device_name(chosen), "memory": total, "free_memory": free}
    return facts | {"bundle": Bundle.open(bundle).name}


def _free_and_total_memory() -> tuple[int | None, int | None]:
    names = getattr(os, "sysconf_names", {})
    sizes = [
        os.sysconf("SC_PAGE_SIZE") * os.sysconf(name) if name in names else None
        for name in ("SC_AVPHYS_PAGES", "SC_PHYS_PAGES")
    ]
    return sizes[0], sizes[1]


def main() -> None:
    """Print the facts."""
    parser = argparse.ArgumentParser(prog="python -m engine.check", description=__doc__)
    parser.add_argument("--bundle", default=STARTER, help="'starter' or a bundle folder (default: starter)")
    parser.add_argument("--device", default=DEVICE, help="auto, cpu or cuda (default: auto)")
    options = parser.parse_args()
    sys.stdout.write(json.dumps(check(options.bundle, options.device)) + "\n")


if __name__ == "__main__":
    main()
