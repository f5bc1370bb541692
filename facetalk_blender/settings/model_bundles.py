"""The model bundles that the preferences list: what each can do and under which licence."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import bpy

from ...engine.shared.arkit import conversion_text
from ...engine.shared.controls import EYE_CONTROLS
from ...engine.shared.hostile_files import UNREADABLE, parse_json
from ...engine.shared.options import STARTER
from ..engine_access.bundle_import import BundleImport

STARTER_CONFIG = Path(__file__).resolve().parents[2] / "engine" / "starter" / "config.json"
LARGEST_CONFIG = 1 << 20  # letters
ABILITIES = {"sample": "speak recordings", "surfaces": "Frame Meshes", "shape_keys": "Shape Keys"}
STARTER_INFORMATION = {"missing": {}, "arkit_weights": "exact"}


class FaceTalkModelBundle(bpy.types.PropertyGroup):
    """A model bundle on this computer."""

    folder: bpy.props.StringProperty(name="Folder", description="Where the bundle lies")
    licences: bpy.props.StringProperty(name="Licences", description="Terms of its parts, one a line")
    abilities: bpy.props.StringProperty(name="Abilities", description="What it can do and what it lacks")


def abilities_text(information: dict) -> str:
    """What a bundle can do, in words, of the engine's information on it."""
    missing: dict[str, list[str]] = information["missing"]
    able = [words for ability, words in ABILITIES.items() if not missing.get(ability)]
    unable = [f"{ABILITIES[name]} (lacks {', '.join(parts)})" for name, parts in missing.items() if parts]
    lines = [f"Can: {', '.join(able) or 'nothing on its own'}"]
    lines += [f"Cannot: {', '.join(unable)}"] if unable else []
    return "\n".join([*lines, f"ARKit weights: {conversion_text(information)}"])


def controls_of(bundle: str) -> tuple[str, ...]:
    """What performances a bundle can be asked for; none when it cannot be read. bundle: as the engine takes it."""
    config = STARTER_CONFIG if bundle == STARTER else Path(bundle) / "config.json"
    try:
        return _controls(config, config.stat().st_mtime_ns)
    except OSError:
        return ()


@cache
def _controls(config: Path, _changed: int) -> tuple[str, ...]:
    try:
        content = parse_json(config.read_text("utf-8"), LARGEST_CONFIG)
        known = tuple(map(str, content["motion"]["controls"]))
        # Of codes that are ARKit weights, as those of all models with controls but fitted ones are, eyes can be turned.
        return known if not known or "arkit" in content.get("head", {}) else (*known, *EYE_CONTROLS)
    except UNREADABLE:
        return ()


def licences_text(licences: dict[str, str]) -> str:
    """Licences of a bundle's parts, one a line."""
    return "\n".join(f"{part}: {licence}" for part, licence in licences.items())


@cache
def starter_licences() -> str:
    """Licences of the built-in bundle."""
    return licences_text(json.loads(STARTER_CONFIG.read_text("utf-8"))["licences"])


def listed(bundles: bpy.types.bpy_prop_collection, folder: str) -> FaceTalkModelBundle | None:
    """The entry of a folder, or None."""
    return next((entry for entry in bundles if entry.folder == folder), None)


def record(bundles: bpy.types.bpy_prop_collection, finished: BundleImport) -> FaceTalkModelBundle:
    """List what an import has made; a bundle that is listed already is described anew."""
    entry = listed(bundles, finished.folder) or bundles.add()
    entry.name = str(finished.information["bundle"])
    entry.folder = finished.folder
    entry.licences = licences_text(finished.information["licences"])
    entry.abilities = abilities_text(finished.information)
    return entry


def free_folder(parent: Path, name: str) -> Path:
    """A folder below `parent` that does not exist yet: the name, or the name with a number."""
    folder, number = parent / name, 2
    while folder.exists():
        folder, number = parent / f"{name} {number}", number + 1
    return folder


CLASSES = (FaceTalkModelBundle,)
