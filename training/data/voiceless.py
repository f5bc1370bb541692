"""Sounds that nobody speaks: animals, traffic, applause, breath, whistles, crowds, instruments.

Recordings come from Debian packages, the rest is played from soundfonts or synthesised. What the evaluation listens to
is of other packages, soundfonts and voices than what is trained on.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import butter, lfilter, sosfilt

from engine.shared.errors import EngineError
from engine.shared.units import SAMPLE_RATE
from training.data.utterance import read_audio

SHORTEST = 0.08  # seconds
_FIRST_PAGE = b"OggS\0\2"


@dataclass(frozen=True)
class Source:
    """Sound files of one Debian package.

    folder: where the package puts them. patterns: of their names in it. left_out: parts of names that are not wanted.
    """

    package: str
    folder: str
    patterns: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @property
    def installed(self) -> bool:
        """Whether the package is there."""
        return Path(self.folder).is_dir()

    def paths(self) -> list[Path]:
        """Its files. Raises EngineError when the package is not installed."""
        folder = Path(self.folder)
        found = sorted({path for pattern in self.patterns for path in folder.glob(pattern)})
        if not found:
            raise EngineError(f"{folder} is missing; install Debian's {self.package}.")
        names = {path: str(path.relative_to(folder)).lower() for path in found}
        return [path for path, name in names.items() if not any(part in name for part in self.left_out)]


_STAMPS = "/usr/share/tuxpaint/stamps"
TRAINED = (
    Source("tuxpaint-stamps-default", _STAMPS, ("animals/**/*.ogg",), ("_desc", "mammals")),
    Source("tuxpaint-stamps-default", _STAMPS, ("household/**/*.ogg", "hobbies/**/*.ogg"), ("_desc",)),
    Source("frozen-bubble-data", "/usr/share/games/frozen-bubble/snd", ("applause.ogg", "launch.ogg", "rebound.ogg")),
    Source(
        "sonic-pi-samples", "/usr/share/sonic-pi", ("samples/*.flac",),
        ("choir", "vox", "robot", "burp", "phone", "loop_garzul", "loop_weirdo", "haunted"),
    ),
    Source("gcompris-qt-data", "/usr/share/gcompris-qt/rcc", ("explore_farm_animals.rcc",)),
    Source("tuxfootball", "/usr/share/games/tuxfootball/sound", ("crowd*.wav", "refwhistle*.wav")),
)  # fmt: skip
# By kind; nothing of these packages is trained on.
HELD_OUT = {
    "animals, dogs among them": Source("tuxpaint-stamps-default", _STAMPS, ("animals/mammals/**/*.ogg",), ("_desc",)),
    "crowds": Source("etw-data", "/usr/share/games/etw", ("**/crowd*.wav",)),
    "traffic": Source(
        "searchandrescue-data", "/usr/share/games/searchandrescue/sounds", ("**/*engine*.wav", "**/*skid*.wav")
    ),
    "music": Source("asterisk-moh-opsound-wav", "/usr/share/asterisk/moh", ("*.wav",)),
}  # fmt: skip


def recorded(sources: Iterable[Source] = TRAINED) -> Iterator[np.ndarray]:
    """16 kHz samples (S,) float32, offset removed, of every file.

    Raises EngineError when a package is not installed.
    """
    for source in sources:
        for samples in (samples for path in source.paths() for samples in _sounds_of(path)):
            if len(samples) >= SHORTEST * SAMPLE_RATE and samples.std() > 1e-4:
                yield samples - samples.mean()


def _sounds_of(path: Path) -> Iterator[np.ndarray]:
    """16 kHz samples (S,) float32 of a sound file, or of every Ogg file in a resource file of Qt's."""
    files = map(io.BytesIO, ogg_files(path.read_bytes())) if path.suffix == ".rcc" else (path,)
    for file in files:
        yield read_audio(file).astype(np.float32) / 32768


def ogg_files(content: bytes) -> Iterator[bytes]:
    """The Ogg files that lie in other bytes as they are; each is pages, the last of which says so (RFC 3533)."""
    start = content.find(_FIRST_PAGE)
    while start >= 0:
        end, last = start, 0
        while content[end : end + 4] == _FIRST_PAGE[:4] and not last:
            last, segments = content[end + 5] & 4, content[end + 26]
            end += 27 + segments + sum(content[end + 27 : end + 27 + segments])
        yield content[start:end]
        start = content.find(_FIRST_PAGE, end)


Synthesis = Callable[[int, np.random.Generator], np.ndarray]


def applause(length: int, generator: np.random.Generator) -> np.ndarray:
    """Hands, few or many, each with its own pace and resonance; (length,)."""
    audio = np.zeros(length)
    for _ in range(int(generator.integers(2, 60))):
        middle, width = generator.uniform(500, 2500), generator.uniform(0.004, 0.02)
        times = np.arange(int(4 * width * SAMPLE_RATE)) / SAMPLE_RATE
        clap = generator.standard_normal(len(times)) * np.exp(-times / width)
        clap = sosfilt(_band(middle * 0.6, middle * 1.8), clap)
        place, pace, level = generator.uniform(0, 0.4), generator.uniform(0.15, 0.4), generator.uniform(0.1, 1.0)
        while (start := int(place * SAMPLE_RATE)) < length:
            piece = clap[: length - start]
            audio[start : start + len(piece)] += level * generator.uniform(0.6, 1) * piece
            place += pace * generator.uniform(0.85, 1.15)
    return audio


def breath(length: int, generator: np.random.Generator) -> np.ndarray:
    """In and out, through a vocal tract that keeps still, with pauses; (length,)."""
    audio, place = np.zeros(length), 0
    while place < length:
        count = int(generator.uniform(0.3, 2.5) * SAMPLE_RATE)
        noise = generator.standard_normal(count)
        for formant in generator.uniform((300, 900, 1800, 3000), (900, 1900, 3200, 5500)):
            noise = noise + generator.uniform(0.5, 3) * resonance(noise, formant, generator.uniform(80, 400))
        noise = noise * np.sin(np.linspace(0, np.pi, count)) ** generator.uniform(0.5, 2)
        piece = (noise / (noise.std() + 1e-9))[: length - place]
        audio[place : place + len(piece)] = generator.uniform(0.4, 1) * piece
        place += count + int(max(generator.uniform(-0.5, 1.5), 0) * SAMPLE_RATE)
    return audio


def whistle(length: int, generator: np.random.Generator) -> np.ndarray:
    """A melody whistled, or a pea whistle, over a little hiss; (length,)."""
    knots = np.sort(generator.uniform(0, length, max(2, length // 6000)))
    pitch = generator.uniform(600, 3200) * 2 ** (generator.integers(-7, 8, len(knots)) / 12)
    frequency = np.interp(np.arange(length), knots, pitch)
    rattle = generator.uniform(4, 7) if generator.random() < 0.6 else generator.uniform(20, 60)
    times = np.arange(length) / SAMPLE_RATE
    frequency = frequency * (1 + generator.uniform(0, 0.03) * np.sin(2 * np.pi * rattle * times))
    loud = np.interp(np.arange(length), knots, generator.uniform(-0.4, 1, len(knots)).clip(0))
    phase = 2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE
    tone = np.sin(phase) + generator.uniform(0, 0.3) * np.sin(2 * phase)
    return loud * (tone + generator.uniform(0, 0.3) * generator.standard_normal(length))


def barks(length: int, generator: np.random.Generator) -> np.ndarray:
    """Barks, howls and growls of one animal; (length,)."""
    audio, place = np.zeros(length), int(generator.uniform(0, 0.5) * SAMPLE_RATE)
    base, seconds = (
        np.exp(generator.uniform(np.log(40), np.log(1200))),
        np.exp(generator.uniform(np.log(0.06), np.log(2.5))),
    )
    formants = generator.uniform((400, 900, 2000), (1000, 2200, 4000))
    while place < length:
        count = int(seconds * generator.uniform(0.7, 1.3) * SAMPLE_RATE)
        share = np.linspace(0, 1, count)
        pitch = base * (1 + generator.uniform(-0.2, 0.6) * np.sin(np.pi * share**0.7)) * generator.uniform(0.9, 1.1)
        phase = np.cumsum(pitch) / SAMPLE_RATE
        rough = 1 + generator.uniform(0, 0.9) * np.sin(2 * np.pi * generator.uniform(20, 90) * share * seconds)
        source = rough * (phase % 1 - 0.5) + generator.uniform(0.02, 0.5) * generator.standard_normal(count)
        for formant in formants:
            source = source + generator.uniform(0.5, 2) * resonance(source, formant, generator.uniform(80, 250))
        piece = (source * np.minimum(share / 0.1, 1) * (1 - share) ** 0.7)[: length - place]
        audio[place : place + len(piece)] += piece
        place += count + int(generator.exponential(0.4) * SAMPLE_RATE)
    return audio


def traffic(length: int, generator: np.random.Generator) -> np.ndarray:
    """Engines and tyres that pass, rotors and horns; (length,)."""
    times = np.arange(length) / SAMPLE_RATE
    audio = generator.uniform(0.05, 0.4) * sosfilt(
        _band(60, generator.uniform(400, 3000)), generator.standard_normal(length)
    )
    for _ in range(int(generator.integers(1, 4))):
        middle, width = generator.uniform(0, times[-1]), generator.uniform(0.5, 4)
        loud = np.exp(-(((times - middle) / width) ** 2))
        speed = generator.uniform(15, 120) * (1 - 0.06 * np.tanh((times - middle) / width))
        phase = np.cumsum(speed) / SAMPLE_RATE
        engine = sum(generator.random() * np.sin(2 * np.pi * order * phase) / order**0.7 for order in range(1, 16))
        tyres = sosfilt(_band(200, generator.uniform(1000, 4000)), generator.standard_normal(length))
        audio = audio + loud * (generator.random() * engine + generator.uniform(0, 2) * tyres)
    if generator.random() < 0.3:
        horn = sum(np.sign(np.sin(2 * np.pi * f * times)) for f in generator.uniform(250, 700, 2))
        start = generator.uniform(0, times[-1])
        audio = audio + generator.uniform(0.1, 0.6) * horn * (
            (times > start) & (times < start + generator.uniform(0.2, 1.5))
        )
    return audio


SYNTHESES: tuple[Synthesis, ...] = (applause, breath, whistle, barks, traffic)


def _band(low: float, high: float) -> np.ndarray:
    return butter(2, (low, min(high, 0.45 * SAMPLE_RATE)), "bandpass", fs=SAMPLE_RATE, output="sos")


def resonance(audio: np.ndarray, frequency: float, width: float) -> np.ndarray:
    """Audio (S,) through one formant, with the gain 1 at its frequency."""
    radius = np.exp(-np.pi * width / SAMPLE_RATE)
    angle = 2 * np.pi * frequency / SAMPLE_RATE
    return lfilter([(1 - radius) * np.sqrt(1 - 2 * radius * np.cos(2 * angle) + radius**2)],
                   [1, -2 * radius * np.cos(angle), radius**2], audio)  # fmt: skip
