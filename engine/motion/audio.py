"""Recordings: any file that libsndfile reads, or else a decoder on this computer, to mono samples at 16 kHz.

The level is left as it is (the speech encoder normalises every clip), clipping too. Reading keeps one channel in
memory, never all of them.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import soundfile
from scipy.signal import resample_poly

from ..shared.errors import EngineError, UnreadableSound
from ..shared.options import MAXIMUM_SECONDS
from ..shared.units import CODE_RATE, SAMPLE_RATE
from .decoding import decoded, goes_on_after_its_header_says

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LOWEST_RATE, HIGHEST_RATE = 4000, 384000  # Hz
BLOCK_SAMPLES = 1 << 18
# A channel is silent when its power is 80 dB below the loudest one's.
SILENT_POWER_RATIO = 1e-8
# A mix that loses more than 13 dB against its loudest channel has channels that cancel each other.
CANCELLED_POWER_RATIO = 0.05
# What containers say of their length is so much off at most, padding of codecs included.
LENGTH_TOLERANCE = 0.15  # seconds
UNKNOWN_SIZE = b"\xff\xff\xff\xff"  # of a chunk of a WAV file: it ends with the file
# Larger values are no sound: a healthy recording lies in -1..1, a wrongly scaled one in -2^31..2^31.
LARGEST_SAMPLE = 1e10


def frame_count(sample_count: int, rate: float = CODE_RATE) -> int:
    """Code frames N = round(rate * seconds) of a clip of 16 kHz samples."""
    return round(rate * sample_count / SAMPLE_RATE)


def load(
    recording: str | PathLike | bytes | tuple[np.ndarray, int],
    *,
    start: float = 0.0,
    duration: float | None = None,
    whole_seconds: float | None = None,
) -> np.ndarray:
    """Mono samples (S,) float32 at 16 kHz, without offset, of a part of a recording.

    recording: a sound file or its content, or (samples, rate) with samples (S,) or (S, channels); integers count as
        full scale. The content decides how it is decoded, never its name.
    start, duration: the part in seconds; None reads to the end, and so does a duration beyond it.
    whole_seconds: how long a player says that the whole file is. It can decode what libsndfile cannot, or reads as
        another length: UnreadableSound says so. Without one, PyAV or ffmpeg decode, where there is one.

    Raises EngineError when the recording cannot be read, holds NaN or infinity, or the part is shorter than one frame
    of motion or longer than an hour.
    """
    if isinstance(recording, tuple):
        array = _Array(*recording)
        return _prepare(array, array.part(start, duration))
    name = "The sound" if isinstance(recording, bytes) else Path(recording).name
    if not isinstance(recording, bytes) and not Path(recording).is_file():
        raise EngineError(f"There is no sound file at {recording}; relink the sound strip or choose another file.")
    try:
        return _read(recording, name, start, duration, whole_seconds)
    except UnreadableSound:
        samples = decoded(recording, start, duration) if whole_seconds is None else None
        if samples is None:
            raise
        array = _Array(samples, SAMPLE_RATE, name)
        return _prepare(array, array.part(0.0, None))


def _read(
    recording: str | PathLike | bytes, name: str, start: float, duration: float | None, whole_seconds: float | None
) -> np.ndarray:
    """As `load`, by libsndfile. Raises UnreadableSound when it cannot, or reads another length."""
    try:
        with _opened(recording) as file:
            source = _File(file, name)
            seconds = source.length / source.rate
            if whole_seconds is not None and abs(seconds - whole_seconds) > LENGTH_TOLERANCE:
                raise UnreadableSound(f"{name} plays {whole_seconds:.2f} s and reads {seconds:.2f} s; export it again.")
            if file.format == "MP3" and _has_more(recording):
                raise UnreadableSound(f"{name} is several MP3 files in one; join them to one sound, or install ffmpeg.")
            return _prepare(source, source.part(start, duration))
    except (soundfile.LibsndfileError, OSError) as error:
        raise UnreadableSound(
            f"{name} is damaged or no sound file this can read; convert it to WAV, FLAC, Ogg or MP3, or install ffmpeg."
        ) from error


def _opened(recording: str | PathLike | bytes) -> soundfile.SoundFile:
    """An open sound file; a WAV file that was never finished goes on to its end, as players have it."""
    file = soundfile.SoundFile(io.BytesIO(recording) if isinstance(recording, bytes) else recording)
    if file.frames or file.format not in ("WAV", "WAVEX"):
        return file
    with io.BytesIO(recording) if isinstance(recording, bytes) else Path(recording).open("rb") as content:
        place = _open_end(content)
    if place is None:
        return file
    file.close()
    if isinstance(recording, bytes):
        return soundfile.SoundFile(io.BytesIO(recording[:place] + UNKNOWN_SIZE + recording[place + 4 :]))
    return soundfile.SoundFile(_Unfinished(recording, place))


def _open_end(content: BinaryIO) -> int | None:
    """Where a WAV file says that its samples have the size 0, as while it is written; None where they have another."""
    place = 12
    while True:
        content.seek(place)
        header = content.read(9)
        if len(header) < 9:  # no chunk, or nothing in it
            return None
        size = int.from_bytes(header[4:8], "little")
        if header[:4] == b"data":
            return place + 4 if size == 0 else None
        place += 8 + size + size % 2


class _Unfinished(io.FileIO):
    """A WAV file that says of its samples, at `place`, that their size is unknown: they end with the file."""

    def __init__(self, path: str | PathLike, place: int) -> None:
        super().__init__(path)
        self._place = place

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        """As of any file."""
        first, view = self.tell(), memoryview(buffer).cast("B")
        count = super().readinto(buffer)
        for index, value in enumerate(UNKNOWN_SIZE, start=self._place - first):
            if count and 0 <= index < count:
                view[index] = value
        return count


def _has_more(recording: str | PathLike | bytes) -> bool:
    return not isinstance(recording, bytes) and goes_on_after_its_header_says(Path(recording))


@dataclass(frozen=True)
class _Part:
    """Samples first ... first + count - 1 of a source."""

    first: int
    count: int


class _Source:
    """Something with a rate, a length and channels that can be read in blocks (s, C) float32."""

    rate: int
    length: int
    channels: int
    name: str

    def blocks(self, part: _Part) -> Iterator[np.ndarray]:
        raise NotImplementedError

    def part(self, start: float, duration: float | None) -> _Part:
        """The part in whole samples. Raises EngineError when it lies outside the recording or is too long."""
        if not LOWEST_RATE <= self.rate <= HIGHEST_RATE:
            raise EngineError(f"{self.name} has a sample rate of {self.rate} Hz; convert it to 16000 to 192000 Hz.")
        if not self.length:
            raise EngineError(f"{self.name} has no sound; choose another file.")
        if not (math.isfinite(start) and 0 <= start < self.length / self.rate):
            raise EngineError(f"{self.name} has no sound at {start:g} s; move the start into the recording.")
        if duration is not None and not (math.isfinite(duration) and duration > 0):
            raise EngineError(f"A part of {duration:g} s cannot be read; choose a duration above zero.")
        first = round(start * self.rate)
        count = self.length - first if duration is None else min(round(duration * self.rate), self.length - first)
        if count / self.rate > MAXIMUM_SECONDS:
            raise EngineError(f"{self.name} is longer than {MAXIMUM_SECONDS / 60:.0f} minutes; cut it into parts.")
        return _Part(first, count)


class _File(_Source):
    """An open sound file."""

    def __init__(self, file: soundfile.SoundFile, name: str) -> None:
        self.file, self.name = file, name
        self.rate, self.length, self.channels = file.samplerate, file.frames, file.channels

    def blocks(self, part: _Part) -> Iterator[np.ndarray]:
        self.file.seek(part.first)
        remaining = part.count
        while remaining:
            block = self.file.read(min(BLOCK_SAMPLES, remaining), dtype="float32", always_2d=True)
            if not len(block):
                raise UnreadableSound(
                    f"{self.name} ends {remaining / self.rate:.1f} s too early; export the sound again."
                )
            remaining -= len(block)
            yield block


class _Array(_Source):
    """Samples in memory."""

    def __init__(self, samples: np.ndarray, rate: int, name: str = "The recording") -> None:
        self.name = name
        samples = np.asarray(samples)
        if samples.ndim not in (1, 2) or samples.dtype.kind not in "fi":
            raise EngineError("A recording is an array of samples, or of samples by channels; pass one of these.")
        if int(rate) != rate:
            raise EngineError(f"A sample rate of {rate} Hz is not supported; use a whole number.")
        self.scale = 1.0 / -np.iinfo(samples.dtype).min if samples.dtype.kind == "i" else 1.0
        self.samples = samples.reshape(len(samples), -1)
        self.rate, (self.length, self.channels) = int(rate), self.samples.shape

    def blocks(self, part: _Part) -> Iterator[np.ndarray]:
        for start in range(part.first, part.first + part.count, BLOCK_SAMPLES):
            block = self.samples[start : min(start + BLOCK_SAMPLES, part.first + part.count)]
            yield block.astype(np.float32) * np.float32(self.scale)


def _prepare(source: _Source, part: _Part) -> np.ndarray:
    """One part of a source as mono samples (S,) float32 at 16 kHz."""
    if frame_count(math.ceil(part.count * SAMPLE_RATE / source.rate)) < 1:
        raise EngineError(
            f"{source.name} is shorter than one frame of motion ({1000 / CODE_RATE:.0f} ms); choose a longer strip."
        )
    weights = _mix_weights(_channel_products(source.blocks(part), source))
    mono = np.concatenate([block @ weights for block in source.blocks(part)])
    mono -= mono.mean(dtype=np.float64).astype(np.float32)
    divisor = math.gcd(SAMPLE_RATE, source.rate)
    return resample_poly(mono, SAMPLE_RATE // divisor, source.rate // divisor).astype(np.float32, copy=False)


def _channel_products(blocks: Iterable[np.ndarray], source: _Source) -> np.ndarray:
    """Sums of products of every two channels, (C, C) float64. Raises EngineError for samples that are no numbers."""
    products = np.zeros((source.channels, source.channels))
    for block in blocks:
        # The comparison is False for NaN as well.
        if not (np.abs(block) < LARGEST_SAMPLE).all():
            raise EngineError(f"{source.name} holds NaN, infinity or absurd values; export the sound again.")
        block = block.astype(np.float64)
        products += block.T @ block
    return products


def _mix_weights(products: np.ndarray) -> np.ndarray:
    """Weights (C,) float32 of the channels in the mix, from their sums of products (C, C).

    The mean of the channels that are not silent, so that a voice on one side keeps its level; the loudest channel
    alone where they cancel each other.
    """
    powers = np.diag(products)
    active = powers >= SILENT_POWER_RATIO * powers.max()
    weights = active / active.sum()
    if weights @ products @ weights < CANCELLED_POWER_RATIO * powers.max():
        weights = np.arange(len(powers)) == powers.argmax()
    return weights.astype(np.float32)
