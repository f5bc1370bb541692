"""Sentences spoken by espeak-ng's formant voices in many languages, with exact phone times from its library's events.

The library is called directly, since the program prints phone times for foreign voices only. One process, one voice
at a time; events name phones in the International Phonetic Alphabet, cut after eight bytes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import numpy as np

from engine.shared.errors import EngineError
from training.data.alignment import HOP, band_level
from training.data.phone_sets import from_ipa, rows
from training.data.utterance import Utterance, to_samples
from training.phones import PHONES, SILENCE, to_phone

# Values of espeak-ng/speak_lib.h.
_SYNCHRONOUS, _PHONEME_EVENTS_IN_IPA = 2, 3
_END_OF_LIST, _PHONEME = 0, 7
_UTF_8, _END_PAUSE = 1, 0x1000
_RATE, _PITCH = 1, 3
# A closure is this much quieter than the phone before it, and lasts no longer.
_CLOSURE_DEPTH_DB, _LONGEST_CLOSURE = 15.0, 0.1
_CLOSURE_AFTER_PAUSE = 0.05  # seconds; nothing is heard of it
_SHORTEST_PAUSE = 0.06  # seconds; shorter gaps between syllables belong to the phone before them
# Variants that change the vocal tract or the glottis without defacing the phones.
SPEAKERS = ("m1", "m3", "m7", "f1", "f2", "f4", "Annie", "Andrea", "Michael", "klatt2", "klatt4", "whisper")


class _Identifier(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("identifier", _Identifier),
    )  # fmt: skip


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Library:
    """libespeak-ng. Raises EngineError when it is not installed."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL("libespeak-ng.so.1")
        except OSError as error:
            raise EngineError("The text-to-speech library is missing; install Debian's espeak-ng.") from error
        self.rate = self._library.espeak_Initialize(_SYNCHRONOUS, 500, None, _PHONEME_EVENTS_IN_IPA)
        if self.rate <= 0:
            raise EngineError("espeak-ng finds none of its voices; install Debian's espeak-ng-data.")
        self._library.espeak_Synth.argtypes = (
            ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
            ctypes.c_void_p, ctypes.c_void_p,
        )  # fmt: skip
        self._audio: list[np.ndarray] = []
        self._phones: list[tuple[str, int]] = []
        # The library keeps the pointer, so the callback must live as long as this object.
        self._callback = _Callback(self._receive)
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, audio, count: int, events) -> int:
        if audio and count > 0:
            self._audio.append(np.ctypeslib.as_array(audio, (count,)).copy())
        index = 0
        while events[index].type != _END_OF_LIST:
            if events[index].type == _PHONEME:
                name = events[index].identifier.string.decode("utf-8", "ignore")
                self._phones.append((name, events[index].sample))
            index += 1
        return 0

    def speak(self, voice: str, text: str, words_per_minute: int, pitch: int) -> tuple[np.ndarray, list]:
        """Audio (T,) float32 at `rate` and its phones [(IPA name, start s, end s)]. pitch: 0 to 100, 50 is usual."""
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise EngineError(f"espeak-ng has no voice {voice}; install Debian's espeak-ng-data.")
        self._library.espeak_SetParameter(_RATE, words_per_minute, 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)
        self._audio.clear()
        self._phones.clear()
        encoded = text.encode() + b"\0"
        self._library.espeak_Synth(encoded, len(encoded), 0, 1, 0, _UTF_8 | _END_PAUSE, None, None)
        audio = np.concatenate([np.zeros(0, np.int16), *self._audio]).astype(np.float32) / 32768
        ends = [sample for _, sample in self._phones[1:]] + [len(audio)]
        phones = [
            (name, start / self.rate, end / self.rate) for (name, start), end in zip(self._phones, ends, strict=True)
        ]
        return audio, phones


@cache
def library() -> Library:
    """The one instance, since the C library has global state."""
    return Library()


def speak(voice: str, texts: list[str], seed: int) -> Iterator[Utterance]:
    """One utterance per text, each by another variant, rate and pitch drawn from the seed."""
    generator = np.random.default_rng((seed, *voice.encode()))
    for index, text in enumerate(texts):
        speaker = f"{voice}+{SPEAKERS[generator.integers(len(SPEAKERS))]}"
        rate, pitch = int(generator.integers(140, 196)), int(generator.integers(30, 71))
        audio, names = library().speak(speaker, text, rate, pitch)
        samples = to_samples(audio, library().rate)
        phones = with_closures(phone_rows(names, voice), samples)
        yield Utterance(f"espeak/{voice}{index:05d}", "espeak", f"espeak-{speaker}", phones, samples)


def phone_rows(names: list[tuple[str, float, float]], voice: str) -> list:
    """Phone rows from (name, start, end) of a voice."""
    return rows(
        [
            (from_ipa(name, f"espeak-ng {voice}") if name or end - start >= _SHORTEST_PAUSE else [], start, end)
            for name, start, end in names
        ]
    )


def with_closures(phones: list, samples: np.ndarray) -> list:
    """Phone rows whose stops begin with their closure: espeak-ng counts the quiet before the burst to the phone before.

    Before a stop the phone gives up its quiet end, but keeps at least a third of itself; a pause gives up 50 ms.
    """
    level = band_level(samples.astype(np.float32) / 32768, 300, 4000)
    result = [list(row) for row in phones]
    for before, row in pairwise(result):
        is_stop = PHONES[to_phone(row[0])].manner == "stop" or row[0] in ("CH", "JH")
        first, last = int(before[1] / HOP), min(int(row[1] / HOP), len(level))
        if is_stop and before[0] == SILENCE:
            before[2] = row[1] = round(max(row[1] - _CLOSURE_AFTER_PAUSE, (before[1] + row[1]) / 2), 5)
            continue
        if not is_stop or last - first < 3:
            continue
        limit = np.percentile(level[first:last], 75) - _CLOSURE_DEPTH_DB
        earliest = max(first + (last - first) // 3, last - int(_LONGEST_CLOSURE / HOP))
        # The burst may reach into the last hop before its label.
        start = last - 1
        while start > earliest and level[start - 1] < limit:
            start -= 1
        if start < last - 1:
            before[2] = row[1] = round(start * HOP, 5)
    return result
