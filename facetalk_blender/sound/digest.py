"""Whether a sound is still the one that a take was made from: digests of contents, found beside Blender's main thread.

A digest is looked up by the file's place, size and time, so drawing a panel costs no more than asking for these.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import bpy

from .strip import sound_path

_digests: dict[tuple, Future] = {}
_worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="facetalk-digest")


def digest(strip: bpy.types.SoundStrip, wait: bool = False) -> str | None:
    """SHA-256 of the strip's file or packed sound; "" when it cannot be read.

    wait: block until it is known; else None stands for not known yet.
    """
    packed = strip.sound.packed_file
    path = sound_path(strip)
    if packed is None:
        try:
            facts = path.stat()
        except OSError:
            return ""
        key = (str(path), facts.st_size, facts.st_mtime_ns)
    else:
        key = ("packed", bpy.data.filepath, strip.sound.name, packed.size)
    if key not in _digests:
        content = None if packed is None else packed.data
        _digests[key] = _worker.submit(_content_digest, path, content)
    return _digests[key].result() if wait or _digests[key].done() else None


def _content_digest(path: Path, content: bytes | None) -> str:
    if content is not None:
        return hashlib.sha256(content).hexdigest()
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
