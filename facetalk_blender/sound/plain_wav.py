"""WAV files with plain samples: Blender plays them as anybody reads them, so that it need not be asked.

Asking is slow for them: where samples have 16 bits, FFmpeg first looks through 5 MB for other formats in disguise,
which holds Blender's window for a tenth of a second.
"""

from __future__ import annotations

import struct
from pathlib import Path

HEAD_BYTES = 1 << 16
INTEGERS, FLOATS, EXTENSIBLE = 1, 3, 0xFFFE
BYTES = {INTEGERS: (1, 2, 3, 4), FLOATS: (4, 8)}  # of a sample
FORMAT = struct.Struct("<HHIIHH")  # kind, channels, rate, bytes a second, bytes a frame, bits


def head_of(path: Path) -> tuple[bytes, int]:
    """The beginning of a file, and its size; nothing of one that cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES), path.stat().st_size
    except OSError:
        return b"", 0


def is_wav(head: bytes) -> bool:
    """Whether this is the beginning of a WAV file, plain or not."""
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"


def seconds_of_file(path: Path) -> float | None:
    """Length of a file of plain samples; None for others, and for those that are damaged."""
    return seconds_of(*head_of(path))


def seconds_of(head: bytes, size: int) -> float | None:
    """The same for the beginning of a file and the size of all of it."""
    if not is_wav(head):
        return None
    frame = rate = 0
    place = 12
    while place + 8 <= len(head):
        name, length = head[place : place + 4], int.from_bytes(head[place + 4 : place + 8], "little")
        if name == b"fmt ":
            frame, rate = _frame_and_rate(head[place + 8 : place + 8 + min(length, 40)])
        elif name == b"data":
            whole = 0 < length <= size - place - 8
            return length // frame / rate if frame and whole else None
        place += 8 + length + length % 2
    return None


def _frame_and_rate(chunk: bytes) -> tuple[int, int]:
    """Bytes of a frame, and frames a second; zeros where samples are not plain."""
    if len(chunk) < FORMAT.size:
        return 0, 0
    kind, channels, rate, _, frame, bits = FORMAT.unpack_from(chunk)
    if kind == EXTENSIBLE and len(chunk) >= 26:
        kind = int.from_bytes(chunk[24:26], "little")
    sample = bits // 8
    plain = rate > 0 and bits % 8 == 0 and sample in BYTES.get(kind, ()) and channels > 0 and frame == sample * channels
    return (frame, rate) if plain else (0, 0)
