"""Sound files that libsndfile cannot read, decoded by PyAV or by ffmpeg, where this computer has one of them.

Inside Blender its own decoder does this. Both are kept from opening anything but the file itself.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..shared.units import SAMPLE_RATE

if TYPE_CHECKING:
    import av

LONGEST = 3601.0  # seconds that are decoded at most: an hour, and enough to see that it is more
MP3_HEADERS = (b"Xing", b"Info")  # of an encoder: how many frames and bytes follow
# The same where a frame of MPEG audio begins: its four bytes, and its side information.
ANOTHER_HEADER = re.compile(rb"\xff[\xe0-\xff]..(?:.{9}|.{17}|.{32})(?:Xing|Info)", re.DOTALL)
HEADER_BYTES = 1 << 20  # in which it is looked for; pictures may come before it
LARGEST_MP3 = 1 << 28
TIME_LIMIT = 600.0  # seconds that ffmpeg may take


def decoded(recording: str | PathLike | bytes, start: float, duration: float | None) -> np.ndarray | None:
    """Mono samples (S,) float32 at 16 kHz of a part of a sound file; None when nothing here can decode it.

    start, duration: seconds; None decodes to the end.
    """
    if isinstance(recording, bytes):
        return None
    path, length = Path(recording).absolute(), LONGEST if duration is None else min(duration, LONGEST)
    samples = _by_pyav(path, start + length)
    if samples is not None:
        samples = samples[round(start * SAMPLE_RATE) :]
    else:
        samples = _by_ffmpeg(path, start, length)
    return samples if samples is not None and len(samples) else None


def goes_on_after_its_header_says(path: Path) -> bool:
    """Whether an MP3 consists of several, put one after the other: readers that trust its header stop at the first."""
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
        at = max(head.find(mark) for mark in MP3_HEADERS)
        if at < 0 or len(head) < at + 16:
            return False
        flags, _, count = struct.unpack(">III", head[at + 4 : at + 16])
        if flags & 3 != 3:  # it tells neither the number of frames nor that of bytes
            return False
        file.seek(at + count // 2)
        rest = file.read(LARGEST_MP3)
    return ANOTHER_HEADER.search(rest) is not None


def _by_pyav(path: Path, end: float) -> np.ndarray | None:
    """Samples from the beginning to a second of the file."""
    try:
        import av
    except ImportError:
        return None
    wanted = round(end * SAMPLE_RATE)
    samples: list[np.ndarray] = []
    try:
        with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
            resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
            for frame in _frames(container):
                samples += [part.to_ndarray()[0] for part in resampler.resample(frame)]
                if frame.time is not None and frame.time > end + 1.0:
                    break
    except (av.error.FFmpegError, IndexError, OSError, ValueError):
        pass  # what was decoded until then is the sound
    return np.concatenate(samples)[:wanted] if samples else None


def _frames(container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
    """Decoded frames of the first sound of a container, without those that are broken, as players play it."""
    import av

    for packet in container.demux(audio=0):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            continue  # an encoder's header between two parts of an MP3, for one


def _by_ffmpeg(path: Path, start: float, length: float) -> np.ndarray | None:
    """Samples of a part of the file."""
    program = _ffmpeg()
    if program is None:
        return None
    command = [program, "-v", "error", "-nostdin", "-protocol_whitelist", "file", "-i", f"file:{path}"]
    command += ["-map", "0:a:0", "-ss", f"{start:.6f}", "-t", f"{length:.6f}"]
    command += ["-ac", "1", "-ar", str(SAMPLE_RATE), "-f", "f32le", "-"]
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIME_LIMIT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    data = result.stdout
    return np.frombuffer(data[: len(data) // 4 * 4], "<f4")


def _ffmpeg() -> str | None:
    """ffmpeg in an absolute folder of PATH: never in the working directory, where Windows would look first."""
    name = "ffmpeg.exe" if os.name == "nt" else "ffmpeg"
    folders = filter(os.path.isabs, os.environ.get("PATH", "").split(os.pathsep))
    candidates = (Path(folder, name) for folder in folders)
    return next((str(path) for path in candidates if path.is_file() and os.access(path, os.X_OK)), None)
