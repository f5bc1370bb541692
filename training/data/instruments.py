"""Sound without a voice: melodies of General MIDI's instruments and effects, played from a soundfont by fluidsynth.

Trumpets, whistles, applause and the like have vowels and consonants for whoever learned from voices alone. Programs
that imitate voices are left out.
"""

from __future__ import annotations

import io
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import mido
import numpy as np

from engine.shared.errors import EngineError
from training.data.utterance import Utterance, read_audio
from training.phones import SILENCE

SOUNDFONTS = Path("/usr/share/sounds/sf2")
TRAINED, SYNTHESISER, HELD_OUT = "FluidR3_GM.sf2", "OPL-3_FM_128M.sf2", "TimGM6mb.sf2"
PACKAGES = {TRAINED: "fluid-soundfont-gm", SYNTHESISER: "opl3-soundfont", HELD_OUT: "timgm6mb-soundfont"}  # of Debian
SECONDS = 20.0
VOICES = (52, 53, 54, 85, 91)  # choirs, oohs, synthesised voices
BASSES = range(32, 40)
SCALE = (0, 2, 4, 5, 7, 9, 11, 12, 14, 16)  # semitones above the root
TICKS_PER_SECOND = 960


def played(soundfont: str = TRAINED, seconds: float = SECONDS, seed: int = 0) -> Iterator[Utterance]:
    """One clip for every program; its only label is silence, since nobody speaks.

    Raises EngineError when fluidsynth or the soundfont is not installed.
    """
    for program in programs():
        yield played_alone(soundfont, program, seconds, seed)


def played_alone(soundfont: str, program: int, seconds: float, seed: int) -> Utterance:
    """The clip of one program; see `played`."""
    path = _found(soundfont)
    samples = _rendered(path, melody(program, seconds, np.random.default_rng((seed, program))))
    samples = samples[: int(seconds * 16000)]
    label = [[SILENCE, 0.0, len(samples) / 16000]]
    return Utterance(f"instruments/{path.stem}/{program:03d}", "instruments", f"instrument-{program}", label, samples)


def programs() -> list[int]:
    """General MIDI's programs that imitate no voice, counted from 0."""
    return sorted(set(range(128)) - set(VOICES))


def melody(program: int, seconds: float, generator: np.random.Generator) -> mido.MidiFile:
    """Random notes, alone or in chords, with pauses between some of them."""
    root = int(generator.integers(30, 48)) if program in BASSES else int(generator.integers(40, 84))
    chords = generator.random() < 0.4
    events: list[tuple[float, mido.Message]] = []
    time = 0.0
    while time < seconds:
        duration = generator.uniform(0.08, 1.6)
        for _ in range(int(generator.integers(1, 4)) if chords else 1):
            note = {"note": root + int(generator.choice(SCALE)), "velocity": int(generator.integers(60, 127))}
            events += [(time, mido.Message("note_on", **note)), (time + duration, mido.Message("note_off", **note))]
        time += duration * generator.uniform(0.6, 1.3) + (generator.random() < 0.12) * generator.uniform(0.2, 0.8)
    track = mido.MidiTrack([mido.Message("program_change", program=program)])
    ticks = 0
    for moment, message in sorted(events, key=lambda event: event[0]):
        now = int(moment * TICKS_PER_SECOND)
        track.append(message.copy(time=now - ticks))
        ticks = now
    return mido.MidiFile(tracks=[track])


def medley(soundfont: str, seconds: float, seed: int) -> np.ndarray:
    """int16 samples (S,) at 16 kHz of all the programs of `played`, one after the other, about `seconds` of each.

    Raises EngineError when fluidsynth or the soundfont is not installed.
    """
    track = mido.MidiTrack()
    for program in programs():
        track += melody(program, seconds, np.random.default_rng((seed, program))).tracks[0]
        track.append(mido.Message("control_change", control=123, value=0, time=TICKS_PER_SECOND // 4))
    return _rendered(_found(soundfont), mido.MidiFile(tracks=[track]), "-R", "0", "-C", "0")  # dry, which is quick


def _found(soundfont: str) -> Path:
    path = SOUNDFONTS / soundfont
    if not path.is_file():
        raise EngineError(f"{path} is missing; install Debian's {PACKAGES[soundfont]}.")
    return path


def _rendered(soundfont: Path, piece: mido.MidiFile, *options: str) -> np.ndarray:
    """int16 samples (S,) at 16 kHz."""
    with tempfile.TemporaryDirectory() as folder:
        notes, sound = Path(folder) / "notes.mid", Path(folder) / "sound.wav"
        content = io.BytesIO()
        piece.save(file=content)
        notes.write_bytes(content.getvalue())
        command = ["fluidsynth", "-ni", "-q", "-r", "32000", *options, "-F", str(sound), str(soundfont), str(notes)]
        try:
            subprocess.run(command, capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise EngineError("The synthesiser fluidsynth is missing; install Debian's fluidsynth.") from error
        return read_audio(sound)
