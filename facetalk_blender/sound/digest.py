"""Whether a sound is still the one that a take was made from: digests of contents, found by a worker thread."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import bpy
import numpy as np

from .packed import content_of, key_of
from .strip import sound_path


class SoundDigests:
    """Digests by the file's place, size and time, so that drawing a panel costs no more than asking for these."""

    def __init__(self):
        self._found: dict[tuple, Future] = {}
        self._worker: ThreadPoolExecutor | None = None

    def of(self, strip: bpy.types.SoundStrip, wait: bool = False) -> str | None:
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
            key = key_of(strip.sound)
        if key not in self._found:
            content = content_of(strip.sound)
            self._worker = self._worker or ThreadPoolExecutor(1, "facetalk-digest")
            self._found[key] = self._worker.submit(_content_digest, path, content)
        return self._found[key].result() if wait or self._found[key].done() else None

    def clear(self) -> None:
        """Forget all and end the worker thread."""
        self._found.clear()
        if self._worker is not None:
            self._worker.shutdown(wait=False, cancel_futures=True)
        self._worker = None


DIGESTS = SoundDigests()


def _content_digest(path: Path, content: np.ndarray | None) -> str:
    if content is not None:
        return hashlib.sha256(content).hexdigest()
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
