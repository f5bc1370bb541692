"""Recorded and synthesised speech with phone times, decoded once into a cache.

Data folder: `speech/labels.json.gz`, `speech/<corpus>/*.opus`, `speech/sentences_en.txt`. Corpora: speechocean762
("so762", training, eight whole speakers held out), LJ Speech ("lj32", evaluation only), FACEGOOD-Audio2Face
("facegood", speech with captured mouth motion) and sentences spoken by flite with exact phone times ("flite").
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from ..errors import EngineError
from .articulation import Segment, segments_from_labels
from .phones import PHONES, is_stressed, to_phone

SAMPLE_RATE = 16000
# Every 30th of the sorted speakers, from the 16th on: 8 of 242.
HELD_OUT_SPEAKERS = slice(15, None, 30)
FLITE_VOICES = ("rms", "slt", "awb")
# (key, corpus, speaker, phones, int16 samples)
Utterances = Iterator[tuple[str, str, str, list, np.ndarray]]
_PHONE_END = re.compile(r"([a-z]+):([0-9.]+)")


@dataclass(frozen=True)
class Clip:
    """One utterance: where its samples lie in the cache, and its phones."""

    key: str
    corpus: str
    speaker: str
    start: int
    samples: int
    phones: list  # rows [label, start seconds, end seconds]; empty where nobody labelled them

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.samples / SAMPLE_RATE


@dataclass(frozen=True)
class Corpus:
    """All clips and one memory-mapped int16 array with their samples."""

    clips: list[Clip]
    samples: np.ndarray

    def audio(self, clip: Clip) -> np.ndarray:
        """Samples of a clip, float32 (S,) in -1..1."""
        return self.samples[clip.start : clip.start + clip.samples].astype(np.float32) / 32768

    def segments(self, clip: Clip) -> list[Segment]:
        """Phone segments of a clip with the emphasis heard in its samples."""
        return segments_from_labels(clip.phones, clip.duration, emphasis(clip.phones, self.audio(clip)))

    def select(self, corpus: str, held_out: bool | None = None) -> list[Clip]:
        """Clips of one corpus; for so762 all, only the held-out or only the training speakers."""
        clips = [clip for clip in self.clips if clip.corpus == corpus]
        if held_out is None:
            return clips
        speakers = set(sorted({clip.speaker for clip in clips})[HELD_OUT_SPEAKERS])
        return [clip for clip in clips if (clip.speaker in speakers) == held_out]


def emphasis(phones: list, audio: np.ndarray) -> list[float]:
    """How strongly each labelled phone is spoken, 0.75 to 1.25 (1 = the clip's median), from loudness and stress."""
    levels = []
    for _, start, end in phones:
        part = audio[int(start * SAMPLE_RATE) : max(int(end * SAMPLE_RATE), int(start * SAMPLE_RATE) + 1)]
        levels.append(10 * np.log10(float(np.mean(part**2)) + 1e-9) if len(part) else -90.0)
    vowel = [PHONES[to_phone(label)].manner == "vowel" for label, _, _ in phones]
    reference = np.median([level for level, is_vowel in zip(levels, vowel, strict=True) if is_vowel] or [0.0])
    strengths = []
    for (label, _, _), level, is_vowel in zip(phones, levels, vowel, strict=True):
        stress = {None: 0.0, True: 0.04, False: -0.08}[is_stressed(label)]
        strengths.append(float(np.clip(1 + 0.02 * (level - reference) + stress, 0.75, 1.25)) if is_vowel else 1.0)
    return strengths


def load_corpus(data: Path, cache: Path, synthesised: int = 600) -> Corpus:
    """The corpus from the cache folder, which is filled from the data folder on first use.

    synthesised: number of sentences spoken by flite. Raises EngineError when the data folder lacks the labels or
    flite is not installed.
    """
    index = cache / "clips.json"
    if not index.is_file():
        _build_cache(data, cache, synthesised)
    clips = [Clip(**entry) for entry in json.loads(index.read_text("utf-8"))]
    return Corpus(clips, np.load(cache / "samples.npy", mmap_mode="r", allow_pickle=False))


def read_audio(path: Path) -> np.ndarray:
    """int16 samples (S,) at 16 kHz of a sound file, channels mixed down."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    if rate != SAMPLE_RATE:
        divisor = int(np.gcd(rate, SAMPLE_RATE))
        mono = resample_poly(mono, SAMPLE_RATE // divisor, rate // divisor)
    return np.clip(np.round(mono * 32767), -32768, 32767).astype(np.int16)


def _build_cache(data: Path, cache: Path, synthesised: int) -> None:
    labels = _labels(data)
    clips: list[Clip] = []
    parts: list[np.ndarray] = []
    position = 0
    evaluation_texts = {_words(entry["text"]) for entry in labels.values() if entry["corpus"] == "lj32"}
    sentences = (data / "speech" / "sentences_en.txt").read_text("utf-8").splitlines() if synthesised else []
    usable = [text for text in sentences if 20 <= len(text) <= 140 and _words(text) not in evaluation_texts]
    for source in (_recorded(data, labels), _synthesise(usable, synthesised)):
        for key, name, speaker, phones, samples in source:
            clips.append(Clip(key, name, speaker, position, len(samples), phones))
            parts.append(samples)
            position += len(samples)
    cache.mkdir(parents=True, exist_ok=True)
    np.save(cache / "samples.npy", np.concatenate(parts))
    # The index comes last: its presence says that the cache is complete.
    (cache / "clips.json").write_text(json.dumps([asdict(clip) for clip in clips]), "utf-8")


def load_recordings(data: Path, corpus: str) -> Corpus:
    """One recorded corpus straight from the data folder, without a cache."""
    clips: list[Clip] = []
    parts: list[np.ndarray] = []
    position = 0
    chosen = {key: entry for key, entry in _labels(data).items() if entry["corpus"] == corpus}
    for key, name, speaker, phones, samples in _recorded(data, chosen):
        clips.append(Clip(key, name, speaker, position, len(samples), phones))
        parts.append(samples)
        position += len(samples)
    return Corpus(clips, np.concatenate(parts))


def _labels(data: Path) -> dict[str, dict]:
    path = data / "speech" / "labels.json.gz"
    if not path.is_file():
        raise EngineError(f"{path} is missing; name the folder that holds the speech data with --data.")
    return json.loads(gzip.decompress(path.read_bytes()))


def _recorded(data: Path, labels: dict[str, dict]) -> Utterances:
    for key, entry in labels.items():
        if entry["qc_ok"] is not False:
            samples = read_audio(data / "speech" / entry["file"])
            yield key, entry["corpus"], entry["spk"], entry["phones"] or [], samples


def _words(text: str | None) -> str:
    return re.sub(r"[^a-z]+", " ", (text or "").lower()).strip()


def _synthesise(sentences: list[str], count: int) -> Utterances:
    """Sentences spread evenly over the file and over flite's voices: (key, corpus, speaker, phones, samples)."""
    if not count:
        return
    step = max(len(sentences) // count, 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sentence.wav"
        for index, text in enumerate(sentences[::step][:count]):
            voice = FLITE_VOICES[index % len(FLITE_VOICES)]
            command = ["flite", "-voice", voice, "-psdur", "-t", text, "-o", str(path)]
            try:
                printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            except (OSError, subprocess.CalledProcessError) as error:
                raise EngineError("The text-to-speech program flite is missing; install Debian's flite.") from error
            phones, start = [], 0.0
            for label, end in _PHONE_END.findall(printed):
                phones.append([label, start, float(end)])
                start = float(end)
            yield f"flite/{voice}{index:05d}", "flite", f"flite-{voice}", phones, read_audio(path)
