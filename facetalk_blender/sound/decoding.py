"""Sounds as Blender decodes them, in pieces: for those that the engine reads otherwise than Blender plays them.

aud keeps Python's lock while it decodes, so a long decoding would stop Blender's window whatever thread it is in: what
takes longer than a moment runs in a process of its own (`decoding_process.py`), which imports this file alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy  # first: without a window, aud is a part of it

import aud  # isort: skip
import numpy as np

PIECE = 20.0  # seconds that are decoded at once; each opens the file again
OVERLAP = 0.4  # seconds by which a piece reaches back into the one before
COMPARED = 0.2  # seconds at the end of the overlap that have to agree: codecs need a moment after a jump
LARGEST_SHIFT = 0.06  # seconds by which a jump may be off
START = 0.7  # seconds at the beginning that show whether a sound plays as it is read
LARGEST_DIFFERENCE = 0.1  # of the power there: AAC fills its upper bands with random noise
STEREO_SECONDS = 600.0  # longer sounds are mixed to one channel, which halves the memory


def sound_in(path: Path) -> aud.Sound:
    """The sound of a file; whether it can be read shows when it is."""
    return aud.Sound(str(path))


def sound_of(strip: bpy.types.SoundStrip, path: Path) -> aud.Sound:
    """The sound of a strip, packed or in its file. Keeps no reference to Blender's data."""
    if strip.sound.packed_file is None:
        return sound_in(path)
    scene = strip.id_data
    with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
        graph = bpy.context.evaluated_depsgraph_get()
    return strip.sound.evaluated_get(graph).factory or sound_in(path)


def seconds_of(sound: aud.Sound) -> float:
    """Length of a sound as its container tells it; 0 when it cannot be read."""
    try:
        return max(sound.length / sound.specs[0], 0.0)
    except aud.error:
        return 0.0


def plays_as_read(sound: aud.Sound) -> bool:
    """Whether Blender plays a sound as one reads it who does not jump first, as libsndfile does.

    Before it plays, Blender jumps, and is then elsewhere in some files (25 ms in an MP3 with an encoder's header).
    False also where nothing tells, because the sound is silent there or cannot be read.
    """
    rate = sound.specs[0]
    try:
        plain, jumped = sound.limit(0.0, START).data(), _played(sound, 0.5 / rate, START)
    except aud.error:
        return False
    count = min(len(plain), len(jumped))  # a rounded end
    return bool(plain[:count].any()) and _agree(plain[:count], jumped[:count])


def _played(sound: aud.Sound, begin: float, end: float) -> np.ndarray:
    """Samples between two seconds of a sound as Blender plays them: by a decoder that has run and then jumped."""
    part = sound.limit(begin, end)
    twice = part.loop(1).data()
    expected = round((end - begin) * sound.specs[0])
    return twice[expected if len(twice) == 2 * expected else len(part.data()) :]


class Decoding:
    """Samples of a part of a sound: the same as those that Blender plays from there on.

    start, duration: the part in seconds. rate: Hz. channels: 1 or 2. count: of samples, if the part is whole.
    """

    def __init__(self, sound: aud.Sound, start: float, duration: float):
        """Raises aud.error when the sound cannot be read."""
        rate, channels = sound.specs
        self.rate = round(rate)
        self._sound = sound if channels <= 2 else sound.rechannel(2)
        if duration > STEREO_SECONDS:
            self._sound = sound.rechannel(1)
        self._first, self.count = round(start * rate), max(round(duration * rate), 0)
        self.channels = self._sound.specs[1]

    def pieces(self) -> Iterator[tuple[int, np.ndarray]]:
        """Places in the part and the samples (S, channels) float32 from there on; later ones count.

        They end early when the sound does or is damaged. Raises aud.error when nothing can be decoded.
        """
        before, position = None, 0
        while position < self.count:
            piece = self._piece(position, before)
            if piece is None:
                # Jumps in this file lead anywhere: only all at once is what Blender plays.
                yield 0, self._read(0, self.count)[: self.count]
                return
            piece = piece[: self.count - position]  # a rounded end
            if not len(piece):
                return
            yield position, piece
            before, position = piece, position + len(piece)

    def _piece(self, position: int, before: np.ndarray | None) -> np.ndarray | None:
        """Samples from a position of the part on, joined to those before; None where they do not fit to them."""
        count = min(round(PIECE * self.rate), self.count - position)
        if before is None:
            return self._read(0, count)
        back, compared, largest = (round(seconds * self.rate) for seconds in (OVERLAP, COMPARED, LARGEST_SHIFT))
        back = min(back, len(before))
        piece = self._read(position - back, back + count + largest)
        join = back
        if not _fits(before, piece, join, compared):
            join += _shift(before[-back:], piece[:back], largest)  # the most work, and seldom needed
        return piece[join : join + count] if _fits(before, piece, join, compared) else None

    def _read(self, first: int, count: int) -> np.ndarray:
        """Samples of the part, counted from its start."""
        # aud rounds down; half a sample keeps it from the one before, and makes it jump to the first one as well.
        begin, end = ((self._first + position + 0.5) / self.rate for position in (first, first + count))
        return _played(self._sound, begin, end)


def _fits(before: np.ndarray, piece: np.ndarray, join: int, compared: int) -> bool:
    """Whether a piece goes on from one sample on with what came before."""
    return _agree(before[-compared:], piece[max(join - compared, 0) : join])


def _shift(before: np.ndarray, after: np.ndarray, largest: int) -> int:
    """By how many samples a reading has to begin later to fit to the one before."""
    first, second = before.mean(axis=1), after.mean(axis=1)
    size = 1 << (len(first) + len(second)).bit_length()
    spectrum = np.conj(np.fft.rfft(first, size)) * np.fft.rfft(second, size)
    correlation = np.roll(np.fft.irfft(spectrum, size), largest)[: 2 * largest + 1]
    return int(correlation.argmax()) - largest


def _agree(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether two readings of the same moments are the same."""
    if len(before) != len(after):
        return False
    difference = np.square(before - after, dtype=np.float64).sum()
    return difference <= LARGEST_DIFFERENCE * np.square(before, dtype=np.float64).sum() + 1e-9
