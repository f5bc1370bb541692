"""The packages that the engine needs, and which of them this Python has. Standard library only."""

from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("torch", "transformers", "numpy", "scipy", "scikit-image", "soundfile", "safetensors")
MISSING = "missing"


def package_versions() -> dict[str, str]:
    """Version of each package, or "missing"."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = MISSING
    return versions
