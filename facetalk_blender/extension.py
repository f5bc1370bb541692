"""Where the extension keeps files on this computer: they outlive an update, which replaces its own folder."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy

EXTENSION = __package__.rpartition(".")[0]


def user_folder(name: str) -> Path:
    """Folder `name` of the extension's user data; it may not exist yet."""
    try:
        return Path(bpy.utils.extension_path_user(EXTENSION, path=name))
    except ValueError:  # run from a source folder, not installed as an extension
        return Path(bpy.utils.user_resource("DATAFILES", path="facetalk_blender"), name)


def wheel_folders() -> tuple[str, ...]:
    """Where Blender has installed the wheels of extensions; the user's own packages lie below another ".local"."""
    extensions = Path(bpy.utils.user_resource("EXTENSIONS"), ".local")
    return tuple(path for path in sys.path if Path(path).is_relative_to(extensions))
