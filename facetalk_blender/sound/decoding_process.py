"""Decoding beside Blender: a process of Blender's own Python decodes a part of a sound and sends the samples.

This file is its script too, which gets a file and a part in seconds. On its standard output it sends, after what
Blender may print, START, then rate, channels and count, and for every piece its place, its length and its samples.
"""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import BinaryIO

import numpy as np

START = b"\0FaceTalk samples:"
HEAD, PIECE = struct.Struct("<qqq"), struct.Struct("<qq")  # rate, channels, count; place and samples, or END
END = (-1, -1)
FAILED_STATUS = 3
LARGEST_COUNT = 1 << 31
CHUNK = 1 << 16


class DecodingProcess:
    """Samples (S, channels) float32 of a part of a sound, found by another process; a thread listens to it.

    rate: Hz. share: of the part that is there, 0 to 1. failed: that nothing could be decoded, once `running` is false.
    """

    def __init__(self, path: Path, content: np.ndarray | None, start: float, duration: float):
        """content: of a packed sound, uint8, in place of the file's."""
        self.rate, self.share, self.failed = 0, 0.0, False
        self.samples = np.zeros((0, 1), np.float32)
        self._question = path, content, start, duration
        self._process: subprocess.Popen | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="facetalk-decoding", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether samples are still to come."""
        return self._thread.is_alive()

    def end(self) -> None:
        """Give it up, if it runs still."""
        self._ended = True
        if self._process is not None:
            self._process.kill()

    def _run(self) -> None:
        path, content, start, duration = self._question
        self._question = ()
        try:
            with contextlib.ExitStack() as stack:
                if content is not None:
                    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="facetalk-"))
                    path = Path(folder) / "sound"
                    path.write_bytes(content)
                self._listen([str(path), str(start), str(duration)])
        except (OSError, EOFError, ValueError, MemoryError):
            self.failed = True

    def _listen(self, question: list[str]) -> None:
        command, environment = _command()
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen([*command, *question], cwd=Path(__file__).parent, env=environment, **pipes) as process:
            self._process = process
            if self._ended:
                process.kill()
            try:
                self._receive(process.stdout)
            finally:
                process.kill()

    def _receive(self, stream: BinaryIO) -> None:
        _skip_to_start(stream)
        self.rate, channels, count = HEAD.unpack(_exactly(stream, HEAD.size))
        if not (0 < self.rate and channels in (1, 2) and 0 <= count < LARGEST_COUNT):
            raise ValueError("no sound has such sizes")
        samples, found = np.zeros((count, channels), np.float32), 0
        while (place := PIECE.unpack(_exactly(stream, PIECE.size))) != END:
            first, length = place
            if not 0 <= first <= first + length <= count:
                raise ValueError("a piece lies outside of the sound")
            _read_into(stream, samples[first : first + length])
            found = first + length
            self.share = found / count
        self.samples = samples[:found]


def _command() -> tuple[list[str], dict[str, str]]:
    """What starts the process, and its environment variables: Blender, or the Python that imported it as a module."""
    import bpy

    from ..engine_access.programs import program_environment, python_command

    if bpy.app.binary_path:
        options = ["--background", "--factory-startup", "-noaudio", "--python-exit-code", str(FAILED_STATUS)]
        return [bpy.app.binary_path, *options, "--python", __file__, "--"], program_environment()
    # From site-packages/bpy/5.0/scripts/modules/bpy/__init__.py to what holds bpy.
    folders = str(Path(__file__).parent), str(Path(bpy.__file__).parents[5])
    return python_command(sys.executable, "decoding_process", folders=folders), program_environment()


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _read_into(stream: BinaryIO, samples: np.ndarray) -> None:
    view = memoryview(samples.reshape(-1)).cast("B")
    while len(view):
        count = stream.readinto(view[: 1 << 20])
        if not count:
            raise EOFError
        view = view[count:]


def _skip_to_start(stream: BinaryIO) -> None:
    """Pass over what Blender prints."""
    seen = b""
    while not seen.endswith(START):
        seen = seen[-len(START) :] + _exactly(stream, 1)


def main() -> None:
    """The other process: decode what the command line names, and send it."""
    # Whatever Blender prints from now on goes where nobody reads it.
    output = os.fdopen(os.dup(1), "wb", CHUNK)
    os.dup2(2, 1)
    sys.path.insert(0, str(Path(__file__).parent))
    import decoding

    arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    path, start, duration = arguments
    found = decoding.Decoding(decoding.sound_in(Path(path)), float(start), float(duration))
    output.write(START + HEAD.pack(found.rate, found.channels, found.count))
    for place, samples in found.pieces():
        output.write(PIECE.pack(place, len(samples)))
        output.write(np.ascontiguousarray(samples, np.float32).data)
        output.flush()
    output.write(PIECE.pack(*END))
    output.flush()
    os._exit(0)  # Blender's own way to end takes longer


if __name__ == "__main__":
    main()
