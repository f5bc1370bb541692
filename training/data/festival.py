"""Sentences spoken by festival's US English voices, in one process, with phone times and word stress."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from engine.shared.errors import EngineError
from training.data.phone_sets import US_ENGLISH, from_table, rows
from training.data.utterance import Utterance, read_audio, shifted
from training.phones import PHONES

# Debian package, and seconds by which the labels run ahead of the sound (see alignment.sibilant_offset).
VOICES = {
    "kal_diphone": ("festvox-kallpc16k", 0.015),
    "ked_diphone": ("festvox-kdlpc16k", 0.0),
    "cmu_us_slt_arctic_hts": ("festvox-us-slt-hts", 0.010),
}
_SPEAK_ALL = """
(define (write_phone fd s)
  (format fd "%s %s %s %s\\n" (item.feat s "segment_start") (item.feat s "segment_end") (item.name s)
    (item.feat s "R:SylStructure.parent.stress")))
(define (speak entry)
  (let ((utt (utt.synth (eval (list 'Utterance 'Text (cadr entry)))))
        (fd (fopen (string-append (car entry) ".phones") "w")))
    (mapcar (lambda (s) (write_phone fd s)) (utt.relation.items utt 'Segment))
    (fclose fd)
    (utt.save.wave utt (string-append (car entry) ".wav") 'riff)))
"""


def speak(voice: str, texts: list[str]) -> Iterator[Utterance]:
    """One utterance per text. Raises EngineError when festival or the voice is not installed."""
    package, offset = VOICES[voice]
    with tempfile.TemporaryDirectory() as folder:
        stems = [Path(folder) / f"{index:05d}" for index in range(len(texts))]
        script = Path(folder) / "speak.scm"
        # JSON quotes strings as Scheme does; the prompts are ASCII but for a few letters, which festival cannot say.
        ascii_texts = [text.encode("ascii", "ignore").decode() for text in texts]
        entries = [
            f"(speak '({json.dumps(str(stem))} {json.dumps(text)}))"
            for stem, text in zip(stems, ascii_texts, strict=True)
        ]
        script.write_text("\n".join([f"(voice_{voice})", _SPEAK_ALL, *entries]), "ascii")
        try:
            subprocess.run(["festival", "-b", str(script)], capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise EngineError(
                f"festival could not speak with {voice}; install Debian's packages festival and {package}."
            ) from error
        for stem in stems:
            phones = shifted(phone_rows(stem.with_suffix(".phones").read_text("ascii")), offset)
            key = f"festival/{voice}{stem.name}"
            yield Utterance(key, "festival", f"festival-{voice}", phones, read_audio(stem.with_suffix(".wav")))


def phone_rows(printed: str) -> list:
    """Phone rows from lines of start, end, label and the stress of the label's syllable."""
    labels = []
    for line in printed.splitlines():
        start, end, label, stress = line.split()
        phones = from_table(label, US_ENGLISH, "festival")
        if len(phones) == 1 and phones[0] in PHONES and PHONES[phones[0]].manner == "vowel":
            phones = [phones[0] + stress]
        labels.append((phones, float(start), float(end)))
    return rows(labels)
