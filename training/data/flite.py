"""Sentences spoken by flite's clustergen voices, the most natural free ones, with the phone times that it prints."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from engine.shared.errors import EngineError
from training.data.phone_sets import US_ENGLISH, from_table, rows
from training.data.utterance import Utterance, read_audio

VOICES = ("rms", "slt", "awb")
_PHONE_END = re.compile(r"(\S+):([0-9.]+)")


def speak(voice: str, texts: list[str]) -> Iterator[Utterance]:
    """One utterance per text. Raises EngineError when flite is not installed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sentence.wav"
        for index, text in enumerate(texts):
            command = ["flite", "-voice", voice, "-psdur", "-t", text, "-o", str(path)]
            try:
                printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            except (OSError, subprocess.CalledProcessError) as error:
                raise EngineError("The text-to-speech program flite is missing; install Debian's flite.") from error
            yield Utterance(
                f"flite/{voice}{index:05d}", "flite", f"flite-{voice}", phone_rows(printed), read_audio(path)
            )


def phone_rows(printed: str) -> list:
    """Phone rows from flite's `phone:end` words."""
    labels, start = [], 0.0
    for label, end in _PHONE_END.findall(printed):
        labels.append((from_table(label, US_ENGLISH, "flite"), start, float(end)))
        start = float(end)
    return rows(labels)
