"""Pictures and sound of a video file, by PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import gcd
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.signal import resample_poly

from ..shared.errors import EngineError
from ..shared.units import SAMPLE_RATE

LARGEST_PICTURE = 4096 * 4096
SEEK_SECONDS = 2.0  # what comes before is decoded rather than sought


class Picture(NamedTuple):
    """One picture: seconds from the start of the video, and pixels (h, w, 3) uint8, upright."""

    time: float
    pixels: np.ndarray


def pictures(path: str | Path, start: float = 0.0, duration: float | None = None) -> Iterator[Picture]:
    """The pictures of a video in order, turned as the camera was held.

    start, duration: the part of it, seconds; the times count from its start.

    Raises EngineError when PyAV is missing, or the file is missing, damaged, or no video.
    """
    with _opened(path) as container:
        stream = _pictures_of(container, path)
        if stream.width * stream.height > LARGEST_PICTURE:
            raise EngineError(f"{path} has pictures of {stream.width} × {stream.height}; make them smaller.")
        stream.thread_type = "AUTO"
        begin = None if stream.start_time is None else float(stream.start_time * stream.time_base)
        if start > SEEK_SECONDS and begin is not None:
            container.seek(round((begin + start) * 1_000_000))  # to the picture before that stands for itself
        for frame in container.decode(stream):
            time = float(frame.time or 0.0)
            begin = time if begin is None else begin
            time -= begin + start
            if duration is not None and time >= duration:
                return
            if time < -1e-6:
                continue
            turns = round(-(getattr(frame, "rotation", 0) or 0) / 90) % 4
            yield Picture(time, np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), -turns)))


def seconds_of(path: str | Path) -> float:
    """How long the pictures of a video last. Raises EngineError when PyAV is missing or the file is no video."""
    with _opened(path) as container:
        stream = _pictures_of(container, path)
        if stream.duration is not None:
            return float(stream.duration * stream.time_base)
        return float((container.duration or 0) / 1_000_000) or float("inf")


def sound(path: str | Path) -> np.ndarray:
    """The sound of a video as mono samples (S,) float32 at 16 kHz, from its first picture on.

    Raises EngineError when there is none, or the file cannot be read.
    """
    with _opened(path) as container:
        if not container.streams.audio:
            raise EngineError(f"{path} has no sound; record it with its sound, or join them first.")
        video = container.streams.video[0] if container.streams.video else None
        begin = float((video.start_time or 0) * video.time_base) if video is not None else 0.0
        stream = container.streams.audio[0]
        rate, late = stream.rate, float((stream.start_time or 0) * stream.time_base) - begin
        resampler = _av().AudioResampler(format="fltp", layout="mono", rate=rate)
        blocks = [block.to_ndarray()[0] for frame in container.decode(stream) for block in resampler.resample(frame)]
    if not blocks:
        raise EngineError(f"{path} has no sound; record it with its sound, or join them first.")
    samples = np.concatenate(blocks).astype(np.float32)
    shift = round(late * rate)
    samples = samples[-shift:] if shift < 0 else np.concatenate([np.zeros(shift, np.float32), samples])
    divisor = gcd(SAMPLE_RATE, rate)
    return resample_poly(samples, SAMPLE_RATE // divisor, rate // divisor).astype(np.float32)


@contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    """A video file, open. What PyAV cannot do with it becomes an EngineError, and so does PyAV's absence."""
    av = _av()
    try:
        with av.open(str(path)) as container:
            yield container
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise EngineError(f"{path} is damaged, missing or no video; choose a file that plays.") from error


def _pictures_of(container: Any, path: str | Path) -> Any:
    """The stream of pictures. Raises EngineError when there is none."""
    if not container.streams.video:
        raise EngineError(f"{path} has no pictures; choose a video.")
    return container.streams.video[0]


def _av():
    try:
        import av
        import av.error
    except ImportError as error:
        raise EngineError("Reading videos takes the package av; pip install av.") from error
    return av
